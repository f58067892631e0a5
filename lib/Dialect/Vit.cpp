//===- Vit.cpp - The vit dialect ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"

#include "vit/Dialect/Products.h"

#include "format/Level.h"
#include "format/Meaning.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;

/// Parses and prints a floating-point parameter of an attribute as a double.
template <> struct mlir::FieldParser<llvm::APFloat> {
  static FailureOr<llvm::APFloat> parse(AsmParser &parser) {
    double value = 0.0;
    if (parser.parseFloat(value))
      return failure();
    return llvm::APFloat(value);
  }
};

/// `6 x tensor<768x192xf32>` or `tensor<768x192xf32>`.
static ParseResult parseLayeredType(OpAsmParser &parser, IntegerAttr &layers,
                                    TypeAttr &type) {
  int64_t count = 0;
  OptionalParseResult found = parser.parseOptionalInteger(count);
  if (found.has_value()) {
    if (failed(*found) || parser.parseKeyword("x"))
      return failure();
    layers = parser.getBuilder().getI64IntegerAttr(count);
  }
  Type parsed;
  if (parser.parseType(parsed))
    return failure();
  type = TypeAttr::get(parsed);
  return success();
}

static void printLayeredType(OpAsmPrinter &printer, Operation *,
                             IntegerAttr layers, TypeAttr type) {
  if (layers)
    printer << layers.getInt() << " x ";
  printer << type.getValue();
}

/// `[%i]` or `[3]` of vit.read, or nothing.
static ParseResult
parseLayerIndex(OpAsmParser &parser,
                std::optional<OpAsmParser::UnresolvedOperand> &index,
                IntegerAttr &layer) {
  if (failed(parser.parseOptionalLSquare()))
    return success();
  OpAsmParser::UnresolvedOperand operand;
  OptionalParseResult found = parser.parseOptionalOperand(operand);
  if (found.has_value()) {
    if (failed(*found))
      return failure();
    index = operand;
    return parser.parseRSquare();
  }
  int64_t number = 0;
  if (parser.parseInteger(number) || parser.parseRSquare())
    return failure();
  layer = parser.getBuilder().getI64IntegerAttr(number);
  return success();
}

static void printLayerIndex(OpAsmPrinter &printer, Operation *, Value index,
                            IntegerAttr layer) {
  if (index)
    printer << "[" << index << "]";
  if (layer)
    printer << "[" << layer.getInt() << "]";
}

/// `[3]` of an update, or nothing.
static ParseResult parseLayer(OpAsmParser &parser, IntegerAttr &layer) {
  int64_t number = 0;
  if (failed(parser.parseOptionalLSquare()))
    return success();
  if (parser.parseInteger(number) || parser.parseRSquare())
    return failure();
  layer = parser.getBuilder().getI64IntegerAttr(number);
  return success();
}

static void printLayer(OpAsmPrinter &printer, Operation *, IntegerAttr layer) {
  if (layer)
    printer << "[" << layer.getInt() << "]";
}

#include "VitDialect.cpp.inc"
#include "VitEnums.cpp.inc"
#include "VitInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "VitAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "VitOps.cpp.inc"

void VitDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "VitAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "VitOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes of modules and functions
//===----------------------------------------------------------------------===//

namespace format = ::vit::format;

static bool isTokenKind(Attribute attribute) {
  auto name = dyn_cast<StringAttr>(attribute);
  return name && format::findName(format::kTokenKinds, name.getValue());
}

static bool isKeptProduct(Attribute attribute) {
  auto pair = dyn_cast<ArrayAttr>(attribute);
  return pair && pair.size() == 2 && isa<StringAttr>(pair[0]) &&
         isa<PrecisionAttr>(pair[1]);
}

LogicalResult VitDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  if (name == "vit.labels") {
    auto labels = dyn_cast<ArrayAttr>(attribute.getValue());
    if (!labels || !llvm::all_of(labels, llvm::IsaPred<StringAttr>))
      return op->emitOpError(
          "vit.labels must be an array of strings, one per class");
  } else if (name == "vit.preprocessing") {
    if (!isa<DictionaryAttr>(attribute.getValue()))
      return op->emitOpError("vit.preprocessing must be a dictionary");
  } else if (name == "vit.problem_type") {
    auto type = dyn_cast<StringAttr>(attribute.getValue());
    if (!type || !format::findName(format::kProblemTypes, type.getValue()))
      return op->emitOpError(
          "vit.problem_type must be \"single_label_classification\", "
          "\"multi_label_classification\" or \"regression\"");
  } else if (name == "vit.resampling") {
    auto how = dyn_cast<StringAttr>(attribute.getValue());
    if (!how || (how.getValue() != "antialias" && how.getValue() != "none"))
      return op->emitOpError(
          "vit.resampling must be \"antialias\" or \"none\"");
  } else if (name == "vit.prefix_tokens") {
    auto tokens = dyn_cast<ArrayAttr>(attribute.getValue());
    if (!tokens || !llvm::all_of(tokens, isTokenKind) ||
        !op->hasAttr("vit.patch_grid"))
      return op->emitOpError(
          "vit.prefix_tokens must be an array of \"class\", \"distillation\" "
          "and \"register\", the tokens before the patches, beside "
          "vit.patch_grid");
  } else if (name == kKeptAttribute) {
    auto kept = dyn_cast<ArrayAttr>(attribute.getValue());
    if (!kept || !llvm::all_of(kept, isKeptProduct))
      return op->emitOpError()
             << name << " must be an array of [\"name\", #vit<precision bf16>]";
  } else if (name == "vit.patch_grid") {
    auto grid = dyn_cast<DenseI64ArrayAttr>(attribute.getValue());
    if (!grid || grid.size() != 2 ||
        !llvm::all_of(grid.asArrayRef(),
                      [](int64_t n) { return n >= 1 && n <= INT32_MAX; }))
      return op->emitOpError(
          "vit.patch_grid must be array<i64: rows, columns>");
  }
  return success();
}

LogicalResult VitDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                   unsigned index,
                                                   NamedAttribute attribute) {
  Attribute value = attribute.getValue();
  if (attribute.getName() == "vit.role" && !isa<RoleAttr>(value))
    return op->emitOpError("vit.role of argument ")
           << index << " must be a role, such as #vit.role<targets>";
  auto classes = dyn_cast<IntegerAttr>(value);
  if (attribute.getName() == "vit.classes" &&
      (!classes || classes.getInt() < 1 || classes.getInt() > INT32_MAX))
    return op->emitOpError("vit.classes of argument ")
           << index << " must be a number of classes";
  return success();
}

LogicalResult
VitDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned index,
                                        NamedAttribute attribute) {
  if (attribute.getName() == "vit.role" && !isa<RoleAttr>(attribute.getValue()))
    return op->emitOpError("vit.role of result ")
           << index << " must be a role, such as #vit.role<loss>";
  if (attribute.getName() != "vit.name")
    return success();
  auto name = dyn_cast<StringAttr>(attribute.getValue());
  if (!name || name.empty())
    return op->emitOpError("vit.name of result ")
           << index << " must be a string, such as \"logits\"";
  auto function = cast<FunctionOpInterface>(op);
  for (unsigned other = 0; other < index; ++other)
    if (function.getResultAttr(other, "vit.name") == name)
      return op->emitOpError("results ")
             << other << " and " << index << " are both named " << name;
  return success();
}

LogicalResult InitAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               Distribution distribution, APFloat value) {
  bool positive = distribution != Distribution::constant;
  if (!value.isFinite() || (positive && value.isNegative()))
    return emitError() << "C1: the initialiser's value must be "
                       << (positive ? "a number, 0 or more" : "a number");
  return success();
}

bool mlir::vit::isForTraining(Precision precision) {
  ::vit::format::ElementType type;
  return ::vit::format::parsePrecision(stringifyPrecision(precision), type) &&
         ::vit::format::isForTraining(type);
}
