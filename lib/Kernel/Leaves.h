//===- Leaves.h - What a kernel's scalar code is made of ---------*- C++
//-*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_LEAVES_H
#define VIT_LIB_KERNEL_LEAVES_H

#include "vit/Dialect/Kernel.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::vit::kernel {

/// Whether `value` is a parameter, or made of parameters when they are loaded.
inline bool isLoaded(Value value) {
  return isa_and_nonnull<ReadOp, DeriveOp, ResampleOp>(value.getDefiningOp());
}

/// The extras of one kernel: the values at the leaves of its scalar code.
class Leaves {
public:
  Leaves(Operation *user, RankedTensorType result)
      : user(user), result(result) {}

  /// Takes in what `value` is computed from.
  LogicalResult add(Value value);
  /// The kernel's own first argument stands for `value`.
  void setElement(Value value) { element = value; }
  SmallVector<Value> getExtras() const;
  /// The element of `value` in the kernel's scalar code.
  Value emit(OpBuilder &builder, Block &block, Value value) const;

private:
  FailureOr<Value> broadcast(Value leaf);
  FailureOr<Value> reshape(Value leaf);

  Operation *user;
  RankedTensorType result;
  Value element;
  llvm::MapVector<Value, Value> extras; // leaf to operand
};

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_LEAVES_H
