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

/// Builds at `builder`'s place, which lies behind the ops of `block` that are
/// to be differentiated, the gradients of the values `wanted`. `seeds` are the
/// values that the walk begins with and their gradients: for a loss, a
/// constant 1. Returns one value per wanted one, null where the seeds do not
/// depend on it. An op in between without an adjoint is an error.
FailureOr<SmallVector<Value>>
buildGradients(OpBuilder &builder, Block &block,
               ArrayRef<std::pair<Value, Value>> seeds, ValueRange wanted);

} // namespace mlir::vit

#endif // VIT_GRAPH_DIFFERENTIATE_H
