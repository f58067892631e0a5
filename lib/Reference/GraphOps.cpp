//===- GraphOps.cpp - The ops of the vit dialect --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "Ops.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

static double number(const APFloat &value) { return value.convertToDouble(); }

/// The rows of `input` as multiples of their scales, which go to `scales`.
static Tensor quantizeInput(Tensor input, LinearOp op, Tensor &scales) {
  if (DenseElementsAttr migration = op.getMigrationAttr())
    for (auto [column, factor] : llvm::enumerate(migration.getValues<float>()))
      for (int64_t r = 0; r < input.rows(); ++r)
        input.row(r)[column] /= factor;
  if (!op.getInputScaleAttr())
    return quantizeRows(input, scales);
  double scale = number(op.getInputScaleAttr().getValue());
  scales = Tensor(std::vector<int64_t>{input.rows()});
  std::fill(scales.data.begin(), scales.data.end(), scale);
  for (double &x : input.data)
    x = toInt8(x / scale);
  return input;
}

/// The product of quantized rows, times both scales.
static Tensor linearInt8(LinearOp op, const Tensor &input, const Tensor &weight,
                         const Tensor *bias) {
  Tensor rowScales, scales;
  Tensor multiples = quantizeInput(input, op, rowScales);
  Tensor result =
      linear(multiples,
             quantizeRows(migrateWeight(weight, op.getMigrationAttr()), scales),
             /*bias=*/nullptr);
  for (int64_t r = 0; r < result.rows(); ++r)
    for (int64_t o = 0; o < result.width(); ++o)
      result.row(r)[o] = result.row(r)[o] * rowScales.data[r] * scales.data[o] +
                         (bias ? bias->data[o] : 0.0);
  return result;
}

/// Ops that rearrange pictures and tokens or create positions.
std::optional<Tensor> Evaluator::evaluateTokenOp(Operation *op) {
  using Result = std::optional<Tensor>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](PatchifyOp op) -> Result {
        return patchify(get(op.getInput()), op.getPatch()[0], op.getPatch()[1],
                        op.getOrder());
      })
      .Case([&](PrependTokensOp op) -> Result {
        return prependTokens(get(op.getInput()), get(op.getTokens()));
      })
      .Case([&](RepeatTokensOp op) -> Result {
        return repeatTokens(get(op.getTokens()), get(op.getLike()).shape[0]);
      })
      .Case([&](ConcatChannelsOp op) -> Result {
        return concatChannels(getAll(op.getInputs()));
      })
      .Case([&](TakeTokensOp op) -> Result {
        const Tensor &input = get(op.getInput());
        Tensor taken =
            takeTokens(input, op.getStart(), op.getCount().value_or(1));
        if (!op.getCount())
          taken.shape = {input.shape[0], input.shape[2]};
        return taken;
      })
      .Case([&](MeanTokensOp op) -> Result {
        return meanTokens(get(op.getInput()), op.getStart());
      })
      .Case([&](SincosPositionsOp op) -> Result {
        return sincosPositions(op.getGrid()[0], op.getGrid()[1], op.getWidth(),
                               number(op.getTemperature()), op.getExclusive());
      })
      .Case([&](ResamplePositionsOp op) -> Result {
        return resamplePositions(get(op.getInput()), Resampling::of(op));
      })
      .Case([&](RelativePositionsOp op) -> Result {
        SmallVector<const Tensor *> tables;
        for (Value table : op.getTables())
          tables.push_back(&get(table));
        return relativePositions(tables, op.getGrid(), op.getPrefix());
      })
      .Case([&](RotaryPositionsOp op) -> Result {
        std::optional<double> extent;
        if (op.getExtent())
          extent = number(*op.getExtent());
        return rotaryPositions(
            {op.getGrid()[0], op.getGrid()[1],
             static_cast<int64_t>(op.getWidth()), number(op.getTemperature()),
             op.getOrigin() ? number(*op.getOrigin()) : 0.0, extent,
             op.getCentered(), op.getOrder() == AxisOrder::xy});
      })
      .Case([&](RotateOp op) -> Result {
        return rotate(get(op.getInput()), get(op.getAngles()), op.getHeads(),
                      op.getPrefix(), op.getPairs(), op.getInverse());
      })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

/// Ops that occur only in a backward pass.
std::optional<Tensor> Evaluator::evaluateGradientOp(Operation *op) {
  using Result = std::optional<Tensor>;
  // A result has the batch of its input.
  auto shapeOf = [&](Value result, Value input) {
    RankedTensorType type = tensorOf(result);
    std::vector<int64_t> shape = type.getShape().vec();
    if (!shape.empty() && type.isDynamicDim(0))
      shape[0] = get(input).shape[0];
    return shape;
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](LinearInputGradientOp op) -> Result {
        Precision precision = precisionOf(op.getPrecision());
        return linearInputGradient(roundTo(get(op.getGradient()), precision),
                                   roundTo(get(op.getWeight()), precision));
      })
      .Case([&](LinearWeightGradientOp op) -> Result {
        Precision precision = precisionOf(op.getPrecision());
        return linearWeightGradient(roundTo(get(op.getGradient()), precision),
                                    roundTo(get(op.getInput()), precision));
      })
      .Case([&](SumToOp op) -> Result {
        return sumTo(
            roundTo(get(op.getInput()), precisionOf(op.getPrecision())),
            shapeOf(op.getResult(), op.getInput()));
      })
      .Case([&](SoftmaxBackwardOp op) -> Result {
        return softmaxBackward(get(op.getGradient()), get(op.getOutput()));
      })
      .Case([&](DerivativeOp op) -> Result {
        return map(get(op.getInput()),
                   [of = op.getOf()](double x) { return derivative(x, of); });
      })
      .Case([&](PlaceTokensOp op) -> Result {
        return placeTokens(get(op.getInput()), op.getStart(),
                           op.getType().getDimSize(1));
      })
      .Case([&](TakeChannelsOp op) -> Result {
        return takeChannels(get(op.getInput()), op.getStart(), op.getCount());
      })
      .Case([&](SpreadTokensOp op) -> Result {
        return spreadTokens(get(op.getInput()), op.getStart(),
                            op.getType().getDimSize(1));
      })
      .Case([&](UnpatchifyOp op) -> Result {
        return unpatchify(get(op.getInput()),
                          shapeOf(op.getResult(), op.getInput()),
                          op.getPatch()[0], op.getPatch()[1], op.getOrder());
      })
      .Case([&](ResamplePositionsBackwardOp op) -> Result {
        return resamplePositionsBackward(get(op.getGradient()),
                                         Resampling::of(op));
      })
      .Case([&](RelativePositionsBackwardOp op) -> Result {
        return relativePositionsBackward(get(op.getGradient()), op.getGrid(),
                                         op.getPrefix());
      })
      .Case([&](MseOp op) -> Result {
        return mse(get(op.getInput()), get(op.getTargets()));
      })
      .Case([&](MseBackwardOp op) -> Result {
        return mseBackward(get(op.getGradient()).data[0], get(op.getInput()),
                           get(op.getTargets()));
      })
      .Case([&](ClipByGlobalNormOp op) -> Result {
        SmallVector<const Tensor *> gradients = getAll(op.getGradients());
        Tensor factor(std::vector<int64_t>{});
        factor.data[0] = clipFactor(gradients, number(op.getMaxNorm()));
        return factor;
      })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

std::optional<Tensor> Evaluator::evaluateGraphOp(Operation *op) {
  using Result = std::optional<Tensor>;
  if (Result result = evaluateTokenOp(op))
    return result;
  if (Result result = evaluateGradientOp(op))
    return result;
  auto product = [](double a, double b) { return a * b; };
  auto sum = [](double a, double b) { return a + b; };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](LinearOp op) -> Result {
        const Tensor &input = get(op.getInput()), &weight = get(op.getWeight());
        Precision precision = precisionOf(op.getPrecision());
        if (precision == Precision::f32)
          return linear(input, weight, getOptional(op.getBias()));
        if (precision == Precision::int8)
          return linearInt8(op, input, weight, getOptional(op.getBias()));
        return linear(roundTo(input, precision), roundTo(weight, precision),
                      getOptional(op.getBias()));
      })
      .Case([&](LayerNormOp op) -> Result {
        return norm(get(op.getInput()), NormKind::layer,
                    getOptional(op.getScale()), getOptional(op.getBias()),
                    number(op.getEpsilon()), op.getGroups());
      })
      .Case([&](RmsNormOp op) -> Result {
        return norm(get(op.getInput()), NormKind::rms,
                    getOptional(op.getScale()), /*bias=*/nullptr,
                    number(op.getEpsilon()), op.getGroups());
      })
      .Case([&](L2NormalizeOp op) -> Result {
        return normalize(get(op.getInput()), NormKind::l2,
                         number(op.getEpsilon()), /*groups=*/1);
      })
      .Case([&](SoftmaxOp op) -> Result {
        return softmax(get(op.getInput()), /*groups=*/1);
      })
      .Case([&](GeluOp op) -> Result {
        return map(get(op.getInput()),
                   [kind = op.getKind()](double x) { return gelu(x, kind); });
      })
      .Case([&](ReluOp op) -> Result {
        // Not std::max: a NaN must not become 0.
        return map(get(op.getInput()),
                   [](double x) { return x < 0.0 ? 0.0 : x; });
      })
      .Case([&](SiluOp op) -> Result { return map(get(op.getInput()), silu); })
      .Case([&](TanhOp op) -> Result {
        return map(get(op.getInput()), [](double x) { return std::tanh(x); });
      })
      .Case([&](AddOp op) -> Result {
        return broadcast(get(op.getLhs()), get(op.getRhs()), sum);
      })
      .Case([&](MulOp op) -> Result {
        return broadcast(get(op.getLhs()), get(op.getRhs()), product);
      })
      .Case([&](ScaleOp op) -> Result {
        return map(get(op.getInput()), [factor = number(op.getFactor())](
                                           double x) { return x * factor; });
      })
      .Case([&](LayerScaleOp op) -> Result {
        return broadcast(get(op.getInput()), get(op.getGamma()), product);
      })
      .Case<DropoutOp, DropPathOp>([&](auto op) -> Result {
        if (!op.getRandom())
          return get(op.getInput()); // Inference drops nothing.
        return drop(get(op.getInput()), number(op.getProbability()),
                    *op.getRandom(), get(op.getSeed()),
                    get(op.getStep()).data[0], isa<DropPathOp>(op));
      })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

LogicalResult Evaluator::evaluateAttention(AttentionOp op) {
  int64_t heads = op.getHeads();
  Precision precision = precisionOf(op.getPrecision());
  SmallVector<Tensor> rounded;
  rounded.reserve(3);
  auto split = [&](Value value) {
    const Tensor *tensor = &get(value);
    if (precision != Precision::f32) {
      rounded.push_back(roundTo(*tensor, precision));
      tensor = &rounded.back();
    }
    return Heads{tensor, 0, tensor->width() / heads};
  };
  Value wanted = op.getProbabilities();
  Tensor probabilities;
  bool needed = wanted && isNeeded(wanted);
  set(op.getResult(),
      attention(split(op.getQuery()), split(op.getKey()), split(op.getValue()),
                getOptional(op.getBias()), heads, number(op.getScale()),
                needed ? &probabilities : nullptr, precision));
  if (needed)
    set(wanted, std::move(probabilities));
  return success();
}
