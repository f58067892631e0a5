//===- KernelOps.cpp - The ops of the kernel dialect ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values are logical: a relayout changes nothing here, and a derived parameter
// is its sources one above the other.
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "Ops.h"
#include "ScalarCode.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

/// Evaluates the region for each element and its extras; an extra repeats along
/// leading dimensions that it lacks.
FailureOr<Tensor> Evaluator::applyEpilogue(Region &region, Tensor input,
                                           ValueRange extras) {
  FailureOr<ScalarCode> code = ScalarCode::compile(region.front(), error);
  if (failed(code))
    return failure();
  SmallVector<const Tensor *> others = getAll(extras);
  for (int64_t i = 0; i < input.size(); ++i) {
    double *arguments = code->arguments();
    *arguments++ = input.data[i];
    for (const Tensor *other : others) {
      bool isRow = other->rank() > 1 && other->width() == 1 &&
                   other->size() == input.rows();
      *arguments++ = other->data[isRow ? i / input.width() : i % other->size()];
    }
    input.data[i] = code->run().front();
  }
  return input;
}

/// Rounds the elements of `tensor` to the element type of `value`.
static Tensor roundToTypeOf(Value value, Tensor tensor) {
  if (!tensorOf(value).getElementType().isInteger(8))
    return roundTo(std::move(tensor), precisionOf(value));
  for (double &x : tensor.data)
    x = toInt8(x);
  return tensor;
}

static Tensor derive(ArrayRef<const Tensor *> sources,
                     ArrayRef<int64_t> shape) {
  Tensor result(shape.vec());
  if (sources.size() == 1 && sources[0]->size() == 1) {
    std::fill(result.data.begin(), result.data.end(), sources[0]->data[0]);
    return result;
  }
  auto out = result.data.begin();
  for (const Tensor *source : sources)
    out = std::copy(source->data.begin(), source->data.end(), out);
  return result;
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return tensorOf(value).getShape();
}

/// `shape`: the shape of the result, static but for the batch.
static Tensor sum(kernel::SumKind kind, const Tensor &input,
                  ArrayRef<int64_t> shape) {
  if (kind == kernel::SumKind::tokens) {
    Tensor total = meanTokens(input, /*start=*/0);
    for (double &x : total.data)
      x *= static_cast<double>(input.shape[1]);
    return total;
  }
  // The result repeats along the dimensions that are summed over.
  Tensor total(shape.vec());
  for (int64_t i = 0; i < input.size(); ++i)
    total.data[i % total.size()] += input.data[i];
  return total;
}

/// Kernels that rearrange pictures and tokens.
std::optional<Tensor> Evaluator::evaluateTokenKernel(Operation *op) {
  using Result = std::optional<Tensor>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](kernel::PatchifyOp op) -> Result {
        return patchify(get(op.getInput()), op.getPatch()[0], op.getPatch()[1],
                        op.getOrder());
      })
      .Case([&](kernel::TakeOp op) -> Result {
        const Tensor &input = get(op.getInput());
        RankedTensorType type = tensorOf(op.getResult());
        bool one = type.getRank() == 2;
        Tensor taken =
            takeTokens(input, op.getStart(), one ? 1 : type.getDimSize(1));
        if (one)
          taken.shape = {input.shape[0], input.shape[2]};
        return taken;
      })
      .Case([&](kernel::RepeatOp op) -> Result {
        return repeatTokens(get(op.getTokens()), get(op.getLike()).shape[0]);
      })
      .Case([&](kernel::ConcatChannelsOp op) -> Result {
        return concatChannels(getAll(op.getInputs()));
      })
      .Case([&](kernel::TakeChannelsOp op) -> Result {
        return takeChannels(get(op.getInput()), op.getStart(),
                            shapeOf(op.getResult()).back());
      })
      .Case([&](kernel::MeanOp op) -> Result {
        return meanTokens(get(op.getInput()), op.getStart());
      })
      .Case([&](kernel::RotateOp op) -> Result {
        return rotateByTables(get(op.getInput()), op.getOffset(),
                              get(op.getCosine()), get(op.getSine()),
                              op.getHeads(), op.getHeadDim(), op.getPairs());
      })
      .Case([&](kernel::GridProductOp op) -> Result {
        return gridProduct(get(op.getSource()), get(op.getRows()),
                           get(op.getColumns()), op.getPrefix());
      })
      .Case<kernel::RelativePositionsOp, kernel::PackRelativePositionsOp>(
          [&](auto op) -> Result {
            return relativePositions({&get(op.getSource())}, op.getGrid(),
                                     op.getPrefix());
          })
      .Case([&](kernel::RelativePositionsBackwardOp op) -> Result {
        return relativePositionsBackward(get(op.getGradient()), op.getGrid(),
                                         op.getPrefix());
      })
      .Case([&](kernel::PlaceOp op) -> Result {
        return placeTokens(get(op.getInput()), op.getStart(),
                           shapeOf(op.getResult())[1]);
      })
      .Case([&](kernel::SpreadOp op) -> Result {
        return spreadTokens(get(op.getInput()), op.getStart(),
                            shapeOf(op.getResult())[1]);
      })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

FailureOr<std::optional<Tensor>> Evaluator::evaluateKernelOp(Operation *op) {
  using Result = FailureOr<std::optional<Tensor>>;
  if (std::optional<Tensor> result = evaluateTokenKernel(op))
    return result;
  auto epilogue = [&](auto op, Tensor input) -> Result {
    FailureOr<Tensor> result =
        applyEpilogue(op.getEpilogue(), std::move(input), op.getExtras());
    if (failed(result))
      return failure();
    return std::optional<Tensor>(
        roundToTypeOf(op.getResult(), std::move(*result)));
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](kernel::GemmOp op) {
        // Operands of other types hold rounded values.
        Precision precision = op.getTf32() ? Precision::tf32 : Precision::f32;
        Tensor input = roundTo(get(op.getInput()), precision),
               weight = roundTo(get(op.getWeight()), precision);
        return epilogue(op, op.getTransposed()
                                ? linearInputGradient(input, weight)
                                : linear(input, weight, nullptr));
      })
      .Case([&](kernel::RowsOp op) {
        const Tensor &input = get(op.getInput());
        int64_t groups = op.getGroups();
        std::optional<NormKind> norm = kernel::getNormKind(op.getKind());
        return epilogue(op, norm ? normalize(input, *norm,
                                             op.getEpsilon().convertToDouble(),
                                             groups)
                                 : softmax(input, groups));
      })
      .Case([&](kernel::MapOp op) { return epilogue(op, get(op.getInput())); })
      .Case([&](kernel::PrependOp op) {
        return epilogue(op,
                        prependTokens(get(op.getInput()), get(op.getTokens())));
      })
      .Case([&](kernel::SoftmaxBackwardOp op) -> Result {
        return std::optional(
            softmaxBackward(get(op.getGradient()), get(op.getOutput())));
      })
      .Case([&](kernel::DropoutOp op) -> Result {
        return std::optional(
            drop(get(op.getInput()), op.getProbability().convertToDouble(),
                 op.getStream(), get(op.getSeed()), get(op.getStep()).data[0],
                 op.getUnit() == kernel::RandomUnit::image));
      })
      .Case([&](kernel::SumOp op) -> Result {
        return std::optional(
            sum(op.getKind(), get(op.getInput()), shapeOf(op.getResult())));
      })
      .Case([&](kernel::RelayoutOp op) -> Result {
        return std::optional(get(op.getInput()));
      })
      .Case([&](kernel::DeriveOp op) -> Result {
        Tensor values =
            derive(getAll(op.getSources()), shapeOf(op.getResult()));
        Tensor scales;
        if (tensorOf(op.getResult()).getElementType().isInteger(8))
          return std::optional(quantizeRows(
              migrateWeight(std::move(values), op.getMigrationAttr()), scales));
        return std::optional(
            roundTo(std::move(values), precisionOf(op.getResult())));
      })
      .Case([&](kernel::PackOp op) -> Result {
        return std::optional(
            roundTo(derive(getAll(op.getSources()), shapeOf(op.getResult())),
                    precisionOf(op.getResult())));
      })
      .Case([&](kernel::RowScalesOp op) -> Result {
        int64_t width = shapeOf(op.getSources().front()).back();
        Tensor scales = rowScales(migrateWeight(
            derive(getAll(op.getSources()),
                   {tensorOf(op.getResult()).getDimSize(0), width}),
            op.getMigrationAttr()));
        scales.shape = {scales.size()};
        return std::optional(std::move(scales));
      })
      .Case([&](kernel::ResampleOp op) -> Result {
        return std::optional(
            resamplePositions(get(op.getSource()), Resampling::of(op)));
      })
      .Default([](Operation *) -> Result { return std::optional<Tensor>(); });
}

LogicalResult Evaluator::evaluateQuantize(kernel::QuantizeOp op) {
  Tensor scales;
  set(op.getResult(), quantizeRows(get(op.getInput()), scales));
  set(op.getScales(), std::move(scales));
  return success();
}

LogicalResult Evaluator::evaluateKernelAttention(kernel::AttentionOp op) {
  ArrayRef<int64_t> offsets = op.getOffsets();
  int64_t size = op.getHeadDim();
  Value wanted = op.getProbabilities();
  Tensor probabilities;
  bool needed = wanted && isNeeded(wanted);
  Precision precision = precisionOf(op.getTf32(), op.getQuery());
  Tensor query = roundTo(get(op.getQuery()), precision),
         key = roundTo(get(op.getKey()), precision),
         value = roundTo(get(op.getValue()), precision);
  set(op.getResult(),
      attention({&query, offsets[0], size}, {&key, offsets[1], size},
                {&value, offsets[2], size}, getOptional(op.getBias()),
                op.getHeads(), op.getScale().convertToDouble(),
                needed ? &probabilities : nullptr, precision));
  set(op.getResult(),
      roundTo(get(op.getResult()), precisionOf(op.getResult())));
  if (needed)
    set(wanted, std::move(probabilities));
  return success();
}
