//===- Adjoints.cpp - The adjoint of each op ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"

#include "format/Level.h"

using namespace mlir;
using namespace mlir::vit;

void Gradients::add(OpBuilder &builder, Location location, Value value,
                    Value gradient) {
  assert(value.getType() == gradient.getType() &&
         "a gradient is like its value");
  Value &sum = gradients[value];
  sum = sum ? AddOp::create(builder, location, sum, gradient) : gradient;
}

/// Returns the gradient of an operand of type `type` that was broadcast.
static Value sumTo(OpBuilder &builder, Location location, Value gradient,
                   Type type, PrecisionAttr precision = {}) {
  if (gradient.getType() == type)
    return gradient;
  return SumToOp::create(builder, location, type, gradient, precision);
}

//===----------------------------------------------------------------------===//
// Patches, tokens, positions
//===----------------------------------------------------------------------===//

LogicalResult PatchifyOp::buildAdjoint(OpBuilder &builder, Location location,
                                       Gradients &gradients) {
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  UnpatchifyOp::create(builder, location, getInput().getType(),
                                       gradients.get(getResult()),
                                       getPatchAttr(), getOrderAttr()));
  return success();
}

LogicalResult PrependTokensOp::buildAdjoint(OpBuilder &builder,
                                            Location location,
                                            Gradients &gradients) {
  Value gradient = gradients.get(getResult());
  auto take = [&](int64_t start, int64_t count) -> Value {
    return TakeTokensOp::create(builder, location, gradient,
                                builder.getI64IntegerAttr(start),
                                builder.getI64IntegerAttr(count));
  };
  RankedTensorType input = tensorOf(getInput());
  RankedTensorType tokens = tensorOf(getTokens());
  int64_t prefix = tokens.getDimSize(0);
  if (ShapedType::isDynamic(prefix) || input.isDynamicDim(1))
    return emitOpError("has no adjoint where the number of tokens is unknown");
  if (gradients.isWanted(getTokens()))
    gradients.add(builder, location, getTokens(),
                  sumTo(builder, location, take(0, prefix), tokens));
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  take(prefix, input.getDimSize(1)));
  return success();
}

LogicalResult RepeatTokensOp::buildAdjoint(OpBuilder &builder,
                                           Location location,
                                           Gradients &gradients) {
  // The elements of `like` are not read.
  if (gradients.isWanted(getTokens()))
    gradients.add(builder, location, getTokens(),
                  sumTo(builder, location, gradients.get(getResult()),
                        getTokens().getType()));
  return success();
}

LogicalResult ConcatChannelsOp::buildAdjoint(OpBuilder &builder,
                                             Location location,
                                             Gradients &gradients) {
  int64_t start = 0;
  for (Value input : getInputs()) {
    int64_t count = tensorOf(input).getShape().back();
    if (gradients.isWanted(input))
      gradients.add(builder, location, input,
                    TakeChannelsOp::create(builder, location,
                                           gradients.get(getResult()), start,
                                           count));
    start += count;
  }
  return success();
}

LogicalResult TakeTokensOp::buildAdjoint(OpBuilder &builder, Location location,
                                         Gradients &gradients) {
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  PlaceTokensOp::create(builder, location, getInput().getType(),
                                        gradients.get(getResult()),
                                        getStartAttr()));
  return success();
}

LogicalResult MeanTokensOp::buildAdjoint(OpBuilder &builder, Location location,
                                         Gradients &gradients) {
  if (gradients.isWanted(getInput()))
    gradients.add(
        builder, location, getInput(),
        SpreadTokensOp::create(builder, location, getInput().getType(),
                               gradients.get(getResult()), getStartAttr()));
  return success();
}

LogicalResult ResamplePositionsOp::buildAdjoint(OpBuilder &builder,
                                                Location location,
                                                Gradients &gradients) {
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  ResamplePositionsBackwardOp::create(
                      builder, location, gradients.get(getResult()), getFrom(),
                      getTo(), getPrefix(), getAntialias(), getSuffix(),
                      getFilter()));
  return success();
}

LogicalResult RelativePositionsOp::buildAdjoint(OpBuilder &builder,
                                                Location location,
                                                Gradients &gradients) {
  Value gradient;
  for (Value table : getTables()) {
    if (!gradients.isWanted(table))
      continue;
    if (!gradient)
      gradient = RelativePositionsBackwardOp::create(
          builder, location, gradients.get(getResult()), getGridAttr(),
          getPrefixAttr());
    gradients.add(builder, location, table, gradient);
  }
  return success();
}

LogicalResult RotateOp::buildAdjoint(OpBuilder &builder, Location location,
                                     Gradients &gradients) {
  if (gradients.isWanted(getAngles()))
    return emitOpError("has no adjoint for its angles; they must be constant");
  if (gradients.isWanted(getInput()))
    gradients.add(
        builder, location, getInput(),
        RotateOp::create(builder, location, gradients.get(getResult()),
                         getAngles(), getHeadsAttr(), getPrefixAttr(),
                         getPairsAttr(),
                         getInverse() ? UnitAttr() : builder.getUnitAttr()));
  return success();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

LogicalResult LinearOp::buildAdjoint(OpBuilder &builder, Location location,
                                     Gradients &gradients) {
  if (getPrecision() && !isForTraining(getPrecision().getValue()))
    return emitOpError("has no adjoint in ")
           << stringifyPrecision(getPrecision().getValue())
           << "; train in one of "
           << ::vit::format::trainingPrecisionNames().text;
  Value gradient = gradients.get(getResult());
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  LinearInputGradientOp::create(builder, location, gradient,
                                                getWeight(), getPrecision()));
  if (gradients.isWanted(getWeight()))
    gradients.add(builder, location, getWeight(),
                  LinearWeightGradientOp::create(builder, location, gradient,
                                                 getInput(), getPrecision()));
  if (getBias() && gradients.isWanted(getBias()))
    gradients.add(builder, location, getBias(),
                  sumTo(builder, location, gradient, getBias().getType(),
                        getPrecision()));
  return success();
}

/// A scale or bias may be null.
static void buildNorm(NormKind kind, Value result, Value input, Value scale,
                      Value bias, FloatAttr epsilon, uint64_t groups,
                      OpBuilder &builder, Location location,
                      Gradients &gradients) {
  RankedTensorType type = tensorOf(input);
  auto vector = RankedTensorType::get(
      {type.getShape().back() / static_cast<int64_t>(groups)},
      type.getElementType());
  auto backward = LayerNormBackwardOp::create(
      builder, location, TypeRange{type, vector, vector}, gradients.get(result),
      input, scale, epsilon, builder.getI64IntegerAttr(groups),
      NormKindAttr::get(builder.getContext(), kind));
  for (auto [operand, gradient] :
       {std::pair<Value, Value>{input, backward.getInputGradient()},
        {scale, backward.getScaleGradient()},
        {bias, backward.getBiasGradient()}})
    if (operand && gradients.isWanted(operand))
      gradients.add(builder, location, operand, gradient);
}

LogicalResult LayerNormOp::buildAdjoint(OpBuilder &builder, Location location,
                                        Gradients &gradients) {
  buildNorm(NormKind::layer, getResult(), getInput(), getScale(), getBias(),
            getEpsilonAttr(), getGroups(), builder, location, gradients);
  return success();
}

LogicalResult RmsNormOp::buildAdjoint(OpBuilder &builder, Location location,
                                      Gradients &gradients) {
  buildNorm(NormKind::rms, getResult(), getInput(), getScale(), Value(),
            getEpsilonAttr(), getGroups(), builder, location, gradients);
  return success();
}

LogicalResult L2NormalizeOp::buildAdjoint(OpBuilder &builder, Location location,
                                          Gradients &gradients) {
  buildNorm(NormKind::l2, getResult(), getInput(), Value(), Value(),
            getEpsilonAttr(), /*groups=*/1, builder, location, gradients);
  return success();
}

LogicalResult AttentionOp::buildAdjoint(OpBuilder &builder, Location location,
                                        Gradients &gradients) {
  if (getProbabilities() && gradients.get(getProbabilities()))
    return emitOpError("has no adjoint where the loss depends on its "
                       "probabilities; use its first result alone");
  bool isBiasWanted = getBias() && gradients.isWanted(getBias());
  auto backward = AttentionBackwardOp::create(
      builder, location, getQuery().getType(), getKey().getType(),
      getValue().getType(), isBiasWanted ? getBias().getType() : Type(),
      gradients.get(getResult()), getQuery(), getKey(), getValue(), getBias(),
      getHeadsAttr(), getScaleAttr(),
      isBiasWanted ? PrecisionAttr() : getPrecision());
  for (auto [operand, gradient] :
       llvm::zip(getOperands(), backward.getResults()))
    if (gradients.isWanted(operand))
      gradients.add(builder, location, operand, gradient);
  return success();
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// gradient * activation'(input)
static LogicalResult buildActivation(Operation *op, ActivationKind activation,
                                     OpBuilder &builder, Location location,
                                     Gradients &gradients) {
  Value input = op->getOperand(0);
  if (!gradients.isWanted(input))
    return success();
  Value derivative = DerivativeOp::create(builder, location, input.getType(),
                                          input, activation);
  gradients.add(builder, location, input,
                MulOp::create(builder, location,
                              gradients.get(op->getResult(0)), derivative));
  return success();
}

LogicalResult GeluOp::buildAdjoint(OpBuilder &builder, Location location,
                                   Gradients &gradients) {
  ActivationKind activation =
      getKind() == GeluKind::erf    ? ActivationKind::gelu_erf
      : getKind() == GeluKind::tanh ? ActivationKind::gelu_tanh
                                    : ActivationKind::gelu_quick;
  return buildActivation(*this, activation, builder, location, gradients);
}

LogicalResult ReluOp::buildAdjoint(OpBuilder &builder, Location location,
                                   Gradients &gradients) {
  return buildActivation(*this, ActivationKind::relu, builder, location,
                         gradients);
}

LogicalResult SiluOp::buildAdjoint(OpBuilder &builder, Location location,
                                   Gradients &gradients) {
  return buildActivation(*this, ActivationKind::silu, builder, location,
                         gradients);
}

LogicalResult TanhOp::buildAdjoint(OpBuilder &builder, Location location,
                                   Gradients &gradients) {
  return buildActivation(*this, ActivationKind::tanh, builder, location,
                         gradients);
}

LogicalResult SoftmaxOp::buildAdjoint(OpBuilder &builder, Location location,
                                      Gradients &gradients) {
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  SoftmaxBackwardOp::create(builder, location,
                                            gradients.get(getResult()),
                                            getResult()));
  return success();
}

//===----------------------------------------------------------------------===//
// Sums, products, dropout
//===----------------------------------------------------------------------===//

LogicalResult AddOp::buildAdjoint(OpBuilder &builder, Location location,
                                  Gradients &gradients) {
  for (Value operand : getOperands())
    if (gradients.isWanted(operand))
      gradients.add(builder, location, operand,
                    sumTo(builder, location, gradients.get(getResult()),
                          operand.getType()));
  return success();
}

LogicalResult MulOp::buildAdjoint(OpBuilder &builder, Location location,
                                  Gradients &gradients) {
  for (auto [operand, other] :
       {std::pair<Value, Value>{getLhs(), getRhs()}, {getRhs(), getLhs()}}) {
    if (!gradients.isWanted(operand))
      continue;
    Value product =
        MulOp::create(builder, location, gradients.get(getResult()), other);
    gradients.add(builder, location, operand,
                  sumTo(builder, location, product, operand.getType()));
  }
  return success();
}

LogicalResult LayerScaleOp::buildAdjoint(OpBuilder &builder, Location location,
                                         Gradients &gradients) {
  Value gradient = gradients.get(getResult());
  if (gradients.isWanted(getInput()))
    gradients.add(
        builder, location, getInput(),
        LayerScaleOp::create(builder, location, gradient, getGamma()));
  if (gradients.isWanted(getGamma())) {
    Value product = MulOp::create(builder, location, gradient, getInput());
    gradients.add(builder, location, getGamma(),
                  sumTo(builder, location, product, getGamma().getType()));
  }
  return success();
}

LogicalResult ScaleOp::buildAdjoint(OpBuilder &builder, Location location,
                                    Gradients &gradients) {
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  ScaleOp::create(builder, location, getType(),
                                  gradients.get(getResult()), getFactorAttr()));
  return success();
}

/// The gradient is dropped by the same mask, which the name identifies.
template <typename Op>
static LogicalResult buildDrop(Op op, OpBuilder &builder, Location location,
                               Gradients &gradients) {
  if (gradients.isWanted(op.getInput()))
    gradients.add(builder, location, op.getInput(),
                  Op::create(builder, location, op.getType(),
                             gradients.get(op.getResult()),
                             op.getProbabilityAttr(), op.getLastAttr(),
                             op.getLayer(), op.getRandomAttr(), op.getSeed(),
                             op.getStep()));
  return success();
}

LogicalResult DropoutOp::buildAdjoint(OpBuilder &builder, Location location,
                                      Gradients &gradients) {
  return buildDrop(*this, builder, location, gradients);
}

LogicalResult DropPathOp::buildAdjoint(OpBuilder &builder, Location location,
                                       Gradients &gradients) {
  return buildDrop(*this, builder, location, gradients);
}

//===----------------------------------------------------------------------===//
// Losses: targets have no gradient
//===----------------------------------------------------------------------===//

LogicalResult CrossEntropyOp::buildAdjoint(OpBuilder &builder,
                                           Location location,
                                           Gradients &gradients) {
  if (gradients.isWanted(getTargets()))
    return emitOpError("has no gradient for its targets");
  if (gradients.isWanted(getLogits()))
    gradients.add(
        builder, location, getLogits(),
        CrossEntropyBackwardOp::create(builder, location, getLogits().getType(),
                                       gradients.get(getResult()), getLogits(),
                                       getTargets(), getSmoothingAttr()));
  return success();
}

LogicalResult MseOp::buildAdjoint(OpBuilder &builder, Location location,
                                  Gradients &gradients) {
  if (gradients.isWanted(getTargets()))
    return emitOpError("has no gradient for its targets");
  if (gradients.isWanted(getInput()))
    gradients.add(builder, location, getInput(),
                  MseBackwardOp::create(builder, location, getInput().getType(),
                                        gradients.get(getResult()), getInput(),
                                        getTargets()));
  return success();
}
