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
/// or computed (isComputed).
inline bool isActivation(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getRank() > 0 && type.isDynamicDim(0);
}

/// The block of an op's scalar code.
inline Block &getEpilogue(EpilogueOpInterface op) {
  return op.getEpilogue().front();
}

/// Adds the block of scalar code, one argument for the element and one per
/// extra; returns a builder at its start.
inline OpBuilder addEpilogue(EpilogueOpInterface op) {
  OpBuilder builder(op.getContext());
  Block &block = op.getEpilogue().emplaceBlock();
  unsigned count = 1 + op.getExtras().size();
  for (unsigned i = 0; i < count; ++i)
    block.addArgument(builder.getF32Type(), op->getLoc());
  builder.setInsertionPointToStart(&block);
  return builder;
}

/// Adds scalar code that returns the element as it is.
inline void addIdentity(EpilogueOpInterface op) {
  OpBuilder code = addEpilogue(op);
  YieldOp::create(code, op->getLoc(), getEpilogue(op).getArgument(0));
}

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_KERNELUTILS_H
