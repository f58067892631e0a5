//===- TrainingOps.cpp - Ops with several results or an effect ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "Ops.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

static double number(const APFloat &value) { return value.convertToDouble(); }

/// Replaces the variables that symbols name by what `update` computes.
LogicalResult Evaluator::change(
    Operation *op, ArrayRef<std::pair<FlatSymbolRefAttr, Tensor *>> changed,
    std::optional<uint64_t> layer, llvm::function_ref<void()> update) {
  if (!store)
    return fail(op, "changes @" + changed.front().first.getValue() +
                        ", which needs somewhere to keep it");
  SmallVector<std::string> names;
  for (auto [symbol, tensor] : changed) {
    FailureOr<Tensor> value =
        load(op, symbol, layer.value_or(0), names.emplace_back());
    if (failed(value))
      return failure();
    *tensor = std::move(*value);
  }
  update();
  for (auto [pair, name] : llvm::zip(changed, names))
    (*store)[name] = std::move(*pair.second);
  return success();
}

LogicalResult Evaluator::checkLabels(Operation *op, Value logits,
                                     Value targets) {
  if (tensorOf(targets).getRank() != 1)
    return success();
  int64_t classes = get(logits).width();
  std::optional<int64_t> bad = findBadLabel(get(targets), classes);
  if (!bad)
    return success();
  return fail(op, "label " +
                      Twine(static_cast<int64_t>(get(targets).data[*bad])) +
                      " of image " + Twine(*bad) + " is not one of " +
                      Twine(classes) + " classes, 0 to " + Twine(classes - 1));
}

Tensor Evaluator::getUpdateGradient(Value gradient, Value factor) {
  if (!factor)
    return get(gradient);
  double times = get(factor).data[0];
  return map(get(gradient), [times](double g) { return g * times; });
}

LogicalResult Evaluator::evaluateSgd(SgdOp op) {
  Tensor gradient = getUpdateGradient(op.getGradient(), op.getFactor());
  Tensor parameter, buffer;
  SmallVector<std::pair<FlatSymbolRefAttr, Tensor *>> changed = {
      {op.getParameterAttr(), &parameter}};
  if (op.getBufferAttr())
    changed.push_back({op.getBufferAttr(), &buffer});
  return change(op, changed, op.getLayer(), [&] {
    sgd(parameter, gradient, op.getBufferAttr() ? &buffer : nullptr,
        get(op.getLearningRate()).data[0], number(op.getMomentum()),
        op.getNesterov(), number(op.getDecay()));
  });
}

template <typename Op> LogicalResult Evaluator::evaluateAdam(Op op) {
  Tensor gradient = getUpdateGradient(op.getGradient(), op.getFactor());
  auto step = static_cast<int64_t>(get(op.getStep()).data[0]);
  AdamOptions options{std::is_same_v<Op, AdamwOp>,
                      get(op.getLearningRate()).data[0],
                      op.getBetas()[0],
                      op.getBetas()[1],
                      number(op.getEpsilon()),
                      number(op.getDecay()),
                      step / static_cast<int64_t>(op.getEvery()) + 1};
  Tensor parameter, first, second;
  return change(op,
                {{op.getParameterAttr(), &parameter},
                 {op.getFirstAttr(), &first},
                 {op.getSecondAttr(), &second}},
                op.getLayer(),
                [&] { adam(parameter, gradient, first, second, options); });
}

std::optional<LogicalResult> Evaluator::evaluateTrainingOp(Operation *op) {
  using Done = std::optional<LogicalResult>;
  return llvm::TypeSwitch<Operation *, Done>(op)
      .Case([&](LayerNormBackwardOp op) -> Done {
        NormGradients gradients =
            normBackward(get(op.getGradient()), get(op.getInput()),
                         op.getKind(), getOptional(op.getScale()),
                         number(op.getEpsilon()), op.getGroups());
        set(op.getInputGradient(), std::move(gradients.input));
        set(op.getScaleGradient(), std::move(gradients.scale));
        set(op.getBiasGradient(), std::move(gradients.bias));
        return success();
      })
      .Case([&](AttentionBackwardOp op) -> Done {
        Precision precision = precisionOf(op.getPrecision());
        auto operand = [&](Value value) {
          return roundTo(get(value), precision);
        };
        AttentionGradients gradients =
            attentionBackward(operand(op.getGradient()), operand(op.getQuery()),
                              operand(op.getKey()), operand(op.getValue()),
                              getOptional(op.getBias()), op.getHeads(),
                              number(op.getScale()), precision);
        set(op.getQueryGradient(), std::move(gradients.query));
        set(op.getKeyGradient(), std::move(gradients.key));
        set(op.getValueGradient(), std::move(gradients.value));
        if (op.getBiasGradient())
          set(op.getBiasGradient(), std::move(gradients.bias));
        return success();
      })
      .Case([&](CrossEntropyOp op) -> Done {
        if (failed(checkLabels(op, op.getLogits(), op.getTargets())))
          return failure();
        set(op.getResult(),
            crossEntropy(get(op.getLogits()), get(op.getTargets()),
                         number(op.getSmoothing())));
        return success();
      })
      .Case([&](CrossEntropyBackwardOp op) -> Done {
        if (failed(checkLabels(op, op.getLogits(), op.getTargets())))
          return failure();
        set(op.getResult(),
            crossEntropyBackward(get(op.getGradient()).data[0],
                                 get(op.getLogits()), get(op.getTargets()),
                                 number(op.getSmoothing())));
        return success();
      })
      .Case([&](AccuracyOp op) -> Done {
        if (failed(checkLabels(op, op.getLogits(), op.getTargets())))
          return failure();
        set(op.getResult(),
            accuracy(get(op.getLogits()), get(op.getTargets())));
        return success();
      })
      .Case([&](AllReduceOp op) -> Done {
        evaluateAllReduce(op);
        return success();
      })
      .Case([&](WriteOp op) -> Done {
        Tensor value;
        return change(op, {{op.getSymbolAttr(), &value}}, op.getLayer(),
                      [&] { value = get(op.getValue()); });
      })
      .Case([&](SgdOp op) -> Done { return evaluateSgd(op); })
      .Case([&](AdamOp op) -> Done { return evaluateAdam(op); })
      .Case([&](AdamwOp op) -> Done { return evaluateAdam(op); })
      .Default([](Operation *) -> Done { return std::nullopt; });
}
