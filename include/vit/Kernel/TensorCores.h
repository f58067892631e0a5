//===- TensorCores.h - Which kernels use matrix instructions ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_KERNEL_TENSORCORES_H
#define VIT_KERNEL_TENSORCORES_H

#include "vit/Dialect/Kernel.h"
#include "vit/Target/Level.h"

namespace mlir::vit::kernel {

/// The threads that a matrix instruction is of.
enum class MatrixUnit {
  None,
  Warp,      ///< mma.sync
  Warpgroup, ///< wgmma, four warps
  Subgroup   ///< cooperative matrices of Vulkan
};

/// Whether the operands of `op`, which are f32, are rounded to tf32 when they
/// are multiplied.
bool isTf32(Operation *op);

/// The type that the operands of the products of `op`, a kernel with products,
/// are rounded to.
::vit::format::ElementType getPrecision(Operation *op);

/// The matrix instructions by which code for `level`, a level of a GPU,
/// computes `op`: products and attentions of f16, bf16 or tf32 where the level
/// has such instructions and the table in TensorCores.cpp a kernel. Not those
/// attentions whose sums or statistics exceed registers or workgroup memory,
/// nor those that return their probabilities.
MatrixUnit getMatrixUnit(Operation *op, const Level &level);
inline bool usesTensorCores(Operation *op, const Level &level) {
  return getMatrixUnit(op, level) != MatrixUnit::None;
}

/// Whether code for `level`, a level of a GPU, computes `op` by dot products of
/// four i8: products of i8 where the level has such an instruction.
bool usesDotProducts(Operation *op, const Level &level);

} // namespace mlir::vit::kernel

#endif // VIT_KERNEL_TENSORCORES_H
