//===- TensorCores.cpp - Which kernels use matrix instructions ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Kernel/TensorCores.h"

#include "vit/Dialect/Products.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

using ::vit::format::ElementType;

bool mlir::vit::kernel::isTf32(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case<GemmOp, WeightGradientOp, kernel::AttentionOp,
            kernel::AttentionBackwardOp>([](auto op) { return op.getTf32(); })
      .Default([](Operation *) { return false; });
}

/// Whether matrix instructions compute `op` where a level has some for its
/// operands. The sums of a larger head do not stay in registers, and the
/// statistics of more queries do not fit in workgroup memory with the operands
/// of such a head.
static bool isForMatrices(Operation *op) {
  return TypeSwitch<Operation *, bool>(op)
      .Case<GemmOp, WeightGradientOp>([](auto) { return true; })
      .Case([](kernel::AttentionOp op) {
        return !op.getProbabilities() && op.getHeadDim() <= kMostMatrixHead;
      })
      .Case([](kernel::AttentionBackwardOp op) {
        return op.getHeadDim() <= kMostMatrixHead &&
               tensorOf(op.getQuery()).getDimSize(1) <= kMostMatrixQueries;
      })
      .Default([](Operation *) { return false; });
}

/// The precision of the operands of `op`, one of those above.
static ElementType getPrecision(Operation *op) {
  if (isTf32(op))
    return ElementType::TF32;
  return tensorOf(op->getOperand(0)).getElementType().isBF16()
             ? ElementType::BF16
             : ElementType::F32;
}

MatrixUnit mlir::vit::kernel::getMatrixUnit(Operation *op, const Level &level) {
  /// The rows of an instruction of four warps.
  constexpr int warpgroupRows = 64;
  if (!isForMatrices(op))
    return MatrixUnit::None;
  const ::vit::format::Product *product =
      ::vit::format::findProduct(level, getPrecision(op));
  if (!product || product->m == 1)
    return MatrixUnit::None;
  // There are no kernels of cooperative matrices for gradients.
  if (level.target == ::vit::format::Target::Vulkan &&
      !isa<GemmOp, kernel::AttentionOp>(op))
    return MatrixUnit::None;
  return product->m == warpgroupRows && !isa<AttentionBackwardOp>(op)
             ? MatrixUnit::Warpgroup
             : MatrixUnit::Warp;
}

bool mlir::vit::kernel::usesDotProducts(Operation *op, const Level &level) {
  auto gemm = dyn_cast<GemmOp>(op);
  if (!gemm || !tensorOf(gemm.getInput()).getElementType().isInteger(8))
    return false;
  const ::vit::format::Product *product =
      ::vit::format::findProduct(level, ::vit::format::ElementType::I8);
  return product && product->k > 1;
}
