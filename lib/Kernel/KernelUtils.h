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

/// Returns whether the first dimension of `value` is the batch.
inline bool isActivation(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getRank() > 0 && type.isDynamicDim(0);
}

/// Returns the block of the scalar code of `op`.
inline Block &getEpilogue(EpilogueOpInterface op) {
  return op.getEpilogue().front();
}

/// Adds the block of the scalar code, with an argument for the element and one
/// for each extra. Returns a builder that inserts into the block.
inline OpBuilder addEpilogue(EpilogueOpInterface op) {
  OpBuilder builder(op.getContext());
  Block &block = op.getEpilogue().emplaceBlock();
  unsigned count = 1 + op.getExtras().size();
  for (unsigned i = 0; i < count; ++i)
    block.addArgument(builder.getF32Type(), op->getLoc());
  builder.setInsertionPointToStart(&block);
  return builder;
}

/// Adds scalar code that returns the element unchanged.
inline void addIdentity(EpilogueOpInterface op) {
  OpBuilder code = addEpilogue(op);
  YieldOp::create(code, op->getLoc(), getEpilogue(op).getArgument(0));
}

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_KERNELUTILS_H
