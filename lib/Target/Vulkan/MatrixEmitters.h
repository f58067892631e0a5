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

/// The matrices of a kernel, which are of one kind: a product is of
/// [rows, depth] by [depth, columns].
struct MatrixShape {
  int64_t rows, columns, depth;
  /// Invocations of a subgroup, which multiplies them: the runtime requires
  /// full subgroups of this size of the driver.
  int64_t subgroup;

  /// Vectors of a row of the sums and of the left operand.
  int64_t columnVectors() const { return columns / simt::kVectorLanes; }
  int64_t depthVectors() const { return depth / simt::kVectorLanes; }
};
/// That of the kernel that is being built.
MatrixShape getMatrixShape(const simt::SimtBuilder &b);

/// Vectors between the rows of an operand in workgroup memory that are not
/// used, so that the rows of a matrix are in different banks.
inline constexpr int64_t kGap = 2;

// They are as the emitters of Simt/Emitters.h, for ops of which
// kernel::usesTensorCores says that they use matrix instructions. Matrices are
// gpu.mma_matrix, and kMatricesAttr of the kernel says of which kind. A leading
// dimension counts elements of the memref, which are vectors of 4 numbers.

/// Emits any of these ops.
FailureOr<KernelInfo> emitMatrix(Operation *op, simt::SimtBuilder &b);

/// The weight is in panels of one column: row-major, with padded channels.
FailureOr<KernelInfo> emitMatrixGemm(kernel::GemmOp op, simt::SimtBuilder &b);
/// In one part or several of the rows.
FailureOr<KernelInfo> emitMatrixWeightGradient(kernel::WeightGradientOp op,
                                               simt::SimtBuilder &b);
/// Attention without probabilities.
FailureOr<KernelInfo> emitMatrixAttention(kernel::AttentionOp op,
                                          simt::SimtBuilder &b);
FailureOr<KernelInfo>
emitMatrixAttentionBackward(kernel::AttentionBackwardOp op,
                            simt::SimtBuilder &b);

// Ops of matrices. `at`: the vector in workgroup memory where the matrix
// begins; `pitch`: vectors from one of its rows in memory to the next. All
// invocations of a subgroup must reach them. A loop that carries matrices must
// run at least once: in SPIR-V its results are undefined if it does not.
Value makeZeroMatrix(simt::SimtBuilder &b); ///< of sums, in f32
/// An operand of a product. `transposed`: its columns are rows in memory.
Value loadLeft(simt::SimtBuilder &b, Value memory, Value at, int64_t pitch,
               bool transposed = false);
Value loadRight(simt::SimtBuilder &b, Value memory, Value at, int64_t pitch,
                bool transposed);
Value multiplyMatrices(simt::SimtBuilder &b, Value left, Value right,
                       Value sum); ///< left * right + sum
void storeMatrix(simt::SimtBuilder &b, Value sum, Value memory, Value at,
                 int64_t pitch);

} // namespace mlir::vit::vulkan

#endif // VIT_TARGET_VULKAN_MATRIXEMITTERS_H
