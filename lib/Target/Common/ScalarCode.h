//===- ScalarCode.h - The scalar code of fused kernels -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_SCALARCODE_H
#define VIT_TARGET_COMMON_SCALARCODE_H

#include "CodeBuilder.h"

namespace mlir::vit {

/// Whether `inlineRegion` knows each op of the region, scalar code of the
/// kernel `op`; else emits an error.
LogicalResult verifyRegion(Operation *op, Region &region);

/// The value that a verified region yields for `arguments`, f32 or vectors of
/// it, all of one type.
Value inlineRegion(CodeBuilder &b, Region &region, ArrayRef<Value> arguments);

/// Whether the region makes zero of zeros: then padded channels need no mask.
bool makesZeroOfZeros(Region &region);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_SCALARCODE_H
