//===- ScalarCode.h - The scalar code of fused kernels -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_SCALARCODE_H
#define VIT_TARGET_COMMON_SCALARCODE_H

#include "CodeBuilder.h"
#include "vit/Dialect/Kernel.h"

namespace mlir::vit {

/// Whether `inlineRegion` knows each op of the region, scalar code of the
/// kernel `op`; else emits an error.
LogicalResult verifyRegion(Operation *op, Region &region);
/// The same for both regions of an update.
LogicalResult verifyUpdate(kernel::UpdateOp op);

/// What a verified region yields for `arguments`. Its f32 and f64 values become
/// values of `type`: f32, a vector of it, or f64. An argument that the region
/// does not use may be null.
SmallVector<Value> inlineRegion(CodeBuilder &b, Region &region, Type type,
                                ArrayRef<Value> arguments);
/// The one value of an epilogue, whose arguments are all of one type.
Value inlineEpilogue(CodeBuilder &b, Region &region, ArrayRef<Value> arguments);

/// Whether the region makes zero of zeros: then padded channels need no mask.
bool makesZeroOfZeros(Region &region);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_SCALARCODE_H
