//===- KernelUtils.h - What the kernel passes share -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_KERNELUTILS_H
#define VIT_LIB_KERNEL_KERNELUTILS_H

#include "vit/Dialect/Kernel.h"

namespace mlir::vit::kernel {

/// Whether a value has a batch. One that has none is made of parameters alone,
/// or a kernel computes it (isComputed).
inline bool isActivation(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getRank() > 0 && type.isDynamicDim(0);
}

/// An op with scalar code: gemm, rows, map or prepend.
inline bool hasEpilogue(Operation *op) {
  return isa_and_nonnull<GemmOp, RowsOp, MapOp, PrependOp>(op);
}

/// An op that is one launch: it computes activations, gradients or numbers, or
/// changes variables.
inline bool isKernel(Operation *op) {
  return hasEpilogue(op) ||
         isa_and_nonnull<AttentionOp, PatchifyOp, TakeOp, MeanOp, RelayoutOp,
                         WeightGradientOp, SumOp, NormalizeBackwardOp,
                         SoftmaxBackwardOp, AttentionBackwardOp, PlaceOp,
                         SpreadOp, DropoutOp, LossOp, LossBackwardOp, PackOp,
                         NormOp, UpdateOp>(op);
}

/// Whether a value is known only when an entry runs: an argument, or made by a
/// kernel. All others are made of parameters and constants alone.
inline bool isComputed(Value value) {
  Operation *op = value.getDefiningOp();
  return !op || isKernel(op) || isa<ConcatOp>(op);
}

/// The block of an op's scalar code.
inline Block &getEpilogue(Operation *op) { return op->getRegion(0).front(); }

/// How many operands of an op with scalar code come before its extras.
inline unsigned getExtrasBegin(Operation *op) {
  return isa<GemmOp, PrependOp>(op) ? 2 : 1;
}

inline OperandRange getExtras(Operation *op) {
  return op->getOperands().drop_front(getExtrasBegin(op));
}

/// Adds the block of scalar code, one argument for the element and one per
/// extra; returns a builder at its start.
inline OpBuilder addEpilogue(Operation *op) {
  OpBuilder builder(op->getContext());
  Block &block = op->getRegion(0).emplaceBlock();
  unsigned count = 1 + getExtras(op).size();
  for (unsigned i = 0; i < count; ++i)
    block.addArgument(builder.getF32Type(), op->getLoc());
  builder.setInsertionPointToStart(&block);
  return builder;
}

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_KERNELUTILS_H
