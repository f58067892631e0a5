//===- VitOps.cpp - Verifiers and syntax of the vit ops -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checks.h"

#include "format/Form.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace mlir::vit;

/// Returns the number of `{}` in a name.
static size_t placeholders(StringRef name) { return name.count("{}"); }

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

static std::string withNumber(StringRef pattern, int64_t number) {
  size_t at = pattern.find("{}");
  if (at == StringRef::npos)
    return pattern.str();
  return (pattern.take_front(at) + Twine(number) + pattern.drop_front(at + 2))
      .str();
}

std::string ParameterOp::getStoredName(int64_t layer) {
  if (auto stored = getStoredAttr())
    return getLayers() ? withNumber(stored.getName(), layer)
                       : stored.getName().str();
  return getLayers() ? (getSymName() + "." + Twine(layer)).str()
                     : getSymName().str();
}

ArrayRef<int64_t> ParameterOp::getStoredShape() {
  if (auto stored = getStoredAttr())
    return stored.getShape();
  return getTensorType().getShape();
}

int64_t ParameterOp::getStoredBegin() {
  auto stored = getStoredAttr();
  return stored ? stored.getBegin() : 0;
}

int64_t ParameterOp::getStoredRowSize() {
  return getTensorType().getNumElements() / (getStoredEnd() - getStoredBegin());
}

int64_t ParameterOp::getStoredEnd() {
  auto stored = getStoredAttr();
  return stored ? stored.getEnd() : getTensorType().getDimSize(0);
}

std::optional<int64_t> mlir::vit::countElements(ArrayRef<int64_t> shape) {
  std::optional<int64_t> count = 1;
  for (int64_t size : shape) {
    count = llvm::checkedMul(*count, size);
    if (size < 1 || !count || *count > int64_t(1) << 40)
      return std::nullopt;
  }
  return count;
}

LogicalResult ParameterOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.getElementType().isF32() || type.getRank() < 1 ||
      type.getRank() > 4 || !countElements(type.getShape()))
    return emitOpError("C1: the type must be a tensor of f32 with 1 to 4 "
                       "known, positive sizes, not ")
           << getType();
  if (getLayers() && static_cast<int64_t>(*getLayers()) < 1)
    return emitOpError("C2: ") << static_cast<int64_t>(*getLayers())
                               << " layers; there must be at least one";
  auto stored = getStoredAttr();
  if (!stored)
    return success();
  size_t wanted = getLayers() ? 1 : 0;
  if (placeholders(stored.getName()) != wanted)
    return emitOpError("C2: the stored name \"")
           << stored.getName()
           << (wanted ? "\" must have {} once, where the layer's number stands"
                      : "\" must not have {}: the parameter has no layers");
  ArrayRef<int64_t> shape = stored.getShape();
  if (shape.empty() || !countElements(shape))
    return emitOpError("C3: the stored shape must be known, positive sizes");
  int64_t begin = stored.getBegin(), end = stored.getEnd();
  // Rows may be those of the second dimension if the first is 1.
  auto holdsParameter = [&](ArrayRef<int64_t> rows) {
    return end <= rows.front() &&
           (end - begin) * *countElements(rows.drop_front()) ==
               type.getNumElements();
  };
  for (ArrayRef<int64_t> rows = shape; rows.size() > 1 && rows.front() == 1;) {
    rows = rows.drop_front();
    if (begin >= 0 && end > begin && !holdsParameter(shape) &&
        holdsParameter(rows))
      shape = rows;
  }
  if (begin < 0 || end <= begin || end > shape.front())
    return emitOpError("C3: rows ")
           << begin << " to " << end << " do not lie in a stored tensor of "
           << shape.front() << " rows";
  int64_t elements = (end - begin) * *countElements(shape.drop_front());
  if (elements != type.getNumElements())
    return emitOpError("C3: rows ") << begin << " to " << end << " hold "
                                    << elements << " numbers, the parameter "
                                    << type << " has " << type.getNumElements();
  return success();
}

LogicalResult ReadOp::verify() {
  if (getIndex() && getLayer())
    return emitOpError("C2: has both an index and a constant layer; give one");
  return success();
}

LogicalResult
mlir::vit::verifyNamedTensor(Operation *user, SymbolTableCollection &symbols,
                             FlatSymbolRefAttr symbol, Type type, bool indexed,
                             std::optional<int64_t> layer, Only only) {
  Operation *found = symbols.lookupNearestSymbolFrom(user, symbol);
  auto parameter = dyn_cast_or_null<ParameterOp>(found);
  auto state = dyn_cast_or_null<StateOp>(found);
  bool fits = only == Only::Parameter ? bool(parameter)
              : only == Only::State   ? bool(state)
                                      : parameter || state;
  if (!fits)
    return user->emitOpError("C1: there is no ")
           << (only == Only::Parameter ? "vit.parameter"
               : only == Only::State   ? "vit.state"
                                       : "vit.parameter or vit.state")
           << " " << symbol << "; declare it";
  Type declared = parameter ? parameter.getType() : state.getType();
  if (declared != type)
    return user->emitOpError("C1: ")
           << symbol << " is " << declared << ", not " << type;
  std::optional<uint64_t> layers =
      parameter ? parameter.getLayers() : state.getLayers();
  if (layers && !indexed)
    return user->emitOpError("C2: ")
           << symbol << " has " << *layers << " layers; say which, as in "
           << symbol << "[" << (isa<ReadOp>(user) ? "%i" : "0") << "]";
  if (!layers && indexed)
    return user->emitOpError("C2: ")
           << symbol << " is one tensor, not one per layer; use it without an "
           << "index";
  if (layer && (*layer < 0 || *layer >= static_cast<int64_t>(*layers)))
    return user->emitOpError("C2: layer ")
           << *layer << " of " << symbol << " does not exist; it has "
           << *layers << " layers, from 0 on";
  return success();
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyNamedTensor(*this, symbols, getParameterAttr(),
                           getResult().getType(), getIndex() || getLayer(),
                           getLayer());
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

void LayersOp::getAsmBlockArgumentNames(Region &region,
                                        OpAsmSetValueNameFn setName) {
  if (region.empty() || region.getNumArguments() == 0)
    return;
  setName(region.getArgument(0), "i");
  for (BlockArgument argument : region.getArguments().drop_front())
    setName(argument, "x");
}

/// `vit.layers 6 (%i, %x = %init, ...) : types {attr-dict} { body }`
ParseResult LayersOp::parse(OpAsmParser &parser, OperationState &state) {
  int64_t count = 0;
  SMLoc place = parser.getCurrentLocation();
  SmallVector<OpAsmParser::Argument> arguments(1);
  SmallVector<OpAsmParser::UnresolvedOperand> inits;
  if (parser.parseInteger(count) || parser.parseLParen() ||
      parser.parseArgument(arguments[0]))
    return failure();
  state.addAttribute(getCountAttrName(state.name),
                     parser.getBuilder().getI64IntegerAttr(count));
  while (succeeded(parser.parseOptionalComma()))
    if (parser.parseArgument(arguments.emplace_back()) || parser.parseEqual() ||
        parser.parseOperand(inits.emplace_back()))
      return failure();
  SmallVector<Type> types;
  if (parser.parseRParen() || parser.parseOptionalColonTypeList(types) ||
      parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  if (types.size() != inits.size())
    return parser.emitError(place)
           << inits.size() << " values but " << types.size()
           << " types; give one type per value after the colon";
  arguments[0].type = parser.getBuilder().getIndexType();
  for (auto [argument, type] :
       llvm::zip(MutableArrayRef(arguments).drop_front(), types))
    argument.type = type;
  state.addTypes(types);
  return failure(parser.resolveOperands(inits, types, place, state.operands) ||
                 parser.parseRegion(*state.addRegion(), arguments));
}

void LayersOp::print(OpAsmPrinter &printer) {
  Block &body = getBody().front();
  printer << " " << getCount() << " (" << body.getArgument(0);
  for (auto [argument, init] :
       llvm::zip(body.getArguments().drop_front(), getInits()))
    printer << ", " << argument << " = " << init;
  printer << ")";
  if (!getInits().empty()) {
    printer << " : ";
    llvm::interleaveComma(getInits().getTypes(), printer);
  }
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                           {getCountAttrName()});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult LayersOp::verify() {
  TypeRange types = getInits().getTypes();
  Block &body = getBody().front();
  if (body.getNumArguments() == 0 || !body.getArgument(0).getType().isIndex() ||
      TypeRange(body.getArgumentTypes()).drop_front() != types)
    return emitOpError("C2: the body's arguments must be an index and one "
                       "value per operand, of "
                       "the operands' types");
  auto yield = dyn_cast<YieldOp>(body.back());
  if (!yield)
    return emitOpError("C2: the body must end in vit.yield");
  if (TypeRange(yield.getValues().getTypes()) != types)
    return yield.emitOpError(
               "C2: a layer must yield values of the types it takes, (")
           << types << "), not (" << yield.getValues().getTypes() << ")";
  if (getResultTypes() != types)
    return emitOpError("C2: the results must have the operands' types, ")
           << types;
  return success();
}

LogicalResult OutputOp::verify() {
  StringRef name = getName();
  size_t wanted = getIndex() ? 1 : 0;
  if (placeholders(name) != wanted || name.empty())
    return emitOpError("C1: the name \"")
           << name
           << (wanted ? "\" must have {} once, where the layer's number stands"
                      : "\" must be a name without {}, or be given an index");
  auto function = (*this)->getParentOfType<FunctionOpInterface>();
  if (!function)
    return success();
  bool taken = false;
  for (unsigned index = 0; index < function.getNumResults(); ++index)
    taken |= function.getResultAttr(index, "vit.name") == getNameAttr();
  // Only the later of two outputs with one name reports the error.
  function->walk<WalkOrder::PreOrder>([&](OutputOp other) {
    if (other == *this)
      return WalkResult::interrupt();
    taken |= other.getName() == name;
    return taken ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (taken)
    return emitOpError("C2: the function already has an output \"")
           << name << "\"; give each its own name";
  return success();
}

//===----------------------------------------------------------------------===//
// Attention, dropout
//===----------------------------------------------------------------------===//

void AttentionOp::build(OpBuilder &builder, OperationState &state, Value query,
                        Value key, Value value, int64_t heads, double scale,
                        bool withProbabilities, Value bias) {
  RankedTensorType q = tensorOf(query), k = tensorOf(key), v = tensorOf(value);
  Type element = q.getElementType();
  Type result = RankedTensorType::get(
      {q.getDimSize(0), q.getDimSize(1), v.getDimSize(2)}, element);
  Type probabilities;
  if (withProbabilities)
    probabilities = RankedTensorType::get(
        {q.getDimSize(0), heads, q.getDimSize(1), k.getDimSize(1)}, element);
  build(builder, state, result, probabilities, query, key, value, bias,
        builder.getI64IntegerAttr(heads), builder.getF64FloatAttr(scale));
}

LogicalResult mlir::vit::verifyMigration(Operation *op,
                                         DenseElementsAttr migration,
                                         int64_t width, StringRef value,
                                         StringRef count) {
  if (migration.getType().getShape() != ArrayRef(width))
    return op->emitOpError(count) << ": the migration must have " << width
                                  << " factors, not " << migration.getType();
  for (auto [index, factor] : llvm::enumerate(migration.getValues<float>()))
    if (!::vit::format::isScale(factor))
      return op->emitOpError(value)
             << ": factor " << index << " of the migration is " << factor
             << "; it must be 2^-60 to 2^60";
  return success();
}

LogicalResult mlir::vit::verifyScales(LinearOp op) {
  FloatAttr scale = op.getInputScaleAttr();
  DenseElementsAttr migration = op.getMigrationAttr();
  if (!scale && !migration)
    return success();
  if (!op.getPrecision() || op.getPrecision().getValue() != Precision::int8)
    return op.emitOpError("C4: input_scale and migration require precision "
                          "int8");
  if (scale && !::vit::format::isScale(scale.getValue().convertToFloat()))
    return op.emitOpError("C5: the input_scale is ")
           << scale.getValue().convertToFloat() << "; it must be 2^-60 to 2^60";
  return migration ? verifyMigration(op, migration,
                                     tensorOf(op.getWeight()).getDimSize(1),
                                     "C5", "C6")
                   : success();
}

/// Returns the advice for a width that the heads do not divide.
static std::string suggestHeads(int64_t heads, int64_t width) {
  int64_t below = heads, above = heads;
  while (below > 1 && width % below != 0)
    --below;
  while (above < width && width % above != 0)
    ++above;
  int64_t best = heads - below < above - heads && below > 1 ? below : above;
  return ("use " + Twine(best) + " heads or a width that is a multiple of " +
          Twine(heads))
      .str();
}

LogicalResult AttentionOp::verify() {
  if (getPrecision() && getPrecision().getValue() == Precision::int8)
    return emitOpError("C5: the precision must not be int8, in which attention "
                       "has no products");
  RankedTensorType q = tensorOf(getQuery()), k = tensorOf(getKey()),
                   v = tensorOf(getValue());
  for (RankedTensorType type : {q, k, v})
    if (type.getRank() != 3)
      return emitOpError("C1: query, key and value must be [batch, tokens, "
                         "width], not ")
             << type;
  for (RankedTensorType type : {q, k, v})
    if (type.isDynamicDim(2))
      return emitOpError("C1: the widths must be known, but there is ") << type;
  if (q.getDimSize(2) != k.getDimSize(2))
    return emitOpError("C1: the query's width ")
           << q.getDimSize(2) << " is not the key's " << k.getDimSize(2);
  if (k.getDimSize(1) != v.getDimSize(1))
    return emitOpError("C1: the key has ")
           << k.getDimSize(1) << " tokens, the value " << v.getDimSize(1);
  int64_t heads = getHeads();
  if (heads < 1)
    return emitOpError("C2: ") << heads << " heads; there must be at least one";
  for (RankedTensorType type : {q, v})
    if (type.getDimSize(2) % heads != 0)
      return emitOpError("C2: ")
             << heads << " heads do not divide width " << type.getDimSize(2)
             << "; " << suggestHeads(heads, type.getDimSize(2));
  int64_t batch = q.getDimSize(0), tokens = q.getDimSize(1);
  RankedTensorType result = tensorOf(getResult());
  if (result.getShape() != ArrayRef<int64_t>({batch, tokens, v.getDimSize(2)}))
    return emitOpError("C3: the result must have the query's tokens and the "
                       "value's width, not ")
           << result;
  if (getBias() && tensorOf(getBias()).getShape() !=
                       ArrayRef<int64_t>({heads, tokens, k.getDimSize(1)}))
    return emitOpError("C4: the bias must be [")
           << heads << " heads, " << tokens << ", " << k.getDimSize(1)
           << " tokens], not " << getBias().getType();
  if (!getProbabilities())
    return success();
  RankedTensorType probabilities = tensorOf(getProbabilities());
  if (probabilities.getShape() !=
      ArrayRef<int64_t>({batch, heads, tokens, k.getDimSize(1)}))
    return emitOpError("C3: the probabilities must be [batch, ")
           << heads << " heads, " << tokens << ", " << k.getDimSize(1)
           << " tokens], not " << probabilities;
  return success();
}

void DropoutOp::build(OpBuilder &builder, OperationState &state, Value input,
                      APFloat probability) {
  build(builder, state, input.getType(), input,
        builder.getF64FloatAttr(probability.convertToDouble()), FloatAttr(),
        Value(), StringAttr(), Value(), Value());
}

void DropPathOp::build(OpBuilder &builder, OperationState &state, Value input,
                       APFloat probability) {
  build(builder, state, input.getType(), input,
        builder.getF64FloatAttr(probability.convertToDouble()), FloatAttr(),
        Value(), StringAttr(), Value(), Value());
}

template <typename Op> static LogicalResult verifyDrop(Op op) {
  double probability = op.getProbability().convertToDouble();
  if (!(probability >= 0.0 && probability < 1.0))
    return op.emitOpError("C1: the probability ")
           << probability << " must be at least 0 and below 1";
  bool random = op.getRandom().has_value();
  if (random != bool(op.getSeed()) || random != bool(op.getStep()) ||
      (random && op.getRandom()->empty()))
    return op.emitOpError("C2: give a name, a seed and a step, as in "
                          "random \"drop\", %seed, %step, or none of them");
  std::optional<APFloat> last = op.getLast();
  if (last.has_value() != bool(op.getLayer()) ||
      (last &&
       !(last->convertToDouble() >= 0.0 && last->convertToDouble() < 1.0)))
    return op.emitOpError("C3: give the last layer's probability, at least 0 "
                          "and below 1, and the layer's number, as in to 0.1 "
                          "over %layer, or neither");
  return success();
}

LogicalResult DropoutOp::verify() { return verifyDrop(*this); }
LogicalResult DropPathOp::verify() { return verifyDrop(*this); }
