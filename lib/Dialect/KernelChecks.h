//===- KernelChecks.h - What kernel ops' verifiers share --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_DIALECT_KERNELCHECKS_H
#define VIT_LIB_DIALECT_KERNELCHECKS_H

#include "vit/Dialect/Kernel.h"

namespace mlir::vit::kernel {

inline RankedTensorType tensorOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// C1 of attention and its adjoint: heads * headDim channels of query, key and
/// value [batch, tokens, channels] from their offsets on.
LogicalResult verifyAttentionOperands(Operation *op, int64_t heads,
                                      int64_t headDim,
                                      ArrayRef<int64_t> offsets, Value query,
                                      Value key, Value value);

/// Checks that the ops of a region are scalar code that ends in kernel.yield.
/// Errors mention `constraint`.
LogicalResult verifyScalarCode(Operation *op, Region &region,
                               StringRef constraint);

/// C1 of kernel.derive and kernel.pack: one source with the element count of
/// the result or with one element, or several sources that are concatenated.
LogicalResult verifySources(Operation *op, ValueRange sources,
                            RankedTensorType result);

} // namespace mlir::vit::kernel

#endif // VIT_LIB_DIALECT_KERNELCHECKS_H
