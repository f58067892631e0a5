//===- ElementCode.h - The scalar code of element-wise ops ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_ELEMENTCODE_H
#define VIT_LIB_KERNEL_ELEMENTCODE_H

#include "vit/Dialect/Kernel.h"

namespace mlir::vit::kernel {

/// Returns whether `op`, of the vit dialect, computes each element of its
/// result from the corresponding elements of its operands.
bool isElementwise(Operation *op);

/// Emits the f32 code that computes an element of `op`, an element-wise op,
/// from the elements of its operands. Dropout and drop path are the identity.
Value emitElement(OpBuilder &builder, Operation *op, ArrayRef<Value> operands);

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_ELEMENTCODE_H
