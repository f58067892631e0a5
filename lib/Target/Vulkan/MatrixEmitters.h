//===- MatrixEmitters.h - Kernels of cooperative matrices -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_VULKAN_MATRIXEMITTERS_H
#define VIT_TARGET_VULKAN_MATRIXEMITTERS_H

#include "../Simt/Emitters.h"

namespace mlir::vit::vulkan {

/// Invocations of a subgroup: the runtime requires full subgroups of this size
/// of the driver.
inline constexpr int64_t kSubgroup = 32;
/// Rows, columns and depth of a cooperative matrix.
inline constexpr int64_t kMatrix = 16;

// They are as the emitters of Simt/Emitters.h, for ops of which
// kernel::usesTensorCores says that they use matrix instructions. Matrices are
// gpu.mma_matrix. That type has no bf16: f16 stands for it, and nothing here
// uses f16 itself. A leading dimension counts elements of the memref, which are
// vectors of 4 numbers.

/// Emits any of these ops.
FailureOr<KernelInfo> emitMatrix(Operation *op, simt::SimtBuilder &b);

/// The weight is in panels of one column: row-major, with padded channels.
FailureOr<KernelInfo> emitMatrixGemm(kernel::GemmOp op, simt::SimtBuilder &b);

} // namespace mlir::vit::vulkan

#endif // VIT_TARGET_VULKAN_MATRIXEMITTERS_H
