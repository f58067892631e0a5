//===- Differentiate.h - Gradients of values in a block ------- -*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_GRAPH_DIFFERENTIATE_H
#define VIT_GRAPH_DIFFERENTIATE_H

#include "vit/Dialect/Vit.h"

namespace mlir::vit {

/// Builds the gradients of the values `wanted` at the insertion point of
/// `builder`, which must follow the ops of `block` to differentiate. `seeds`
/// are the values at which the backward pass starts and their gradients: for a
/// loss, a constant 1. Returns one value per wanted value, null if the seeds do
/// not depend on it. An op on the path that has no adjoint is an error.
FailureOr<SmallVector<Value>>
buildGradients(OpBuilder &builder, Block &block,
               ArrayRef<std::pair<Value, Value>> seeds, ValueRange wanted);

} // namespace mlir::vit

#endif // VIT_GRAPH_DIFFERENTIATE_H
