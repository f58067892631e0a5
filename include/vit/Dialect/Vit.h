//===- Vit.h - The vit dialect ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_VIT_H
#define VIT_DIALECT_VIT_H

#include "vit/Dialect/Gradients.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "VitDialect.h.inc"
#include "VitEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "VitAttributes.h.inc"
#include "VitInterfaces.h.inc"
#define GET_OP_CLASSES
#include "VitOps.h.inc"

namespace mlir {
class RewriterBase;
} // namespace mlir

namespace mlir::vit {

/// Returns the type of `value`, which is a tensor.
inline RankedTensorType tensorOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Whether products of `precision` have adjoints (format/Level.h).
bool isForTraining(Precision precision);

/// Removes the result of `op` with probabilities; fails if it has users or does
/// not exist. `rewriter` inserts before `op`.
LogicalResult dropProbabilities(AttentionOp op, RewriterBase &rewriter);

} // namespace mlir::vit

#endif // VIT_DIALECT_VIT_H
