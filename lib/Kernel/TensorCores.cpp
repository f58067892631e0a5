//===- TensorCores.cpp - Which kernels use matrix instructions ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Kernel/TensorCores.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

/// The largest head whose sums stay in registers.
static constexpr int64_t kMostHead = 128;
/// The most queries whose statistics fit in workgroup memory with the operands
/// of such a head.
static constexpr int64_t kMostQueries = 2048;

static bool isNarrow(Value value) {
  return tensorOf(value).getElementType().isBF16();
}

/// Whether matrix instructions compute `op` where a level has some.
static bool isForMatrices(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case([](GemmOp gemm) { return isNarrow(gemm.getInput()); })
      .Case([](WeightGradientOp op) { return isNarrow(op.getInput()); })
      .Case([](kernel::AttentionOp op) {
        return isNarrow(op.getQuery()) && !op.getProbabilities() &&
               op.getHeadDim() <= kMostHead;
      })
      .Case([](kernel::AttentionBackwardOp op) {
        return isNarrow(op.getQuery()) && op.getHeadDim() <= kMostHead &&
               tensorOf(op.getQuery()).getDimSize(1) <= kMostQueries;
      })
      .Default([](Operation *) { return false; });
}

MatrixUnit mlir::vit::kernel::getMatrixUnit(Operation *op, const Level &level) {
  /// The rows of an instruction of four warps.
  constexpr int warpgroupRows = 64;
  const ::vit::format::Product *product =
      ::vit::format::findProduct(level, ::vit::format::ElementType::BF16);
  if (!product || product->m == 1 || !isForMatrices(op))
    return MatrixUnit::None;
  // There are no kernels of cooperative matrices for gradients.
  if (level.target == ::vit::format::Target::Vulkan &&
      !isa<GemmOp, kernel::AttentionOp>(op))
    return MatrixUnit::None;
  return product->m == warpgroupRows && isa<GemmOp, WeightGradientOp>(op)
             ? MatrixUnit::Warpgroup
             : MatrixUnit::Warp;
}
