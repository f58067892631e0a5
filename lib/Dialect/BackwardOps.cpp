//===- BackwardOps.cpp - Types and verifiers of the backward ops ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checks.h"

#include "format/Level.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::vit;

using Types = SmallVectorImpl<Type>;
using Where = std::optional<Location>;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Not every precision is one for training.
static LogicalResult verifyPrecision(Operation *op, PrecisionAttr precision,
                                     StringRef constraint) {
  if (precision && !isForTraining(precision.getValue()))
    return op->emitOpError(constraint)
           << ": the precision must be one of "
           << ::vit::format::trainingPrecisionNames().text << ", not "
           << stringifyPrecision(precision.getValue());
  return success();
}

static bool isRows(RankedTensorType type) {
  return type.getRank() == 2 || type.getRank() == 3;
}

LogicalResult LinearInputGradientOp::inferReturnTypes(MLIRContext *,
                                                      Where where,
                                                      Adaptor adaptor,
                                                      Types &results) {
  RankedTensorType gradient = tensorOf(adaptor.getGradient()),
                   weight = tensorOf(adaptor.getWeight());
  StringRef op = getOperationName();
  if (!isRows(gradient))
    return reject(where, op,
                  "C2: the gradient must be [batch, out] or "
                  "[batch, tokens, out], not ",
                  gradient);
  if (weight.getRank() != 2 ||
      !agree(weight.getDimSize(0), gradient.getShape().back()))
    return reject(where, op, "C1: the weight must be [",
                  gradient.getShape().back(), ", in], not ", weight);
  SmallVector<int64_t> shape(gradient.getShape());
  shape.back() = weight.getDimSize(1);
  results.push_back(RankedTensorType::get(shape, gradient.getElementType()));
  return success();
}

LogicalResult LinearWeightGradientOp::inferReturnTypes(MLIRContext *,
                                                       Where where,
                                                       Adaptor adaptor,
                                                       Types &results) {
  RankedTensorType gradient = tensorOf(adaptor.getGradient()),
                   input = tensorOf(adaptor.getInput());
  bool fits = isRows(gradient) && isRows(input) &&
              gradient.getShape().drop_back() == input.getShape().drop_back() &&
              !ShapedType::isDynamic(gradient.getShape().back()) &&
              !ShapedType::isDynamic(input.getShape().back());
  if (!fits)
    return reject(where, getOperationName(),
                  "C1: gradient and input must have the same "
                  "rows and known widths, not ",
                  gradient, " and ", input);
  results.push_back(RankedTensorType::get(
      {gradient.getShape().back(), input.getShape().back()},
      gradient.getElementType()));
  return success();
}

LogicalResult SumToOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  bool fits = input.getElementType() == result.getElementType() &&
              result.getRank() <= input.getRank();
  if (fits)
    for (auto [from, to] : llvm::zip(
             input.getShape().take_back(result.getRank()), result.getShape()))
      fits &= to == 1 || to == from;
  if (!fits)
    return emitOpError("C1: ")
           << input << " cannot be summed to " << result
           << ": from the last dimension on, sizes must be equal, or 1, or "
              "missing";
  return verifyPrecision(*this, getPrecision(), "C2");
}

OpFoldResult SumToOp::fold(FoldAdaptor) {
  bool rounds = getPrecision() && getPrecision().getValue() != Precision::f32;
  if (getInput().getType() == getType() && !rounds)
    return getInput();
  return {};
}

//===----------------------------------------------------------------------===//
// Rows and attention
//===----------------------------------------------------------------------===//

LogicalResult LayerNormBackwardOp::verify() {
  RankedTensorType type = tensorOf(getInput());
  if (tensorOf(getGradient()) != type || tensorOf(getInputGradient()) != type)
    return emitOpError("C1: gradient, input and the input's gradient must have "
                       "one type, not ")
           << tensorOf(getGradient()) << ", " << type << " and "
           << tensorOf(getInputGradient());
  int64_t groups = getGroups();
  if (type.getRank() == 0 || ShapedType::isDynamic(type.getShape().back()) ||
      groups < 1 || type.getShape().back() % groups != 0)
    return emitOpError("C1: ")
           << groups << " groups do not divide the width of " << type;
  auto vector = RankedTensorType::get({type.getShape().back() / groups},
                                      type.getElementType());
  for (auto [what, value] : {std::pair<StringRef, Value>{"scale", getScale()},
                             {"scale's gradient", getScaleGradient()},
                             {"bias' gradient", getBiasGradient()}})
    if (value && value.getType() != vector)
      return emitOpError("C2: the ")
             << what << " must be " << vector << ", not " << value.getType();
  if (!(getEpsilon().convertToDouble() > 0.0))
    return emitOpError("C3: epsilon must be positive, such as 1.0e-06");
  return success();
}

LogicalResult AttentionBackwardOp::verify() {
  RankedTensorType q = tensorOf(getQuery()), k = tensorOf(getKey()),
                   v = tensorOf(getValue());
  int64_t heads = getHeads();
  bool fits = llvm::all_of(ArrayRef{q, k, v}, [&](RankedTensorType type) {
    return type.getRank() == 3 && !type.isDynamicDim(2) && heads >= 1 &&
           type.getDimSize(2) % heads == 0;
  });
  if (!fits || q.getDimSize(2) != k.getDimSize(2) ||
      k.getDimSize(1) != v.getDimSize(1))
    return emitOpError("C1: query, key and value must be [batch, tokens, "
                       "width] with widths that ")
           << heads << " heads divide, not " << q << ", " << k << " and " << v;
  RankedTensorType wanted = RankedTensorType::get(
      {q.getDimSize(0), q.getDimSize(1), v.getDimSize(2)}, q.getElementType());
  if (tensorOf(getGradient()) != wanted)
    return emitOpError("C2: the gradient must be ")
           << wanted << ", not " << tensorOf(getGradient());
  if (getBias() &&
      tensorOf(getBias()).getShape() !=
          ArrayRef<int64_t>({heads, q.getDimSize(1), k.getDimSize(1)}))
    return emitOpError("C4: the bias must be [")
           << heads << " heads, " << q.getDimSize(1) << ", " << k.getDimSize(1)
           << " tokens], not " << getBias().getType();
  if (getBiasGradient() && !getBias())
    return emitOpError("C4: there is no bias, so it has no gradient");
  if (getResultTypes() !=
      TypeRange(getOperands().drop_front()).take_front(getNumResults()))
    return emitOpError("C3: the results must have the types of query, key, "
                       "value and bias");
  if (getBiasGradient() && getPrecision() &&
      getPrecision().getValue() != Precision::f32)
    return emitOpError("C5: the gradient of a bias is computed in f32");
  return verifyPrecision(*this, getPrecision(), "C5");
}

//===----------------------------------------------------------------------===//
// Tokens, patches, positions
//===----------------------------------------------------------------------===//

LogicalResult PlaceTokensOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  bool fits = (input.getRank() == 2 || input.getRank() == 3) &&
              result.getRank() == 3 && !result.isDynamicDim(1) &&
              input.getDimSize(0) == result.getDimSize(0) &&
              input.getShape().back() == result.getDimSize(2) &&
              (input.getRank() == 2 || !input.isDynamicDim(1));
  if (!fits)
    return emitOpError("C1: [batch, count, width] or [batch, width] becomes "
                       "[batch, tokens, width], not ")
           << input << " " << result;
  int64_t start = getStart(), tokens = result.getDimSize(1);
  int64_t count = input.getRank() == 2 ? 1 : input.getDimSize(1);
  if (start < 0 || start > tokens || count > tokens - start)
    return emitOpError("C2: ")
           << count << " tokens at " << start << " do not fit into " << tokens;
  return success();
}

LogicalResult SpreadTokensOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  if (input.getRank() != 2 || result.getRank() != 3 || result.isDynamicDim(1) ||
      input.getDimSize(0) != result.getDimSize(0) ||
      input.getDimSize(1) != result.getDimSize(2))
    return emitOpError(
               "C1: [batch, width] becomes [batch, tokens, width], not ")
           << input << " " << result;
  int64_t start = getStart(), tokens = result.getDimSize(1);
  if (start < 0 || start >= tokens)
    return emitOpError("C2: there is no token from ")
           << start << " on among " << tokens;
  return success();
}

LogicalResult TakeChannelsOp::inferReturnTypes(MLIRContext *, Where where,
                                               Adaptor adaptor,
                                               Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  StringRef op = getOperationName();
  if (!isRows(input) || ShapedType::isDynamic(input.getShape().back()))
    return reject(where, op,
                  "C1: the input must be [batch, width] or "
                  "[batch, tokens, width] with a known width, not ",
                  input);
  SmallVector<int64_t> shape(input.getShape());
  int64_t start = adaptor.getStart(), count = adaptor.getCount();
  if (start < 0 || count < 1 || count > shape.back() - start)
    return reject(where, op, "C2: there are no ", count, " channels from ",
                  start, " on in a width of ", shape.back());
  shape.back() = count;
  results.push_back(RankedTensorType::get(shape, input.getElementType()));
  return success();
}

LogicalResult UnpatchifyOp::verify() {
  // The result of patchify of the result. Its verifier is not used, since its
  // messages would mention patchify.
  Builder builder(getContext());
  SmallVector<Type, 1> inferred;
  PatchifyOp::Properties properties;
  properties.setPatch(getPatchAttr());
  properties.setOrder(getOrderAttr());
  LogicalResult good = PatchifyOp::inferReturnTypes(
      getContext(), std::nullopt,
      PatchifyOp::Adaptor(ValueRange(getResult()), DictionaryAttr(),
                          properties),
      inferred);
  if (failed(good) || inferred.front() != getInput().getType())
    return emitOpError("C1: patches of [")
           << getPatch() << "] of " << getResult().getType() << " are not "
           << getInput().getType();
  return success();
}

LogicalResult ResamplePositionsBackwardOp::inferReturnTypes(MLIRContext *,
                                                            Where where,
                                                            Adaptor adaptor,
                                                            Types &results) {
  RankedTensorType gradient = tensorOf(adaptor.getGradient());
  StringRef op = getOperationName();
  ArrayRef<int64_t> from = adaptor.getFrom(), to = adaptor.getTo();
  int64_t prefix = adaptor.getPrefix(), suffix = adaptor.getSuffix();
  if (failed(checkResampling(where, op, adaptor)))
    return failure();
  if (gradient.getRank() != 2 ||
      !agree(gradient.getDimSize(0), prefix + to[0] * to[1] + suffix))
    return reject(where, op, "C1: the gradient must be [",
                  describeTableRows(prefix, to, suffix), ", width], not ",
                  gradient);
  results.push_back(RankedTensorType::get(
      {prefix + from[0] * from[1] + suffix, gradient.getDimSize(1)},
      gradient.getElementType()));
  return success();
}

LogicalResult LinearInputGradientOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  return verifyPrecision(*this, getPrecision(), "C3");
}
LogicalResult LinearWeightGradientOp::verify() {
  if (failed(verifyInferred(*this)))
    return failure();
  return verifyPrecision(*this, getPrecision(), "C2");
}
LogicalResult TakeChannelsOp::verify() { return verifyInferred(*this); }
LogicalResult ResamplePositionsBackwardOp::verify() {
  return verifyInferred(*this);
}
