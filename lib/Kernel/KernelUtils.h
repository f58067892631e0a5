//===- KernelUtils.h - What the kernel passes share -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_KERNELUTILS_H
#define VIT_LIB_KERNEL_KERNELUTILS_H

#include "vit/Dialect/Kernel.h"

#include <map>

namespace mlir::vit::kernel {

/// Returns whether the first dimension of `value` is the batch.
inline bool isActivation(Value value) {
  RankedTensorType type = tensorOf(value);
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

/// The bytes of values that are live at each position of a program.
class LiveBytes {
public:
  /// Adds a value that is live from position `begin` to `end`.
  void add(int64_t begin, int64_t end, int64_t bytes) {
    changes[begin] += bytes;
    changes[end + 1] -= bytes;
  }
  /// Returns the first position at which the most bytes are live, and how many
  /// that are.
  std::pair<int64_t, int64_t> getPeak() const {
    std::pair<int64_t, int64_t> peak = {0, 0};
    int64_t now = 0;
    for (auto [position, change] : changes)
      if ((now += change) > peak.second)
        peak = {position, now};
    return peak;
  }

private:
  std::map<int64_t, int64_t> changes;
};

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_KERNELUTILS_H
