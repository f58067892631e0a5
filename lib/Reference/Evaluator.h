//===- Evaluator.h - Evaluates a function, op by op -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_REFERENCE_EVALUATOR_H
#define VIT_LIB_REFERENCE_EVALUATOR_H

#include "vit/Dialect/Kernel.h"
#include "vit/Reference/Interpreter.h"

#include "llvm/ADT/DenseMap.h"

#include <memory>
#include <optional>

namespace mlir::vit::reference {

struct AttentionGradients;

/// One evaluation of one entry: the values computed so far and the outputs that
/// are wanted.
class Evaluator {
public:
  Evaluator(const ParameterReader &readParameter, ArrayRef<std::string> outputs,
            std::string &error, Store *store)
      : readParameter(readParameter), outputs(outputs), error(error),
        store(store) {}

  LogicalResult run(func::FuncOp entry, ArrayRef<Tensor> inputs,
                    std::vector<NamedTensor> &results);

private:
  LogicalResult checkInputs(func::FuncOp entry, ArrayRef<Tensor> inputs);
  LogicalResult evaluateBlock(Block &block);
  /// Ops that use the state of the evaluator: parameters, layers, outputs.
  LogicalResult evaluate(Operation *op);
  /// The current value of the parameter or state `symbol` of layer `layer`.
  /// Sets `name` to its name in the store.
  FailureOr<Tensor> load(Operation *op, FlatSymbolRefAttr symbol, int64_t layer,
                         std::string &name);
  LogicalResult evaluateRead(ReadOp op);
  LogicalResult evaluateLayers(LayersOp op);
  LogicalResult evaluateOutput(OutputOp op);
  LogicalResult evaluateConstant(arith::ConstantOp op);
  LogicalResult evaluateAttention(AttentionOp op);
  LogicalResult evaluateKernelAttention(kernel::AttentionOp op);
  LogicalResult evaluateQuantize(kernel::QuantizeOp op);
  /// Ops with several results or a side effect (TrainingOps.cpp); nullopt for
  /// other ops.
  std::optional<LogicalResult> evaluateTrainingOp(Operation *op);
  LogicalResult change(Operation *op,
                       ArrayRef<std::pair<FlatSymbolRefAttr, Tensor *>> changed,
                       std::optional<uint64_t> layer,
                       llvm::function_ref<void()> update);
  /// Kernel ops with several results or a side effect (KernelTrainingOps.cpp);
  /// nullopt for other ops.
  std::optional<LogicalResult> evaluateTrainingKernel(Operation *op);
  LogicalResult evaluateWeightGradient(kernel::WeightGradientOp op);
  LogicalResult evaluateNormBackward(kernel::NormalizeBackwardOp op);
  template <typename Op> AttentionGradients getAttentionGradients(Op op);
  LogicalResult evaluateAttentionBackward(kernel::AttentionBackwardOp op);
  LogicalResult evaluateLoss(kernel::LossOp op);
  LogicalResult evaluateUpdate(kernel::UpdateOp op);
  FailureOr<std::vector<double>> computeUpdateScalars(kernel::UpdateOp op);
  LogicalResult updateVariables(kernel::UpdateOp op, size_t index,
                                const Tensor *gradient);
  LogicalResult checkLabels(Operation *op, Value logits, Value targets);
  /// Of a single rank.
  template <typename Op> void evaluateAllReduce(Op op) {
    for (auto [gradient, sum, result] :
         llvm::zip(op.getGradients(), op.getSums(), op.getResults()))
      set(result, broadcast(get(sum), get(gradient), std::plus<>()));
  }
  LogicalResult evaluateSgd(SgdOp op);
  template <typename Op> LogicalResult evaluateAdam(Op op);
  Tensor getUpdateGradient(Value gradient, Value factor);
  /// Ops with one result and no side effect; nullopt for other ops
  /// (GraphOps.cpp, KernelOps.cpp).
  std::optional<Tensor> evaluateGraphOp(Operation *op);
  std::optional<Tensor> evaluateTokenOp(Operation *op);
  std::optional<Tensor> evaluateGradientOp(Operation *op);
  FailureOr<std::optional<Tensor>> evaluateKernelOp(Operation *op);
  std::optional<Tensor> evaluateTokenKernel(Operation *op);
  FailureOr<Tensor> applyEpilogue(Region &region, Tensor input,
                                  ValueRange extras);

  const Tensor &get(Value value) { return *tensors.at(value); }
  SmallVector<const Tensor *> getAll(ValueRange values) {
    return llvm::map_to_vector(values,
                               [&](Value value) { return &get(value); });
  }
  const Tensor *getOptional(Value value) {
    return value ? tensors.at(value).get() : nullptr;
  }
  void set(Value value, Tensor tensor) {
    tensors[value] = std::make_shared<const Tensor>(std::move(tensor));
  }
  /// Whether `value` has a use other than an output that is not wanted.
  bool isNeeded(Value value);
  /// The name of `op` in the current layer: "hidden_3".
  std::string getName(OutputOp op);
  bool isWanted(StringRef name) const;
  LogicalResult fail(Operation *op, const Twine &message);

  const ParameterReader &readParameter;
  ArrayRef<std::string> outputs;
  std::string &error;
  Store *store;
  llvm::DenseMap<Value, std::shared_ptr<const Tensor>> tensors;
  llvm::DenseMap<Value, int64_t> indices;
  std::vector<NamedTensor> collected; ///< wanted vit.outputs, in text order
  std::vector<std::string> offered;   ///< every name seen
};

} // namespace mlir::vit::reference

#endif // VIT_LIB_REFERENCE_EVALUATOR_H
