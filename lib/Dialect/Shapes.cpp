//===- Shapes.cpp - Result types of the vit ops ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Infers result types from operands. The constraints (C1, C2, ...) are numbered
// as in VitOps.td. Messages state the sizes and what to change.
//
//===----------------------------------------------------------------------===//

#include "Checks.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace mlir::vit;

using Types = SmallVectorImpl<Type>;
using Where = std::optional<Location>;

static std::string text(Type type) {
  std::string result;
  llvm::raw_string_ostream stream(result);
  stream << type;
  return result;
}

/// Returns a tensor type with the element type of the input.
static Type like(RankedTensorType input, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, input.getElementType());
}

static LogicalResult expectRank(Where where, StringRef op,
                                RankedTensorType type, int64_t rank,
                                StringRef what) {
  if (type.getRank() == rank)
    return success();
  return reject(where, op, "C1: the input must be ", what, ", not ", type);
}

LogicalResult PatchifyOp::inferReturnTypes(MLIRContext *, Where where,
                                           Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  StringRef op = getOperationName();
  if (failed(
          expectRank(where, op, input, 4, "[batch, channels, height, width]")))
    return failure();
  for (int64_t size : input.getShape().drop_front())
    if (ShapedType::isDynamic(size))
      return reject(
          where, op,
          "C1: channels, height and width must be known, only the batch "
          "may be ?, but the input is ",
          input);
  ArrayRef<int64_t> patch = adaptor.getPatch();
  if (patch.size() != 2 || patch[0] < 1 || patch[1] < 1)
    return reject(
        where, op,
        "C2: the patch must be two positive numbers, [height, width]");
  int64_t channels = input.getDimSize(1), height = input.getDimSize(2),
          width = input.getDimSize(3);
  std::optional<int64_t> pixels = llvm::checkedMul(height, width);
  if (!pixels || !llvm::checkedMul(*pixels, channels))
    return reject(where, op, "C1: a picture of ", height, "x", width,
                  " is too large");
  if (height < patch[0] || width < patch[1])
    return reject(where, op, "C2: a picture of ", height, "x", width,
                  " has no patch of ", patch[0], "x", patch[1],
                  "; resize it to ", std::max(height, patch[0]), "x",
                  std::max(width, patch[1]), " or choose a smaller patch");
  results.push_back(like(input, {input.getDimSize(0),
                                 (height / patch[0]) * (width / patch[1]),
                                 channels * patch[0] * patch[1]}));
  return success();
}

LogicalResult PrependTokensOp::inferReturnTypes(MLIRContext *, Where where,
                                                Adaptor adaptor,
                                                Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput()),
                   tokens = tensorOf(adaptor.getTokens());
  if (failed(expectRank(where, getOperationName(), input, 3,
                        "[batch, tokens, width]")))
    return failure();
  if (tokens.getRank() != 2 || tokens.getDimSize(1) != input.getDimSize(2))
    return reject(where, getOperationName(),
                  "C1: the tokens must be [number, width ", input.getDimSize(2),
                  "], not ", tokens);
  int64_t count = ShapedType::kDynamic;
  if (!input.isDynamicDim(1) && !tokens.isDynamicDim(0))
    count = input.getDimSize(1) + tokens.getDimSize(0);
  results.push_back(
      like(input, {input.getDimSize(0), count, input.getDimSize(2)}));
  return success();
}

LogicalResult RepeatTokensOp::inferReturnTypes(MLIRContext *, Where where,
                                               Adaptor adaptor,
                                               Types &results) {
  RankedTensorType tokens = tensorOf(adaptor.getTokens()),
                   like = tensorOf(adaptor.getLike());
  if (tokens.getRank() != 2)
    return reject(where, getOperationName(),
                  "C1: the tokens must be [number, width], not ", tokens);
  if (like.getRank() == 0)
    return reject(where, getOperationName(),
                  "C2: the batch must be that of a value whose first dimension "
                  "it is, but ",
                  like, " has none");
  results.push_back(RankedTensorType::get(
      {like.getDimSize(0), tokens.getDimSize(0), tokens.getDimSize(1)},
      tokens.getElementType()));
  return success();
}

LogicalResult ConcatChannelsOp::inferReturnTypes(MLIRContext *, Where where,
                                                 Adaptor adaptor,
                                                 Types &results) {
  StringRef op = getOperationName();
  ValueRange inputs = adaptor.getInputs();
  if (inputs.size() < 2)
    return reject(where, op, "C1: there must be two inputs or more, not ",
                  inputs.size());
  RankedTensorType first = tensorOf(inputs.front());
  SmallVector<int64_t> shape(first.getShape());
  std::optional<int64_t> width = 0;
  for (Value input : inputs) {
    RankedTensorType type = tensorOf(input);
    if ((type.getRank() != 2 && type.getRank() != 3) ||
        ShapedType::isDynamic(type.getShape().back()))
      return reject(where, op,
                    "C1: the inputs must be [batch, width] or "
                    "[batch, tokens, width] with known widths, but there is ",
                    type);
    if (type.getShape().drop_back() != first.getShape().drop_back() ||
        type.getElementType() != first.getElementType())
      return reject(where, op, "C2: ", text(first), " and ", text(type),
                    " must be alike except for the width");
    width = llvm::checkedAdd(*width, type.getShape().back());
    if (!width)
      return reject(where, op, "C1: the inputs are too wide");
  }
  shape.back() = *width;
  results.push_back(like(first, shape));
  return success();
}

LogicalResult TakeTokensOp::inferReturnTypes(MLIRContext *, Where where,
                                             Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  StringRef op = getOperationName();
  if (failed(expectRank(where, op, input, 3, "[batch, tokens, width]")))
    return failure();
  int64_t start = adaptor.getStart(), count = adaptor.getCount().value_or(1);
  if (start < 0 || count < 1)
    return reject(
        where, op, "C2: ", count, " tokens from ", start,
        " cannot be taken; start at 0 or later and take at least one");
  if (!input.isDynamicDim(1) && count > input.getDimSize(1) - start)
    return reject(where, op, "C2: ", count, " tokens from ", start,
                  " are beyond the input's ", input.getDimSize(1), " tokens");
  if (adaptor.getCount())
    results.push_back(
        like(input, {input.getDimSize(0), count, input.getDimSize(2)}));
  else
    results.push_back(like(input, {input.getDimSize(0), input.getDimSize(2)}));
  return success();
}

LogicalResult MeanTokensOp::inferReturnTypes(MLIRContext *, Where where,
                                             Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  if (failed(expectRank(where, getOperationName(), input, 3,
                        "[batch, tokens, width]")))
    return failure();
  int64_t start = adaptor.getStart();
  if (start < 0 || (!input.isDynamicDim(1) && start >= input.getDimSize(1)))
    return reject(where, getOperationName(), "C2: the mean from token ", start,
                  " on has no tokens; the input has ", input.getDimSize(1));
  results.push_back(like(input, {input.getDimSize(0), input.getDimSize(2)}));
  return success();
}

LogicalResult SincosPositionsOp::inferReturnTypes(MLIRContext *context,
                                                  Where where, Adaptor adaptor,
                                                  Types &results) {
  ArrayRef<int64_t> grid = adaptor.getGrid();
  int64_t width = adaptor.getWidth();
  if (!isGrid(grid))
    return reject(where, getOperationName(),
                  "C1: the grid must be two positive numbers, [rows, columns]");
  if (width < 8 || width % 4 != 0)
    return reject(where, getOperationName(), "C1: width ", width,
                  " must be a multiple of 4 and at least 8; use ",
                  std::max<int64_t>(8, (width + 3) / 4 * 4));
  if (!(adaptor.getTemperature().convertToDouble() > 0.0))
    return reject(where, getOperationName(),
                  "C2: the temperature must be positive, such "
                  "as 1.0e+04");
  results.push_back(RankedTensorType::get({grid[0] * grid[1], width},
                                          Float32Type::get(context)));
  return success();
}

LogicalResult ResamplePositionsOp::inferReturnTypes(MLIRContext *, Where where,
                                                    Adaptor adaptor,
                                                    Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  StringRef op = getOperationName();
  ArrayRef<int64_t> from = adaptor.getFrom(), to = adaptor.getTo();
  int64_t prefix = adaptor.getPrefix(), suffix = adaptor.getSuffix();
  if (failed(checkResampling(where, op, adaptor)))
    return failure();
  if (input.getRank() != 2 ||
      !agree(input.getDimSize(0), prefix + from[0] * from[1] + suffix))
    return reject(where, op, "C1: the table must be [",
                  describeTableRows(prefix, from, suffix), ", width], not ",
                  input);
  results.push_back(
      like(input, {prefix + to[0] * to[1] + suffix, input.getDimSize(1)}));
  return success();
}

/// C1 of relative_positions and its adjoint.
static LogicalResult checkRelativeGrid(Where where, StringRef op,
                                       ArrayRef<int64_t> grid, int64_t prefix) {
  if (!isGrid(grid))
    return reject(where, op,
                  "C1: the grid must be two positive numbers, [rows, columns]");
  if (prefix != 0 && prefix != 1)
    return reject(where, op, "C1: the prefix ", prefix,
                  " must be 1 with a class token, or 0");
  return success();
}

LogicalResult RelativePositionsOp::inferReturnTypes(MLIRContext *, Where where,
                                                    Adaptor adaptor,
                                                    Types &results) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> grid = adaptor.getGrid();
  int64_t prefix = adaptor.getPrefix();
  if (failed(checkRelativeGrid(where, op, grid, prefix)))
    return failure();
  if (adaptor.getTables().empty())
    return reject(where, op, "C2: there must be at least one table");
  RankedTensorType first = tensorOf(adaptor.getTables().front());
  int64_t rows = getRelativeRows(grid, prefix);
  for (Value table : adaptor.getTables()) {
    RankedTensorType type = tensorOf(table);
    if (type.getRank() != 2 || type != first || !type.hasStaticShape() ||
        type.getDimSize(0) != rows)
      return reject(where, op, "C2: each table must be [", rows,
                    ", heads] for a grid of ", grid[0], "x", grid[1], ", not ",
                    type);
  }
  int64_t tokens = prefix + grid[0] * grid[1];
  results.push_back(like(first, {first.getDimSize(1), tokens, tokens}));
  return success();
}

LogicalResult RelativePositionsBackwardOp::inferReturnTypes(MLIRContext *,
                                                            Where where,
                                                            Adaptor adaptor,
                                                            Types &results) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> grid = adaptor.getGrid();
  int64_t prefix = adaptor.getPrefix();
  if (failed(checkRelativeGrid(where, op, grid, prefix)))
    return failure();
  RankedTensorType gradient = tensorOf(adaptor.getGradient());
  int64_t tokens = prefix + grid[0] * grid[1];
  if (gradient.getRank() != 3 || gradient.getDimSize(1) != tokens ||
      gradient.getDimSize(2) != tokens)
    return reject(where, op, "C2: the gradient must be [heads, ", tokens, ", ",
                  tokens, "], not ", gradient);
  results.push_back(
      like(gradient, {getRelativeRows(grid, prefix), gradient.getDimSize(0)}));
  return success();
}

LogicalResult RotaryPositionsOp::inferReturnTypes(MLIRContext *context,
                                                  Where where, Adaptor adaptor,
                                                  Types &results) {
  StringRef op = getOperationName();
  ArrayRef<int64_t> grid = adaptor.getGrid();
  int64_t width = adaptor.getWidth();
  if (!isGrid(grid))
    return reject(where, op,
                  "C1: the grid must be two positive numbers, [rows, columns]");
  if (width < 2 || width % 2 != 0)
    return reject(where, op, "C1: width ", width,
                  " must be even and at least 2: half of it is for rows, half "
                  "for columns");
  if (!(adaptor.getTemperature().convertToDouble() > 0.0))
    return reject(where, op,
                  "C2: the temperature must be positive, such as 1.0e+02");
  std::optional<APFloat> origin = adaptor.getOrigin(),
                         extent = adaptor.getExtent();
  if (origin && !origin->isFinite())
    return reject(where, op, "C2: the origin must be finite");
  if (extent && !(extent->isFinite() && extent->convertToDouble() > 0.0))
    return reject(where, op, "C2: the extent must be positive");
  if (adaptor.getCentered() && !extent)
    return reject(where, op, "C2: centered coordinates need an extent");
  results.push_back(RankedTensorType::get({grid[0] * grid[1], width},
                                          Float32Type::get(context)));
  return success();
}

LogicalResult RotateOp::inferReturnTypes(MLIRContext *, Where where,
                                         Adaptor adaptor, Types &results) {
  StringRef op = getOperationName();
  RankedTensorType input = tensorOf(adaptor.getInput()),
                   angles = tensorOf(adaptor.getAngles());
  if (failed(expectRank(where, op, input, 3, "[batch, tokens, width]")))
    return failure();
  int64_t tokens = input.getDimSize(1), width = input.getDimSize(2);
  int64_t heads = adaptor.getHeads(), prefix = adaptor.getPrefix();
  if (heads < 1 || input.isDynamicDim(2) || width % heads != 0 ||
      width / heads % 2 != 0)
    return reject(where, op, "C1: the width of ", input,
                  " must be an even number of channels for each of ", heads,
                  " heads");
  if (input.isDynamicDim(1) || prefix < 0 || prefix >= tokens)
    return reject(where, op, "C2: a prefix of ", prefix,
                  " tokens leaves none to rotate in ", input);
  int64_t pairs = width / heads / 2;
  if (angles.getRank() != 2 || angles.getDimSize(0) != tokens - prefix ||
      (angles.getDimSize(1) != pairs && angles.getDimSize(1) != heads * pairs))
    return reject(where, op, "C2: the angles must be [", tokens - prefix, ", ",
                  pairs, "], or with ", heads * pairs,
                  " columns one set for each head, not ", angles);
  results.push_back(input);
  return success();
}

LogicalResult LinearOp::inferReturnTypes(MLIRContext *, Where where,
                                         Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput()),
                   weight = tensorOf(adaptor.getWeight());
  StringRef op = getOperationName();
  if (weight.getRank() != 2)
    return reject(where, op, "C1: the weight must be [out, in], not ", weight);
  if (input.getRank() != 2 && input.getRank() != 3)
    return reject(where, op,
                  "C3: the input must be [batch, width] or "
                  "[batch, tokens, width], not ",
                  input);
  int64_t width = input.getShape().back();
  if (!agree(width, weight.getDimSize(1)))
    return reject(where, op, "C1: the input's width ", width,
                  " is not the weight's ", weight.getDimSize(1),
                  " inputs; the weight must be [out, in] = [",
                  weight.getDimSize(0), ", ", width, "]");
  if (Value bias = adaptor.getBias()) {
    RankedTensorType type = tensorOf(bias);
    if (type.getRank() != 1 || !agree(type.getDimSize(0), weight.getDimSize(0)))
      return reject(where, op, "C2: the bias must be [", weight.getDimSize(0),
                    "], one number per output, not ", type);
  }
  SmallVector<int64_t> shape(input.getShape());
  shape.back() = weight.getDimSize(0);
  results.push_back(like(input, shape));
  return success();
}

/// C1 to C3 of the norms over groups of channels; a scale or bias may be null.
static LogicalResult verifyNorm(Where where, StringRef op,
                                RankedTensorType input, int64_t groups,
                                Value scale, Value bias, double epsilon) {
  if (input.getRank() == 0 || input.isDynamicDim(input.getRank() - 1))
    return reject(where, op, "C1: the input's width must be known, but it is ",
                  input);
  int64_t width = input.getShape().back();
  if (groups < 1 || width % groups != 0)
    return reject(where, op, "C1: ", groups, " groups do not divide width ",
                  width);
  for (auto [what, value] : {std::pair<StringRef, Value>{"scale", scale},
                             std::pair<StringRef, Value>{"bias", bias}}) {
    if (!value)
      continue;
    RankedTensorType type = tensorOf(value);
    if (type.getRank() != 1 || !agree(type.getDimSize(0), width / groups))
      return reject(where, op, "C2: the ", what, " must be [", width / groups,
                    "], not ", type);
  }
  if (!(epsilon > 0.0))
    return reject(where, op, "C3: epsilon must be positive, such as 1.0e-06");
  return success();
}

LogicalResult LayerNormOp::inferReturnTypes(MLIRContext *, Where where,
                                            Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  results.push_back(input);
  return verifyNorm(where, getOperationName(), input, adaptor.getGroups(),
                    adaptor.getScale(), adaptor.getBias(),
                    adaptor.getEpsilon().convertToDouble());
}

LogicalResult RmsNormOp::inferReturnTypes(MLIRContext *, Where where,
                                          Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  results.push_back(input);
  return verifyNorm(where, getOperationName(), input, adaptor.getGroups(),
                    adaptor.getScale(), /*bias=*/Value(),
                    adaptor.getEpsilon().convertToDouble());
}

LogicalResult L2NormalizeOp::inferReturnTypes(MLIRContext *, Where where,
                                              Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput());
  if (input.getRank() == 0 || input.isDynamicDim(input.getRank() - 1))
    return reject(where, getOperationName(),
                  "C1: the input's width must be known, but it is ", input);
  if (!(adaptor.getEpsilon().convertToDouble() > 0.0))
    return reject(where, getOperationName(),
                  "C2: epsilon must be positive, such as 1.0e-12");
  results.push_back(input);
  return success();
}

/// numpy's broadcasting.
static LogicalResult inferBroadcast(Where where, StringRef op,
                                    RankedTensorType lhs, RankedTensorType rhs,
                                    Types &results) {
  int64_t rank = std::max(lhs.getRank(), rhs.getRank());
  SmallVector<int64_t> shape(rank);
  for (int64_t i = 1; i <= rank; ++i) {
    int64_t a = i <= lhs.getRank() ? lhs.getDimSize(lhs.getRank() - i) : 1;
    int64_t b = i <= rhs.getRank() ? rhs.getDimSize(rhs.getRank() - i) : 1;
    if (a != 1 && b != 1 && a != b)
      return reject(
          where, op, "C1: ", text(lhs), " and ", text(rhs),
          " cannot be broadcast: from the last dimension on, sizes must be "
          "equal, or 1, or missing");
    shape[rank - i] = a == 1 ? b : a;
  }
  results.push_back(like(lhs, shape));
  return success();
}

LogicalResult AddOp::inferReturnTypes(MLIRContext *, Where where,
                                      Adaptor adaptor, Types &results) {
  return inferBroadcast(where, getOperationName(), tensorOf(adaptor.getLhs()),
                        tensorOf(adaptor.getRhs()), results);
}

LogicalResult MulOp::inferReturnTypes(MLIRContext *, Where where,
                                      Adaptor adaptor, Types &results) {
  return inferBroadcast(where, getOperationName(), tensorOf(adaptor.getLhs()),
                        tensorOf(adaptor.getRhs()), results);
}

LogicalResult LayerScaleOp::inferReturnTypes(MLIRContext *, Where where,
                                             Adaptor adaptor, Types &results) {
  RankedTensorType input = tensorOf(adaptor.getInput()),
                   gamma = tensorOf(adaptor.getGamma());
  if (input.getRank() == 0 || gamma.getRank() != 1 ||
      !agree(gamma.getDimSize(0), input.getShape().back()))
    return reject(where, getOperationName(),
                  "C1: gamma must be one number per channel of ", text(input),
                  ", not ", gamma);
  results.push_back(input);
  return success();
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

LogicalResult PatchifyOp::verify() { return verifyInferred(*this); }
LogicalResult PrependTokensOp::verify() { return verifyInferred(*this); }
LogicalResult RepeatTokensOp::verify() { return verifyInferred(*this); }
LogicalResult ConcatChannelsOp::verify() { return verifyInferred(*this); }
LogicalResult TakeTokensOp::verify() { return verifyInferred(*this); }
LogicalResult MeanTokensOp::verify() { return verifyInferred(*this); }
LogicalResult SincosPositionsOp::verify() { return verifyInferred(*this); }
LogicalResult ResamplePositionsOp::verify() { return verifyInferred(*this); }
LogicalResult RelativePositionsOp::verify() { return verifyInferred(*this); }
LogicalResult RelativePositionsBackwardOp::verify() {
  return verifyInferred(*this);
}
LogicalResult RotaryPositionsOp::verify() { return verifyInferred(*this); }
LogicalResult RotateOp::verify() { return verifyInferred(*this); }
LogicalResult LinearOp::verify() {
  return failed(verifyInferred(*this)) ? failure() : verifyScales(*this);
}
LogicalResult LayerNormOp::verify() { return verifyInferred(*this); }
LogicalResult RmsNormOp::verify() { return verifyInferred(*this); }
LogicalResult L2NormalizeOp::verify() { return verifyInferred(*this); }
LogicalResult AddOp::verify() { return verifyInferred(*this); }
LogicalResult MulOp::verify() { return verifyInferred(*this); }
LogicalResult LayerScaleOp::verify() { return verifyInferred(*this); }
