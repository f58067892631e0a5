//===- Vit.cpp - The vit dialect ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;

/// An attribute's floating-point parameter, a double in the text.
template <> struct mlir::FieldParser<llvm::APFloat> {
  static FailureOr<llvm::APFloat> parse(AsmParser &parser) {
    double value = 0.0;
    if (parser.parseFloat(value))
      return failure();
    return llvm::APFloat(value);
  }
};

#include "VitDialect.cpp.inc"
#include "VitEnums.cpp.inc"
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
