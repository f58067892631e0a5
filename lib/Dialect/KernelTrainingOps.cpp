//===- KernelTrainingOps.cpp - Verifiers of the training kernels ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checks.h"

using namespace mlir;
using namespace mlir::vit::kernel;
using vit::tensorOf;

static bool isScalar(Type type) {
  return cast<RankedTensorType>(type).getRank() == 0;
}

//===----------------------------------------------------------------------===//
// Variables
//===----------------------------------------------------------------------===//

LogicalResult VariableAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   FlatSymbolRefAttr, int64_t layer) {
  if (layer < -1)
    return emitError() << "C1: layer " << layer << " cannot be";
  return success();
}

LogicalResult PlacedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 FlatSymbolRefAttr, int64_t layer,
                                 int64_t offset) {
  constexpr int64_t alignment = 64;
  if (layer < -1 || offset < 0 || offset % alignment != 0)
    return emitError() << "C1: layer " << layer << " at byte " << offset
                       << " cannot be; offsets are multiples of 64";
  return success();
}

LogicalResult ArenaAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                StringAttr, int64_t bytes, Type rounded,
                                ArrayRef<PlacedAttr>) {
  if (bytes < 0)
    return emitError() << "C1: bytes are not negative, but " << bytes;
  if (rounded && !rounded.isBF16())
    return emitError() << "C2: an arena is rounded to bf16, not " << rounded;
  return success();
}

LogicalResult ArenaOp::verify() {
  constexpr int64_t unit = 16;
  RankedTensorType type = tensorOf(getResult());
  int64_t at = getAt();
  Type element = type.getElementType();
  if (at < 0 || at % unit != 0 || type.getRank() != 1 ||
      !type.hasStaticShape() || !(element.isF32() || element.isBF16()))
    return emitOpError("C1: ")
           << type << " at element " << at << " is no range of an arena";
  return success();
}

LogicalResult PackOp::verify() {
  return verifySources(*this, getSources(), tensorOf(getResult()));
}

LogicalResult ConcatOp::verify() {
  int64_t elements = 0;
  for (Value value : getGradients()) {
    if (!tensorOf(value).hasStaticShape())
      return emitOpError("C1: operand ")
             << value.getType() << " has no known size";
    elements += occupiedElements(tensorOf(value).getNumElements());
  }
  RankedTensorType result = tensorOf(getResult());
  if (result.getShape() != ArrayRef<int64_t>({elements}))
    return emitOpError("C1: the operands take ")
           << elements << " elements, the result is " << result;
  if (getSlots() && getSlots().getNumbers().size() != 1)
    return emitOpError("C2: one result has one slot, not ")
           << getSlots().getNumbers().size();
  return success();
}

LogicalResult AllReduceOp::verify() { return vit::verifyAllReduce(*this); }

LogicalResult NormOp::verify() {
  for (Value value : getGradients())
    if (!tensorOf(value).hasStaticShape())
      return emitOpError("C1: operand ")
             << value.getType() << " has no known size";
  if (getGradients().empty() || !isScalar(getResult().getType()))
    return emitOpError("C1: operands of known size make a number, but the "
                       "result is ")
           << getResult().getType();
  if (!(getMaxNorm().convertToDouble() > 0.0))
    return emitOpError("C2: max_norm must be positive");
  return success();
}

/// C4: the body takes the element of each variable, the gradient and each
/// scalar, and yields the element of each variable.
static LogicalResult verifyUpdateBody(UpdateOp op, size_t scalars) {
  Block &body = op.getBody().front();
  size_t variables = op.getVariableCount();
  size_t wanted = variables + (op.getGradient() ? 1 : 0) + scalars;
  auto areF32 = [](TypeRange types, size_t count) {
    return types.size() == count &&
           llvm::all_of(types, [](Type type) { return type.isF32(); });
  };
  if (!areF32(body.getArgumentTypes(), wanted) ||
      !areF32(body.back().getOperandTypes(), variables))
    return op.emitOpError("C4: the body must take ")
           << wanted << " f32 and yield " << variables << ", but takes "
           << body.getNumArguments() << " and yields "
           << body.back().getNumOperands();
  return success();
}

/// C3. Returns the number of scalars that the body takes.
static FailureOr<size_t> verifyUpdatePrologue(UpdateOp op) {
  auto elementOf = [](Value scalar) {
    return tensorOf(scalar).getElementType();
  };
  if (op.getPrologue().empty()) {
    for (Value scalar : op.getScalars())
      if (!elementOf(scalar).isF32())
        return op.emitOpError("C3: ")
               << scalar.getType() << " needs a prologue";
    return op.getScalars().size();
  }
  Block &prologue = op.getPrologue().front();
  Builder builder(op.getContext());
  SmallVector<Type> wanted;
  for (Value scalar : op.getScalars())
    wanted.push_back(elementOf(scalar).isF32() ? builder.getF64Type()
                                               : elementOf(scalar));
  if (TypeRange(prologue.getArgumentTypes()) != TypeRange(wanted))
    return op.emitOpError("C3: the prologue must take ") << wanted;
  TypeRange yielded = prologue.back().getOperandTypes();
  if (!llvm::all_of(yielded, [](Type type) { return type.isF64(); }))
    return op.emitOpError("C3: the prologue must yield f64");
  return yielded.size();
}

LogicalResult UpdateOp::verify() {
  size_t count = getParameters().size();
  auto areVariables = [&](Attribute list) {
    auto array = dyn_cast<ArrayAttr>(list);
    return array && array.size() == count &&
           llvm::all_of(array, llvm::IsaPred<VariableAttr>);
  };
  if (count == 0 || !areVariables(getParameters()) ||
      (getStates() && !llvm::all_of(*getStates(), areVariables)))
    return emitOpError("C1: there must be parameters and, in each list of "
                       "states, as many variables");
  if (getGuard() && !isScalar(getGuard().getType()))
    return emitOpError("C2: ") << getGuard().getType() << " must have rank 0";
  for (Value scalar : getScalars()) {
    RankedTensorType type = tensorOf(scalar);
    if (!isScalar(type) ||
        !(type.getElementType().isF32() || type.getElementType().isInteger(32)))
      return emitOpError("C2: ") << type << " must be one f32 or i32";
  }
  for (Region &region : (*this)->getRegions())
    if (!region.empty() && failed(verifyScalarCode(*this, region, "C5")))
      return failure();
  FailureOr<size_t> scalars = verifyUpdatePrologue(*this);
  if (failed(scalars))
    return failure();
  return verifyUpdateBody(*this, *scalars);
}

//===----------------------------------------------------------------------===//
// Products and sums
//===----------------------------------------------------------------------===//

LogicalResult WeightGradientOp::verify() {
  RankedTensorType gradient = tensorOf(getGradient()),
                   input = tensorOf(getInput()), result = tensorOf(getResult());
  if (gradient.getRank() < 2 || gradient.getRank() > 3 ||
      gradient.getRank() != input.getRank() ||
      gradient.getShape().drop_back() != input.getShape().drop_back())
    return emitOpError("C1: ")
           << gradient << " and " << input << " are not of the same rows";
  int64_t out = gradient.getShape().back(), in = input.getShape().back();
  int64_t parts =
      result.getRank() == 2 && out > 0 ? result.getDimSize(0) / out : 1;
  int64_t rows = out * std::max<int64_t>(parts, 1);
  if (result.getShape() != ArrayRef<int64_t>({rows, in}) ||
      (getBias() &&
       tensorOf(getBias()).getShape() != ArrayRef<int64_t>({rows})))
    return emitOpError("C2: the results must be [")
           << out << ", " << in << "] and [" << out << "], not " << result;
  Type element = gradient.getElementType();
  if (element != input.getElementType() ||
      !(element.isF32() || element.isBF16()) ||
      !result.getElementType().isF32())
    return emitOpError("C3: the operands must be f32 or bf16 and the result "
                       "f32, not ")
           << gradient << ", " << input << " and " << result;
  return verifyTf32(*this, getTf32(), gradient, "C4");
}

static ArrayRef<int64_t> withoutLeadingOnes(ArrayRef<int64_t> shape) {
  return shape.drop_while([](int64_t size) { return size == 1; });
}

LogicalResult SumOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  ArrayRef<int64_t> from = input.getShape(), to = result.getShape();
  bool good = false;
  switch (getKind()) {
  case SumKind::tokens:
    good = from.size() == 3 && to == ArrayRef<int64_t>({from[0], from[2]});
    break;
  case SumKind::batch:
    good = from.size() >= 2 &&
           withoutLeadingOnes(to) == withoutLeadingOnes(from.drop_front());
    break;
  case SumKind::all:
    good = result.hasStaticShape() && result.getNumElements() == 1;
    break;
  case SumKind::groups:
    good = !from.empty() && from.size() == to.size() && to[0] > 0 &&
           from[0] % to[0] == 0 && from.drop_front() == to.drop_front();
    break;
  }
  if (!good)
    return emitOpError("C1: ")
           << stringifySumKind(getKind()) << " does not make " << result
           << " of " << input;
  return success();
}

//===----------------------------------------------------------------------===//
// Adjoints
//===----------------------------------------------------------------------===//

LogicalResult NormalizeBackwardOp::verify() {
  RankedTensorType input = tensorOf(getInput());
  ArrayRef<int64_t> shape = input.getShape();
  int64_t groups = getGroups();
  if (shape.size() < 2 || shape.size() > 3 ||
      tensorOf(getGradient()).getShape() != shape ||
      tensorOf(getResult()).getShape() != shape || groups < 1 ||
      shape.back() % groups != 0 ||
      (getResidual() && tensorOf(getResidual()).getShape() != shape) ||
      (getScale() && tensorOf(getScale()).getShape() != shape.take_back()))
    return emitOpError("C1: gradient, input and first result must have one "
                       "shape whose width the groups divide and the scale "
                       "has, but the input is ")
           << input;
  bool good = getSums().empty() || getSums().size() == 2;
  for (Value sum : getSums())
    good &= tensorOf(sum).getShape() ==
            ArrayRef<int64_t>({shape.front(), shape.back()});
  if (!good)
    return emitOpError("C2: one result or three, the others [batch, ")
           << shape.back() << "]";
  return success();
}

LogicalResult SoftmaxBackwardOp::verify() {
  RankedTensorType result = tensorOf(getResult());
  if (result.getRank() < 2 || result.getRank() > 3 ||
      tensorOf(getGradient()).getShape() != result.getShape() ||
      tensorOf(getOutput()).getShape() != result.getShape())
    return emitOpError("C1: gradient, output and result must have one shape of "
                       "rank 2 or 3, but the result is ")
           << result;
  return success();
}

LogicalResult AttentionBackwardOp::verify() {
  if (failed(verifyAttentionOperands(*this, getHeads(), getHeadDim(),
                                     getOffsets(), getQuery(), getKey(),
                                     getValue())))
    return failure();
  int64_t width = getHeads() * getHeadDim();
  RankedTensorType query = tensorOf(getQuery()), key = tensorOf(getKey());
  SmallVector<int64_t> like = {query.getDimSize(0), query.getDimSize(1), width};
  SmallVector<int64_t> likeKey = {query.getDimSize(0), key.getDimSize(1),
                                  width};
  if (tensorOf(getGradient()).getShape() != ArrayRef(like) ||
      tensorOf(getQueryGradient()).getShape() != ArrayRef(like) ||
      tensorOf(getKeyGradient()).getShape() != ArrayRef(likeKey) ||
      tensorOf(getValueGradient()).getShape() != ArrayRef(likeKey))
    return emitOpError("C2: gradient and results must be [batch, tokens, ")
           << width << "], but the gradient is " << getGradient().getType();
  if (getBias() &&
      tensorOf(getBias()).getShape() !=
          ArrayRef<int64_t>({static_cast<int64_t>(getHeads()),
                             query.getDimSize(1), key.getDimSize(1)}))
    return emitOpError("C3: the bias must be [heads, query's tokens, key's "
                       "tokens], not ")
           << getBias().getType();
  Type element = query.getElementType();
  for (Value operand : {getGradient(), getKey(), getValue()})
    if (tensorOf(operand).getElementType() != element)
      return emitOpError("C4: gradient, query, key and value must have one "
                         "element type, not those of ")
             << getGradient().getType() << ", " << query << ", " << key
             << " and " << getValue().getType();
  for (Type type : getResultTypes())
    if (Type result = cast<RankedTensorType>(type).getElementType();
        !result.isF32() && result != element)
      return emitOpError("C4: a result must be f32 or of the operands' type, "
                         "not ")
             << type;
  return verifyTf32(*this, getTf32(), query, "C5");
}

LogicalResult AttentionBiasGradientOp::verify() {
  if (failed(verifyAttentionOperands(*this, getHeads(), getHeadDim(),
                                     getOffsets(), getQuery(), getKey(),
                                     getValue())))
    return failure();
  int64_t heads = getHeads(), width = heads * int64_t(getHeadDim());
  RankedTensorType query = tensorOf(getQuery()), key = tensorOf(getKey());
  SmallVector<int64_t> matrix = {heads, query.getDimSize(1), key.getDimSize(1)};
  if (tensorOf(getGradient()).getShape() !=
          ArrayRef<int64_t>(
              {query.getDimSize(0), query.getDimSize(1), width}) ||
      tensorOf(getBias()).getShape() != ArrayRef(matrix) ||
      tensorOf(getResult()).getShape() != ArrayRef(matrix))
    return emitOpError("C2: the gradient must be [batch, tokens, ")
           << width << "], bias and result [heads, query's tokens, key's "
           << "tokens], but they are " << getGradient().getType() << ", "
           << getBias().getType() << " and " << getResult().getType();
  return success();
}

LogicalResult GridProductOp::verify() {
  int64_t prefix = getPrefix(), suffix = getSuffix();
  ArrayRef<int64_t> reach = getReach();
  if (prefix < 0 || suffix < 0 || reach.size() != 2 || reach[0] < 0 ||
      reach[1] < 0)
    return emitOpError("C2: reach must be two numbers, and none of them, "
                       "prefix and suffix negative");
  RankedTensorType rows = tensorOf(getRows()), columns = tensorOf(getColumns());
  auto isMatrix = [](RankedTensorType type) {
    return type.getRank() == 2 && isGrid(type.getShape());
  };
  if (!isMatrix(rows) || !isMatrix(columns))
    return emitOpError("C1: rows and columns must be matrices, not ")
           << rows << " and " << columns;
  return verifyGridTables(*this, tensorOf(getSource()), tensorOf(getResult()),
                          {rows.getDimSize(1), columns.getDimSize(1)},
                          {rows.getDimSize(0), columns.getDimSize(0)}, prefix,
                          suffix);
}

LogicalResult PackRelativePositionsOp::verify() {
  return verifyRelativePositions(*this, tensorOf(getSource()),
                                 tensorOf(getResult()), getGrid(), getPrefix());
}

LogicalResult RelativePositionsBackwardOp::verify() {
  RankedTensorType table = tensorOf(getResult());
  if (failed(verifyRelativePositions(*this, table, tensorOf(getGradient()),
                                     getGrid(), getPrefix())))
    return failure();
  if (table.getDimSize(0) != getRelativeRows(getGrid(), getPrefix()))
    return emitOpError("C1: the result must be one table");
  return success();
}

LogicalResult PlaceOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  int64_t start = getStart();
  int64_t count = input.getRank() == 3 ? input.getDimSize(1) : 1;
  if (result.getRank() != 3 || input.getRank() < 2 || input.getRank() > 3 ||
      input.getDimSize(0) != result.getDimSize(0) ||
      input.getShape().back() != result.getDimSize(2) || start < 0 ||
      count > result.getDimSize(1) - start)
    return emitOpError("C1: ")
           << input << " at token " << start << " does not lie in " << result;
  return success();
}

LogicalResult TakeChannelsOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  int64_t start = getStart();
  if (result.getRank() < 2 || result.getRank() > 3 ||
      input.getRank() != result.getRank() ||
      input.getShape().drop_back() != result.getShape().drop_back() ||
      start < 0 || result.getShape().back() > input.getShape().back() - start)
    return emitOpError("C1: ") << result << " cannot be channels of " << input
                               << " from " << start << " on";
  return success();
}

LogicalResult SpreadOp::verify() {
  RankedTensorType input = tensorOf(getInput()), result = tensorOf(getResult());
  int64_t start = getStart();
  if (input.getRank() != 2 || result.getRank() != 3 ||
      input.getDimSize(0) != result.getDimSize(0) ||
      input.getDimSize(1) != result.getDimSize(2) || start < 0 ||
      start >= result.getDimSize(1))
    return emitOpError("C1: ") << input << " is not spread to " << result
                               << " from token " << start;
  return success();
}

LogicalResult DropoutOp::verify() {
  RankedTensorType seed = tensorOf(getSeed()), step = tensorOf(getStep());
  if (tensorOf(getInput()).getShape() != tensorOf(getResult()).getShape() ||
      seed.getShape() != ArrayRef<int64_t>({2}) || step.getRank() != 0 ||
      !seed.getElementType().isInteger(32) ||
      !step.getElementType().isInteger(32))
    return emitOpError("C1: the result has the input's shape, the seed is two "
                       "i32 and the step one, but they are ")
           << seed << " and " << step;
  double probability = getProbability().convertToDouble();
  if (!(probability >= 0.0 && probability < 1.0))
    return emitOpError("C2: the probability must lie in [0, 1)");
  return success();
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

/// C1 of both.
static LogicalResult verifyTargets(Operation *op, LossKind kind, Value input,
                                   Value targets) {
  RankedTensorType from = tensorOf(input), type = tensorOf(targets);
  bool isSoft = type.getShape() == from.getShape() &&
                type.getElementType() == from.getElementType();
  bool isHard = kind != LossKind::mse &&
                type.getShape() == from.getShape().take_front() &&
                type.getElementType().isInteger(32);
  if (from.getRank() != 2 || from.isDynamicDim(1) || (!isSoft && !isHard))
    return op->emitOpError("C1: the input must be [batch, classes] and the "
                           "targets i32 [batch] or like it, but they are ")
           << from << " and " << type;
  return success();
}

LogicalResult LossOp::verify() {
  if (failed(verifyTargets(*this, getKind(), getInput(), getTargets())))
    return failure();
  RankedTensorType result = tensorOf(getResult());
  bool isCount = getKind() == LossKind::accuracy;
  if (result.getRank() != 0 || (isCount ? !result.getElementType().isInteger(32)
                                        : !result.getElementType().isF32()))
    return emitOpError("C2: the result must be one ")
           << (isCount ? "i32" : "f32") << ", not " << result;
  return success();
}

LogicalResult LossBackwardOp::verify() {
  if (!isScalar(getGradient().getType()))
    return emitOpError("C1: the gradient must have rank 0, not be ")
           << getGradient().getType();
  if (failed(verifyTargets(*this, getKind(), getInput(), getTargets())))
    return failure();
  if (tensorOf(getResult()).getShape() != tensorOf(getInput()).getShape() ||
      getKind() == LossKind::accuracy)
    return emitOpError("C2: the result must have the input's shape, and the "
                       "loss a gradient, but it is ")
           << getResult().getType();
  return success();
}
