//===- TensorCores.cpp - Which kernels use matrix instructions ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Kernel/TensorCores.h"

#include "GpuTiles.h"

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

//===----------------------------------------------------------------------===//
// The kernels of matrix instructions
//===----------------------------------------------------------------------===//

static bool hasFittingShape(GemmOp) { return true; }
static bool hasFittingShape(WeightGradientOp) { return true; }

/// The sums of a larger head do not stay in registers.
static bool hasFittingShape(kernel::AttentionOp op) {
  return !op.getProbabilities() && op.getHeadDim() <= kMostMatrixHead;
}

/// The statistics of more queries do not fit in workgroup memory with the
/// operands of such a head.
static bool hasFittingShape(kernel::AttentionBackwardOp op) {
  return op.getHeadDim() <= kMostMatrixHead &&
         tensorOf(op.getQuery()).getDimSize(1) <= kMostMatrixQueries;
}

template <typename Op> static bool isFitting(Operation *op, const Level &) {
  auto own = dyn_cast<Op>(op);
  return own && hasFittingShape(own);
}

/// The same for a kernel whose tile depends on the workgroup memory of a level.
static bool isFittingBackward(Operation *op, const Level &level) {
  auto own = dyn_cast<kernel::AttentionBackwardOp>(op);
  return own && hasFittingShape(own) && getMatrixBackwardTile(own, level);
}

/// The same for instructions of warpgroups, whose levels have more workgroup
/// memory.
static bool isFittingWarpgroupBackward(Operation *op, const Level &) {
  constexpr int64_t mostQueries = 8192;
  auto own = dyn_cast<kernel::AttentionBackwardOp>(op);
  return own && own.getHeadDim() <= kMostMatrixHead &&
         tensorOf(own.getQuery()).getDimSize(1) <= mostQueries;
}

namespace {
struct MatrixKernel {
  MatrixUnit unit;
  bool (*computes)(Operation *, const Level &);
};
} // namespace

/// One row for each emitter of CUDA/TensorEmitters.h and
/// Vulkan/MatrixEmitters.h. Of those that compute an op at a level, the first
/// is taken.
static constexpr MatrixKernel kMatrixKernels[] = {
    {MatrixUnit::Warpgroup, isFitting<GemmOp>},
    {MatrixUnit::Warpgroup, isFitting<WeightGradientOp>},
    {MatrixUnit::Warpgroup, isFitting<kernel::AttentionOp>},
    {MatrixUnit::Warpgroup, isFittingWarpgroupBackward},

    {MatrixUnit::Warp, isFitting<GemmOp>},
    {MatrixUnit::Warp, isFitting<WeightGradientOp>},
    {MatrixUnit::Warp, isFitting<kernel::AttentionOp>},
    {MatrixUnit::Warp, isFitting<kernel::AttentionBackwardOp>},

    {MatrixUnit::Subgroup, isFitting<GemmOp>},
    {MatrixUnit::Subgroup, isFitting<WeightGradientOp>},
    {MatrixUnit::Subgroup, isFitting<kernel::AttentionOp>},
    {MatrixUnit::Subgroup, isFittingBackward},
};

//===----------------------------------------------------------------------===//
// Which of them a level runs
//===----------------------------------------------------------------------===//

ElementType mlir::vit::kernel::getPrecision(Operation *op) {
  if (isTf32(op))
    return ElementType::TF32;
  Type element = tensorOf(op->getOperand(0)).getElementType();
  return element.isBF16()  ? ElementType::BF16
         : element.isF16() ? ElementType::F16
                           : ElementType::F32;
}

/// Whether `level` runs the instructions of `unit` in the precision of
/// `product`, one of its products. A device with those of warpgroups has those
/// of warps, too.
static bool offers(const Level &level, const ::vit::format::Product &product,
                   MatrixUnit unit) {
  constexpr int warpgroupRows = 64; // of an instruction
  if (product.m == 1)
    return false;
  if (level.target == ::vit::format::Target::Vulkan)
    return unit == MatrixUnit::Subgroup;
  return unit == MatrixUnit::Warp ||
         (unit == MatrixUnit::Warpgroup && product.m == warpgroupRows);
}

MatrixUnit mlir::vit::kernel::getMatrixUnit(Operation *op, const Level &level) {
  for (const MatrixKernel &kernel : kMatrixKernels) {
    if (!kernel.computes(op, level))
      continue;
    const ::vit::format::Product *product =
        ::vit::format::findProduct(level, getPrecision(op));
    if (product && offers(level, *product, kernel.unit))
      return kernel.unit;
  }
  return MatrixUnit::None;
}

bool mlir::vit::kernel::usesDotProducts(Operation *op, const Level &level) {
  auto gemm = dyn_cast<GemmOp>(op);
  if (!gemm || !tensorOf(gemm.getInput()).getElementType().isInteger(8))
    return false;
  const ::vit::format::Product *product =
      ::vit::format::findProduct(level, ::vit::format::ElementType::I8);
  return product && product->k > 1;
}
