//===- Converter.h - From the graph to kernels ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_CONVERTER_H
#define VIT_LIB_KERNEL_CONVERTER_H

#include "vit/Dialect/Kernel.h"
#include "vit/Dialect/Vit.h"

namespace mlir::vit::kernel {

/// Replaces the vit ops of one entry by kernel ops.
class Converter {
public:
  explicit Converter(func::FuncOp entry) : entry(entry), builder(entry) {}
  LogicalResult run();
  int64_t kernels = 0;

private:
  // ConvertToKernels.cpp: forward.
  LogicalResult checkArguments();
  LogicalResult convert(Operation *op);
  LogicalResult convertParameters(Operation *op);
  LogicalResult convertElementwise(Operation *op);
  LogicalResult convertLinear(LinearOp op);
  LogicalResult convertNorm(Operation *op, RowsKind kind, Value scale,
                            Value bias, llvm::APFloat epsilon, int64_t groups);
  LogicalResult convertSoftmax(SoftmaxOp op);
  LogicalResult convertAttention(vit::AttentionOp op);
  LogicalResult convertPrepend(PrependTokensOp op);
  LogicalResult convertRepeat(RepeatTokensOp op);
  LogicalResult convertResample(ResamplePositionsOp op);
  void convertSincos(SincosPositionsOp op);
  LogicalResult convertRelativePositions(vit::RelativePositionsOp op);
  LogicalResult convertRotate(vit::RotateOp op);
  LogicalResult eraseParameterOps();
  void replace(Operation *op, Operation *kernel);
  Value forAllGroups(Value vector, int64_t groups);
  static bool isTf32(PrecisionAttr precision);
  UnitAttr asUnit(bool value) {
    return value ? builder.getUnitAttr() : UnitAttr();
  }
  Value asOperand(Value value, PrecisionAttr precision);
  struct Quantized;
  Value createQuantizingMap(LinearOp op, Type element);
  Quantized quantizeInput(LinearOp op);
  GemmOp createInt8Product(LinearOp op);

  // ConvertTraining.cpp: backward, losses, updates. convertTraining returns
  // nullopt for all other ops.
  std::optional<LogicalResult> convertTraining(Operation *op);
  LogicalResult convertInputGradient(LinearInputGradientOp op);
  LogicalResult convertWeightGradient(LinearWeightGradientOp op);
  LogicalResult convertSumTo(SumToOp op);
  LogicalResult convertNormBackward(LayerNormBackwardOp op);
  LogicalResult convertAttentionBackward(vit::AttentionBackwardOp op);
  LogicalResult convertResampleBackward(ResamplePositionsBackwardOp op);
  LogicalResult
  convertRelativePositionsBackward(vit::RelativePositionsBackwardOp op);
  LogicalResult convertWrite(WriteOp op);
  LogicalResult convertSgd(SgdOp op);
  template <typename Op> LogicalResult convertAdam(Op op);
  LogicalResult convertClip(ClipByGlobalNormOp op);
  /// An update of one variable and its states.
  struct Change {
    StringRef name;
    FlatSymbolRefAttr variable;
    std::optional<uint64_t> layer;
    SmallVector<FlatSymbolRefAttr> states;
    Value gradient; ///< or null
    SmallVector<Value> scalars;
  };
  /// Returns an update without code.
  UpdateOp replaceByUpdate(Operation *op, const Change &change);
  template <typename Op> LogicalResult convertDrop(Op op, RandomUnit unit);
  LogicalResult convertLoss(Operation *op, LossKind kind, Value input,
                            Value targets, Value gradient, double smoothing);
  Value sum(Location location, SumKind kind, Value value,
            ArrayRef<int64_t> shape);
  Value getGuard();

  func::FuncOp entry;
  OpBuilder builder;
  /// Values rounded to a type, which several products may read.
  DenseMap<std::pair<Value, Type>, Value> rounded;
  /// The input of a product of int8.
  struct Quantized {
    Value multiples; ///< i8
    Value scales;    ///< of the rows; null: all have the op's input_scale
  };
  /// By value, migration and input_scale.
  DenseMap<std::tuple<Value, Attribute, Attribute>, Quantized> quantized;
};

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_CONVERTER_H
