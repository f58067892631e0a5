//===- Kernel.h - The kernel dialect ----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DIALECT_KERNEL_H
#define VIT_DIALECT_KERNEL_H

#include "vit/Dialect/Vit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TensorEncoding.h"

#include "KernelDialect.h.inc"
#include "KernelEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "KernelAttributes.h.inc"

namespace mlir::vit::kernel {

/// The memory layout in which a kernel reads an operand. The groups of channels
/// (attention heads) are those of Blocked and Channels.
enum class OperandLayout {
  RowMajor, ///< as it is, without an encoding
  Grouped, ///< in the same groups as the op's results; a parameter in Channels,
           ///< and row-major where neither operand nor results have a batch
  OwnGroup, ///< in the op's own groups, whatever its results' users want
  AnyGroup, ///< in the groups that it has, row-major where it has no batch
  Panels    ///< a parameter packed into Panels
};

/// What one unit of work of a kernel computes.
enum class WorkUnit {
  Elements, ///< some elements of the result, whatever their rows
  Rows,     ///< whole rows
  Image,    ///< all rows of an image
  Batch,    ///< everything
  Tile      ///< a tile of a product or an attention
};

/// The recompute cost of element-wise work: too little to be noticed in a step.
inline constexpr int kElementwiseCost = 0;

/// The norm that `kind` applies to each row; nullopt for softmax.
inline std::optional<NormKind> getNormKind(RowsKind kind) {
  switch (kind) {
  case RowsKind::normalize:
    return NormKind::layer;
  case RowsKind::softmax:
    return std::nullopt;
  case RowsKind::rms:
    return NormKind::rms;
  case RowsKind::l2:
    return NormKind::l2;
  }
  llvm_unreachable("no such row operation");
}

/// The group size of a norm over `groups` equal parts of a row of `type`.
inline int64_t getNormGroup(RankedTensorType type, int64_t groups) {
  return groups == 1 ? 0 : type.getShape().back() / groups;
}

/// Elements that `count` elements take in an arena, in a concat, or in a slot
/// where they have no batch and are row-major: a multiple of 16, with zeros
/// behind the last.
inline int64_t occupiedElements(int64_t count) {
  return (count + 15) / 16 * 16;
}

/// Whether an extra of `type` has one element for each row of `result`.
inline bool isRowExtra(RankedTensorType type, RankedTensorType result) {
  return type.getRank() == result.getRank() && type.getRank() > 1 &&
         type.getShape().back() == 1 && result.getShape().back() != 1 &&
         type.getShape().drop_back() == result.getShape().drop_back();
}

/// C1 of all launches: the slots, where given, and the ends belong to results.
LogicalResult verifyLaunch(Operation *op);

/// Whether `value` is known only when an entry runs: an argument, or computed
/// by a kernel (or its dispatch). All others are parameters, what is derived
/// from them, constants and ranges of arenas.
bool isComputed(Value value);

/// The gradient that a kernel.all_reduce sums to `value`, in the same memory;
/// null where no such op computes `value`.
OpOperand *getReduced(Value value);

} // namespace mlir::vit::kernel

#include "KernelInterfaces.h.inc"
#define GET_OP_CLASSES
#include "KernelOps.h.inc"

#endif // VIT_DIALECT_KERNEL_H
