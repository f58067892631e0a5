//===- Shapes.h - What ops with inferred types share ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_DIALECT_SHAPES_H
#define VIT_LIB_DIALECT_SHAPES_H

#include "vit/Dialect/Vit.h"

namespace mlir::vit {

/// Returns whether two sizes can be equal; a dynamic size can be equal to any.
inline bool agree(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

/// Checks that the operands of the op are consistent and that its result has
/// the inferred type.
template <typename Op> LogicalResult verifyInferred(Op op) {
  SmallVector<Type, 1> inferred;
  if (failed(Op::inferReturnTypes(op.getContext(), op.getLoc(),
                                  typename Op::Adaptor(op), inferred)))
    return failure();
  if (op.getResult().getType() == inferred.front())
    return success();
  return op.emitOpError("the result must be ")
         << inferred.front() << ", not " << op.getResult().getType();
}

} // namespace mlir::vit

#endif // VIT_LIB_DIALECT_SHAPES_H
