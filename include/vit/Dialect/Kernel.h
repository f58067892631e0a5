//===- Kernel.h - The kernel dialect ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_KERNEL_H
#define VIT_DIALECT_KERNEL_H

#include "vit/Dialect/Vit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TensorEncoding.h"

#include "KernelDialect.h.inc"
#include "KernelEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "KernelAttributes.h.inc"
#define GET_OP_CLASSES
#include "KernelOps.h.inc"

#endif // VIT_DIALECT_KERNEL_H
