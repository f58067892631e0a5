//===- ElementCode.h - The scalar code of element-wise ops ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_ELEMENTCODE_H
#define VIT_LIB_KERNEL_ELEMENTCODE_H

#include "vit/Dialect/Kernel.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::vit::kernel {

/// Returns whether `op`, of the vit dialect, computes each element of its
/// result from the corresponding elements of its operands.
bool isElementwise(Operation *op);

/// Emits the f32 code that computes an element of `op`, an element-wise op,
/// from the elements of its operands. Dropout and drop path are the identity.
Value emitElement(OpBuilder &builder, Operation *op, ArrayRef<Value> operands);

/// Returns whether `value` is a parameter or derived from parameters when the
/// module is loaded.
inline bool isLoaded(Value value) {
  return isa_and_nonnull<ReadOp, DeriveOp, ResampleOp, RelativePositionsOp,
                         RowScalesOp>(value.getDefiningOp());
}

/// Collects the extras of a kernel: the leaves of the expression that its
/// scalar code computes.
class Leaves {
public:
  Leaves(Operation *user, RankedTensorType result)
      : user(user), result(result) {}

  /// Adds the leaves of `value`.
  LogicalResult add(Value value);
  /// Makes the element, the first argument of the scalar code, represent
  /// `value`.
  void setElement(Value value) { element = value; }
  SmallVector<Value> getExtras() const;
  /// Emits the scalar code that computes an element of `value`.
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

#endif // VIT_LIB_KERNEL_ELEMENTCODE_H
