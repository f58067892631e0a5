//===- KernelOps.cpp - Verifiers of the kernel ops ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checks.h"

using namespace mlir;
using namespace mlir::vit::kernel;
using vit::getRelativeRows;
using vit::isGrid;
using vit::tensorOf;

LogicalResult mlir::vit::kernel::verifyLaunch(Operation *op) {
  auto kernel = cast<KernelOpInterface>(op);
  size_t results = op->getNumResults();
  if (SlotsAttr slots = kernel.getSlotsAttr();
      slots && slots.getNumbers().size() != results)
    return op->emitOpError("has ") << slots.getNumbers().size() << " slots for "
                                   << results << " results";
  if (DenseI64ArrayAttr ends = kernel.getEndsAttr();
      ends && llvm::any_of(ends.asArrayRef(), [&](int64_t number) {
        return number < 0 || number >= static_cast<int64_t>(results);
      }))
    return op->emitOpError("has ends of results that it does not have");
  return success();
}

LogicalResult mlir::vit::kernel::verifyScalarCode(Operation *op, Region &region,
                                                  StringRef constraint) {
  Block &block = region.front();
  if (block.empty() || !isa<YieldOp>(block.back()))
    return op->emitOpError()
           << constraint << ": the region must end in kernel.yield";
  for (Operation &inner : block.without_terminator())
    if (!isa<GeluSlopeOp, BiasCorrectionOp>(inner) &&
        !isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
            inner.getDialect()))
      return inner.emitOpError("is not allowed in a kernel's region (")
             << constraint
             << "); it holds arith and math ops and kernel.gelu_slope";
  return success();
}

/// C1 of every op with scalar code.
static LogicalResult verifyEpilogue(Operation *op, Region &region,
                                    size_t extras) {
  Block &block = region.front();
  if (block.getNumArguments() != extras + 1 ||
      !llvm::all_of(block.getArgumentTypes(),
                    [](Type type) { return type.isF32(); }))
    return op->emitOpError("C1: the region must take ")
           << extras + 1 << " f32, the element and one per extra, but takes "
           << block.getNumArguments();
  if (failed(verifyScalarCode(op, region, "C1")))
    return failure();
  TypeRange yielded = block.back().getOperandTypes();
  if (yielded.size() != 1 || !yielded.front().isF32())
    return op->emitOpError("C1: the region must yield one f32");
  return success();
}

LogicalResult BiasCorrectionOp::verify() {
  double beta = getBeta().convertToDouble();
  if (!(beta >= 0.0 && beta < 1.0))
    return emitOpError("C1: beta must lie in [0, 1), not be ") << beta;
  return success();
}

/// C3 of every op with extras: an extra has the shape of the result or its last
/// dimensions. If the result has no batch, it can also have one element.
static LogicalResult verifyExtras(Operation *op, ValueRange extras,
                                  RankedTensorType result) {
  for (auto [index, extra] : llvm::enumerate(extras)) {
    RankedTensorType type = tensorOf(extra);
    if (result.hasStaticShape() &&
        (type.getShape() == result.getShape() ||
         (type.hasStaticShape() && type.getNumElements() == 1)))
      continue;
    if (isRowExtra(type, result))
      continue;
    if (type.getRank() < 1 || type.getRank() > result.getRank() ||
        type.getShape() != result.getShape().take_back(type.getRank()))
      return op->emitOpError("C3: extra ")
             << index << ", " << type << ", must have the shape of the result "
             << result << " or its last dimensions";
  }
  return success();
}

template <typename Op> static LogicalResult verifyFused(Op op) {
  if (failed(verifyEpilogue(op, op.getEpilogue(), op.getExtras().size())))
    return failure();
  return verifyExtras(op, op.getExtras(), tensorOf(op.getResult()));
}

LogicalResult GemmOp::verify() {
  if (failed(verifyFused(*this)))
    return failure();
  RankedTensorType input = tensorOf(getInput()), weight = tensorOf(getWeight()),
                   result = tensorOf(getResult());
  bool transposed = getTransposed();
  if (input.getRank() < 1 || weight.getRank() != 2 ||
      result.getRank() != input.getRank() ||
      weight.getDimSize(transposed ? 0 : 1) != input.getShape().back() ||
      weight.getDimSize(transposed ? 1 : 0) != result.getShape().back() ||
      input.getShape().drop_back() != result.getShape().drop_back())
    return emitOpError("C2: the weight must be [out, in] = ")
           << (transposed ? "[input's width, result's width]"
                          : "[result's width, input's width]")
           << ", but " << input << " times " << weight << " is given as "
           << result;
  if (input.getElementType() != weight.getElementType())
    return emitOpError("C2: the weight must have the input's element type, but "
                       "they are ")
           << weight << " and " << input;
  return verifyTf32(*this, getTf32(), input, "C4");
}

LogicalResult QuantizeOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult()),
                   scales = tensorOf(getScales());
  SmallVector<int64_t> rows(input.getShape());
  if (!rows.empty())
    rows.back() = 1;
  if (input.getRank() < 2 || result.getShape() != input.getShape() ||
      !result.getElementType().isInteger(8) ||
      scales.getShape() != ArrayRef(rows) || !scales.getElementType().isF32())
    return emitOpError("C1: ")
           << input << " becomes i8 of its shape and f32 of one channel, not "
           << result << " and " << scales;
  return success();
}

LogicalResult RowsOp::verify() {
  if (failed(verifyFused(*this)))
    return failure();
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  if (input.getRank() < 1 || input.getShape() != result.getShape())
    return emitOpError("C2: the result must have the shape of the input ")
           << input << ", not " << result;
  int64_t groups = getGroups(), width = input.getShape().back();
  if (groups < 1 || width % groups != 0)
    return emitOpError("C2: ")
           << groups << " groups do not divide width " << width;
  return success();
}

LogicalResult MapOp::verify() {
  if (failed(verifyFused(*this)))
    return failure();
  if (tensorOf(getInput()).getShape() != tensorOf(getResult()).getShape())
    return emitOpError("C2: the result must have the shape of the input ")
           << getInput().getType() << ", not " << getResult().getType();
  return success();
}

LogicalResult PrependOp::verify() {
  if (failed(verifyFused(*this)))
    return failure();
  RankedTensorType input = tensorOf(getInput()), tokens = tensorOf(getTokens()),
                   result = tensorOf(getResult());
  if (input.getRank() != 3 || tokens.getRank() != 2 || result.getRank() != 3 ||
      tokens.getDimSize(1) != input.getDimSize(2) ||
      result.getDimSize(2) != input.getDimSize(2) ||
      result.getDimSize(0) != input.getDimSize(0) ||
      result.getDimSize(1) != tokens.getDimSize(0) + input.getDimSize(1))
    return emitOpError("C2: tokens ")
           << tokens << " before " << input << " do not make " << result;
  return success();
}

LogicalResult mlir::vit::kernel::verifyTf32(Operation *op, bool isTf32,
                                            RankedTensorType operand,
                                            StringRef constraint) {
  if (isTf32 && !operand.getElementType().isF32())
    return op->emitOpError(constraint)
           << ": tf32 requires operands of f32, not " << operand;
  return success();
}

LogicalResult mlir::vit::kernel::verifyAttentionOperands(
    Operation *op, int64_t heads, int64_t headDim, ArrayRef<int64_t> offsets,
    Value query, Value key, Value value) {
  constexpr int64_t limit = 1 << 20;
  if (heads < 1 || headDim < 1 || heads > limit || headDim > limit ||
      offsets.size() != 3)
    return op->emitOpError(
        "C1: heads and head_dim must be positive and offsets three numbers");
  Value operands[] = {query, key, value};
  for (auto [operand, offset] : llvm::zip(operands, offsets)) {
    RankedTensorType type = tensorOf(operand);
    if (type.getRank() != 3 || offset < 0 ||
        heads * headDim > type.getDimSize(2) - offset)
      return op->emitOpError("C1: ")
             << heads << " heads of " << headDim << " channels from " << offset
             << " on do not lie in " << type;
  }
  if (tensorOf(key).getDimSize(1) != tensorOf(value).getDimSize(1))
    return op->emitOpError("C1: key and value must have the same tokens");
  Type element = tensorOf(query).getElementType();
  if (tensorOf(key).getElementType() != element ||
      tensorOf(value).getElementType() != element)
    return op->emitOpError(
        "C1: query, key and value must have one element type");
  return success();
}

LogicalResult AttentionOp::verify() {
  int64_t heads = getHeads();
  if (failed(verifyAttentionOperands(*this, heads, getHeadDim(), getOffsets(),
                                     getQuery(), getKey(), getValue())))
    return failure();
  RankedTensorType query = tensorOf(getQuery()), result = tensorOf(getResult());
  int64_t batch = query.getDimSize(0), tokens = query.getDimSize(1),
          width = heads * getHeadDim(), keys = tensorOf(getKey()).getDimSize(1);
  if (result.getShape() != ArrayRef<int64_t>({batch, tokens, width}))
    return emitOpError("C2: the result must be [batch, ")
           << tokens << " tokens, " << width << "], not " << result;
  if (getBias() && tensorOf(getBias()).getShape() !=
                       ArrayRef<int64_t>({heads, tokens, keys}))
    return emitOpError("C3: the bias must be [")
           << heads << " heads, " << tokens << ", " << keys << " tokens], not "
           << getBias().getType();
  if (failed(verifyTf32(*this, getTf32(), query, "C4")))
    return failure();
  if (!getProbabilities())
    return success();
  RankedTensorType probabilities = tensorOf(getProbabilities());
  if (probabilities.getShape() !=
      ArrayRef<int64_t>({batch, heads, tokens, keys}))
    return emitOpError("C2: the probabilities must be [batch, ")
           << heads << " heads, " << tokens << ", " << keys << " tokens], not "
           << probabilities;
  return success();
}

LogicalResult RotateOp::verify() {
  constexpr int64_t limit = 1 << 20;
  int64_t heads = getHeads(), headDim = getHeadDim(), offset = getOffset();
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  if (heads < 1 || headDim < 1 || heads > limit || headDim > limit ||
      offset < 0 || input.getRank() != 3 ||
      heads * headDim > input.getDimSize(2) - offset ||
      result.getShape() !=
          ArrayRef<int64_t>(
              {input.getDimSize(0), input.getDimSize(1), heads * headDim}))
    return emitOpError("C1: ")
           << heads << " heads of " << headDim << " channels from " << offset
           << " on of " << input << " do not make " << result;
  for (Value table : {getCosine(), getSine()}) {
    RankedTensorType type = tensorOf(table);
    if (headDim % 2 != 0 || type.getRank() != 2 ||
        type.getDimSize(0) != input.getDimSize(1) ||
        type.getDimSize(1) % headDim != 0 || type.getDimSize(1) < headDim ||
        heads % (type.getDimSize(1) / headDim) != 0)
      return emitOpError("C2: the tables must be [")
             << input.getDimSize(1) << " tokens, " << headDim
             << " channels] with an even number of channels, not " << type;
  }
  if (getCosine().getType().getShape() != getSine().getType().getShape())
    return emitOpError("C2: the tables must have one shape");
  return success();
}

LogicalResult PatchifyOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  ArrayRef<int64_t> patch = getPatch();
  if (patch.size() != 2 || patch[0] < 1 || patch[1] < 1)
    return emitOpError("C1: the patch must be two positive numbers");
  if (input.getRank() != 4 || input.getDimSize(2) < patch[0] ||
      input.getDimSize(3) < patch[1])
    return emitOpError("C1: there are no patches of ")
           << patch[0] << "x" << patch[1] << " in " << input;
  int64_t count =
      (input.getDimSize(2) / patch[0]) * (input.getDimSize(3) / patch[1]);
  int64_t width = input.getDimSize(1) * patch[0] * patch[1];
  if (result.getShape() !=
      ArrayRef<int64_t>({input.getDimSize(0), count, width}))
    return emitOpError("C1: the result must be [batch, ")
           << count << ", " << width << "], not " << result;
  return success();
}

LogicalResult TakeOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  if (input.getRank() != 3 ||
      (result.getRank() != 2 && result.getRank() != 3) ||
      result.getDimSize(0) != input.getDimSize(0) ||
      result.getShape().back() != input.getDimSize(2))
    return emitOpError("C1: ") << result << " cannot be tokens of " << input;
  int64_t start = getStart(),
          count = result.getRank() == 3 ? result.getDimSize(1) : 1;
  if (start < 0 || count > input.getDimSize(1) - start)
    return emitOpError("C1: ")
           << count << " tokens from " << start << " are beyond the input's "
           << input.getDimSize(1);
  return success();
}

LogicalResult RepeatOp::verify() {
  RankedTensorType tokens = tensorOf(getTokens()), like = tensorOf(getLike()),
                   result = tensorOf(getResult());
  if (tokens.getRank() != 2 || like.getRank() < 1 || result.getRank() != 3 ||
      result.getDimSize(0) != like.getDimSize(0) ||
      result.getShape().drop_front() != tokens.getShape())
    return emitOpError("C1: ") << tokens << " for each image of " << like
                               << " does not make " << result;
  return success();
}

LogicalResult ConcatChannelsOp::verify() {
  RankedTensorType result = tensorOf(getResult());
  int64_t width = 0;
  bool fits = result.getRank() == 2 || result.getRank() == 3;
  for (Value input : getInputs()) {
    RankedTensorType type = tensorOf(input);
    fits &= type.getRank() == result.getRank() && fits &&
            type.getShape().drop_back() == result.getShape().drop_back();
    width += fits ? type.getShape().back() : 0;
  }
  if (!fits || width != result.getShape().back())
    return emitOpError("C1: the inputs (")
           << getInputs().getTypes() << ") do not make " << result;
  return success();
}

LogicalResult MeanOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  if (input.getRank() != 3 || result.getRank() != 2 ||
      result.getDimSize(0) != input.getDimSize(0) ||
      result.getDimSize(1) != input.getDimSize(2))
    return emitOpError("C1: ")
           << result << " cannot be the mean over the tokens of " << input;
  int64_t start = getStart();
  if (start < 0 || start >= input.getDimSize(1))
    return emitOpError("C1: the mean from token ")
           << start << " on has no tokens; the input has "
           << input.getDimSize(1);
  return success();
}

LogicalResult RelayoutOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  if (input.getShape() != result.getShape() ||
      input.getElementType() != result.getElementType())
    return emitOpError("C1: ")
           << result << " is not the shape and element type of " << input;
  if (input.getEncoding() == result.getEncoding())
    return emitOpError("C1: the layout does not change; use the input itself");
  return success();
}

LogicalResult mlir::vit::kernel::verifySources(Operation *op,
                                               ValueRange sources,
                                               RankedTensorType result) {
  if (sources.empty() || result.getRank() < 1 || !result.hasStaticShape())
    return op->emitOpError(
        "C1: there must be at least one source and a result of known size");
  int64_t rows = 0;
  for (Value value : sources) {
    RankedTensorType source = tensorOf(value);
    if (!source.hasStaticShape())
      return op->emitOpError("C1: source ") << source << " has no known size";
    if (sources.size() == 1) {
      if (source.getNumElements() == result.getNumElements() ||
          source.getNumElements() == 1)
        return success();
      return op->emitOpError("C1: the source ")
             << source << " must have the result's " << result.getNumElements()
             << " elements, or one";
    }
    if (source.getRank() != result.getRank() ||
        source.getShape().drop_front() != result.getShape().drop_front())
      return op->emitOpError("C1: source ")
             << source << " must agree with " << result
             << " in all but the first dimension";
    rows += source.getDimSize(0);
  }
  if (rows != result.getDimSize(0))
    return op->emitOpError("C1: the sources have ")
           << rows << " rows, the result " << result.getDimSize(0);
  return success();
}

LogicalResult DeriveOp::verify() {
  RankedTensorType result = tensorOf(getResult());
  if (failed(verifySources(*this, getSources(), result)))
    return failure();
  if (!getMigrationAttr())
    return success();
  if (!result.getElementType().isInteger(8) || result.getRank() != 2)
    return emitOpError(
               "C2: a result with a migration must be i8 of rank 2, not ")
           << result;
  return verifyMigration(*this, getMigrationAttr(), result.getDimSize(1), "C2",
                         "C2");
}

LogicalResult mlir::vit::kernel::verifyGridTables(
    Operation *op, RankedTensorType source, RankedTensorType result,
    ArrayRef<int64_t> from, ArrayRef<int64_t> to, int64_t prefix,
    int64_t suffix) {
  if (source.getRank() == 2 && result.getRank() == 2 &&
      source.getDimSize(0) == prefix + from[0] * from[1] + suffix &&
      result.getDimSize(0) == prefix + to[0] * to[1] + suffix &&
      source.getDimSize(1) == result.getDimSize(1))
    return success();
  return op->emitOpError("C1: ")
         << source << " to " << result << " is not ["
         << describeTableRows(prefix, from, suffix) << ", width] to ["
         << describeTableRows(prefix, to, suffix) << ", width]";
}

LogicalResult RowScalesOp::verify() {
  int64_t rows = 0;
  for (Value source : getSources()) {
    RankedTensorType type = tensorOf(source);
    if (type.getRank() != 2 || !type.getElementType().isF32() ||
        type.getDimSize(1) != tensorOf(getSources().front()).getDimSize(1))
      return emitOpError("C1: the sources must be f32 of rank 2 and one width, "
                         "not ")
             << type;
    rows += type.getDimSize(0);
  }
  if (getResult().getType().getShape() != ArrayRef<int64_t>({rows}))
    return emitOpError("C1: the result must have ")
           << rows << " elements, not " << getResult().getType();
  return getMigrationAttr()
             ? verifyMigration(*this, getMigrationAttr(),
                               tensorOf(getSources().front()).getDimSize(1),
                               "C2", "C2")
             : success();
}

LogicalResult ResampleOp::verify() {
  RankedTensorType source = tensorOf(getSource()),
                   result = tensorOf(getResult());
  ArrayRef<int64_t> from = getFrom(), to = getTo();
  int64_t prefix = getPrefix(), suffix = getSuffix();
  if (!isGrid(from) || !isGrid(to) || prefix < 0 || suffix < 0)
    return emitOpError("C1: the grids must be two positive numbers, prefix and "
                       "suffix not negative");
  return verifyGridTables(*this, source, result, from, to, prefix, suffix);
}

LogicalResult mlir::vit::kernel::verifyRelativePositions(Operation *op,
                                                         RankedTensorType table,
                                                         RankedTensorType bias,
                                                         ArrayRef<int64_t> grid,
                                                         int64_t prefix) {
  if (!isGrid(grid) || (prefix != 0 && prefix != 1))
    return op->emitOpError(
        "C1: the grid must be two positive numbers, the prefix 0 or 1");
  int64_t rows = getRelativeRows(grid, prefix);
  int64_t tokens = prefix + grid[0] * grid[1];
  if (table.getRank() != 2 || bias.getRank() != 3 || !table.hasStaticShape() ||
      table.getDimSize(0) % rows != 0 || table.getDimSize(0) < rows ||
      bias.getDimSize(0) != table.getDimSize(1) ||
      bias.getDimSize(1) != tokens || bias.getDimSize(2) != tokens)
    return op->emitOpError("C1: ")
           << table << " and " << bias << " are not tables of " << rows
           << " rows and [heads, " << tokens << ", " << tokens << "]";
  return success();
}

LogicalResult RelativePositionsOp::verify() {
  return verifyRelativePositions(*this, tensorOf(getSource()),
                                 tensorOf(getResult()), getGrid(), getPrefix());
}

LogicalResult DispatchOp::verify() {
  if (getSlots().getNumbers().size() == getNumResults())
    return success();
  return emitOpError("C1: has ")
         << getSlots().getNumbers().size() << " slots for " << getNumResults()
         << " results";
}
