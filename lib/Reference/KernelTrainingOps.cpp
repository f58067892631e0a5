//===- KernelTrainingOps.cpp - The kernels of training steps --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels with several results or an effect. Values are logical: a concat
// holds its operands, each up to a multiple of 16 elements.
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "Ops.h"
#include "ScalarCode.h"

#include "vit/Kernel/Layout.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

static double number(const APFloat &value) { return value.convertToDouble(); }

//===----------------------------------------------------------------------===//
// Backward
//===----------------------------------------------------------------------===//

LogicalResult Evaluator::evaluateWeightGradient(kernel::WeightGradientOp op) {
  // Operands of other types hold rounded values.
  Precision precision = op.getTf32() ? Precision::tf32 : Precision::f32;
  Tensor gradient = roundTo(get(op.getGradient()), precision);
  set(op.getResult(),
      linearWeightGradient(gradient, roundTo(get(op.getInput()), precision)));
  if (op.getBias())
    set(op.getBias(), sumTo(gradient, {gradient.width()}));
  return success();
}

/// The sum of the rows of each image: [batch, tokens, width] to [batch, width].
static Tensor sumImages(const Tensor &input) {
  int64_t batch = input.shape[0], width = input.width();
  Tensor result({batch, width});
  for (int64_t r = 0; r < input.rows(); ++r)
    for (int64_t i = 0; i < width; ++i)
      result.row(r / (input.rows() / batch))[i] += input.row(r)[i];
  return result;
}

LogicalResult Evaluator::evaluateNormBackward(kernel::NormalizeBackwardOp op) {
  const Tensor &gradient = get(op.getGradient()), &input = get(op.getInput());
  double epsilon = number(op.getEpsilon());
  int64_t groups = op.getGroups();
  // The scale covers all groups, so it is applied to the gradient first.
  Tensor scaled = gradient;
  if (op.getScale())
    scaled = broadcast(gradient, get(op.getScale()), std::multiplies<>());
  Tensor result =
      normBackward(scaled, input, op.getKind(), nullptr, epsilon, groups).input;
  if (op.getResidual())
    result = broadcast(result, get(op.getResidual()), std::plus<>());
  set(op.getResult(), std::move(result));
  if (op.getSums().empty())
    return success();
  Tensor normal = normalize(input, op.getKind(), epsilon, groups);
  set(op.getSums()[0],
      sumImages(broadcast(gradient, normal, std::multiplies<>())));
  set(op.getSums()[1], sumImages(gradient));
  return success();
}

static Precision getPrecision(kernel::AttentionBackwardOp op) {
  return precisionOf(op.getTf32(), op.getQuery());
}
static Precision getPrecision(kernel::AttentionBiasGradientOp op) {
  return precisionOf(op.getQuery());
}

template <typename Op>
AttentionGradients Evaluator::getAttentionGradients(Op op) {
  Precision precision = getPrecision(op);
  ArrayRef<int64_t> offsets = op.getOffsets();
  int64_t width = op.getHeads() * op.getHeadDim();
  auto take = [&](Value value, int64_t offset) {
    return roundTo(takeChannels(get(value), offset, width), precision);
  };
  return attentionBackward(
      roundTo(get(op.getGradient()), precision),
      take(op.getQuery(), offsets[0]), take(op.getKey(), offsets[1]),
      take(op.getValue(), offsets[2]), getOptional(op.getBias()), op.getHeads(),
      number(op.getScale()), precision);
}

LogicalResult
Evaluator::evaluateAttentionBackward(kernel::AttentionBackwardOp op) {
  AttentionGradients gradients = getAttentionGradients(op);
  std::pair<Value, Tensor *> results[] = {
      {op.getQueryGradient(), &gradients.query},
      {op.getKeyGradient(), &gradients.key},
      {op.getValueGradient(), &gradients.value}};
  for (auto [result, tensor] : results)
    set(result, roundTo(std::move(*tensor), precisionOf(result)));
  return success();
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

LogicalResult Evaluator::evaluateLoss(kernel::LossOp op) {
  const Tensor &input = get(op.getInput()), &targets = get(op.getTargets());
  if (op.getKind() == kernel::LossKind::mse) {
    set(op.getResult(), mse(input, targets));
    return success();
  }
  if (failed(checkLabels(op, op.getInput(), op.getTargets())))
    return failure();
  set(op.getResult(),
      op.getKind() == kernel::LossKind::accuracy
          ? accuracy(input, targets)
          : crossEntropy(input, targets, number(op.getSmoothing())));
  return success();
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

/// The values of the scalar arguments of the body of `op`.
FailureOr<std::vector<double>>
Evaluator::computeUpdateScalars(kernel::UpdateOp op) {
  std::vector<double> scalars;
  for (Value scalar : op.getScalars())
    scalars.push_back(get(scalar).data[0]);
  if (op.getPrologue().empty())
    return scalars;
  FailureOr<ScalarCode> prologue =
      ScalarCode::compile(op.getPrologue().front(), error);
  if (failed(prologue))
    return failure();
  llvm::copy(scalars, prologue->arguments());
  return prologue->run().vec();
}

/// Updates variable number `index` and its states.
LogicalResult Evaluator::updateVariables(kernel::UpdateOp op, size_t index,
                                         const Tensor *gradient) {
  auto variable = cast<kernel::VariableAttr>(op.getParameters()[index]);
  SmallVector<Tensor> values(op.getVariableCount());
  SmallVector<std::pair<FlatSymbolRefAttr, Tensor *>> changed = {
      {variable.getSymbol(), &values[0]}};
  if (ArrayAttr states = op.getStatesAttr())
    for (auto [list, value] : llvm::zip(states, llvm::drop_begin(values)))
      changed.push_back(
          {cast<kernel::VariableAttr>(cast<ArrayAttr>(list)[index]).getSymbol(),
           &value});
  FailureOr<std::vector<double>> scalars = computeUpdateScalars(op);
  FailureOr<ScalarCode> body = ScalarCode::compile(op.getBody().front(), error);
  if (failed(scalars) || failed(body))
    return failure();
  return change(op, changed, std::max<int64_t>(variable.getLayer(), 0), [&] {
    for (int64_t i = 0; i < values[0].size(); ++i) {
      double *arguments = body->arguments();
      for (const Tensor &value : values)
        *arguments++ = value.data[i];
      if (gradient)
        *arguments++ = gradient->data[i];
      llvm::copy(*scalars, arguments);
      for (auto [value, result] : llvm::zip_equal(values, body->run()))
        value.data[i] = result;
    }
  });
}

LogicalResult Evaluator::evaluateUpdate(kernel::UpdateOp op) {
  if (op.getGuard() && !std::isfinite(get(op.getGuard()).data[0]))
    return success();
  const Tensor *gradient = getOptional(op.getGradient());
  size_t count = op.getParameters().size();
  int64_t begin = 0;
  for (size_t index = 0; index < count; ++index) {
    if (!gradient) {
      if (failed(updateVariables(op, index, nullptr)))
        return failure();
      continue;
    }
    // The gradient is a concat in the order of the parameters.
    auto variable = cast<kernel::VariableAttr>(op.getParameters()[index]);
    std::string name;
    FailureOr<Tensor> value =
        load(op, variable.getSymbol(),
             std::max<int64_t>(variable.getLayer(), 0), name);
    if (failed(value))
      return failure();
    if (begin + value->size() > gradient->size())
      return fail(op, "the gradient is smaller than its variables");
    Tensor part(value->shape);
    std::copy_n(gradient->data.begin() + begin, part.size(), part.data.begin());
    if (failed(updateVariables(op, index, &part)))
      return failure();
    begin += kernel::occupiedElements(part.size());
  }
  return success();
}

std::optional<LogicalResult> Evaluator::evaluateTrainingKernel(Operation *op) {
  using Done = std::optional<LogicalResult>;
  return llvm::TypeSwitch<Operation *, Done>(op)
      .Case([&](kernel::WeightGradientOp op) -> Done {
        return evaluateWeightGradient(op);
      })
      .Case([&](kernel::NormalizeBackwardOp op) -> Done {
        return evaluateNormBackward(op);
      })
      .Case([&](kernel::AttentionBackwardOp op) -> Done {
        return evaluateAttentionBackward(op);
      })
      .Case([&](kernel::AttentionBiasGradientOp op) -> Done {
        set(op.getResult(), std::move(getAttentionGradients(op).bias));
        return success();
      })
      .Case([&](kernel::LossOp op) -> Done { return evaluateLoss(op); })
      .Case([&](kernel::LossBackwardOp op) -> Done {
        double gradient = get(op.getGradient()).data[0];
        const Tensor &input = get(op.getInput());
        const Tensor &targets = get(op.getTargets());
        if (op.getKind() == kernel::LossKind::mse) {
          set(op.getResult(), mseBackward(gradient, input, targets));
          return success();
        }
        if (failed(checkLabels(op, op.getInput(), op.getTargets())))
          return failure();
        set(op.getResult(), crossEntropyBackward(gradient, input, targets,
                                                 number(op.getSmoothing())));
        return success();
      })
      .Case([&](kernel::ConcatOp op) -> Done {
        Tensor result(
            std::vector<int64_t>{op.getResult().getType().getNumElements()});
        int64_t begin = 0;
        for (Value value : op.getGradients()) {
          const Tensor &part = get(value);
          llvm::copy(part.data, result.data.begin() + begin);
          begin += kernel::occupiedElements(part.size());
        }
        set(op.getResult(), std::move(result));
        return success();
      })
      .Case([&](kernel::AllReduceOp op) -> Done {
        evaluateAllReduce(op);
        return success();
      })
      .Case([&](kernel::NormOp op) -> Done {
        SmallVector<const Tensor *> gradients;
        for (Value value : op.getGradients())
          gradients.push_back(&get(value));
        Tensor factor(std::vector<int64_t>{});
        factor.data[0] = clipFactor(gradients, number(op.getMaxNorm()));
        set(op.getResult(), std::move(factor));
        return success();
      })
      .Case([&](kernel::UpdateOp op) -> Done { return evaluateUpdate(op); })
      .Default([](Operation *) -> Done { return std::nullopt; });
}
