//===- Cluster.h - Workgroups that share operands ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_KERNEL_CLUSTER_H
#define VIT_KERNEL_CLUSTER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Operation.h"

namespace mlir::vit::kernel {

/// Of an op: the workgroups that run together and share an operand, an i64. Set
/// by vit-tile with the tile, where it is more than 1.
inline constexpr llvm::StringLiteral kClusterAttr = "kernel.cluster";

/// 1: each workgroup works by itself.
inline int64_t getCluster(Operation *op) {
  auto cluster = op->getAttrOfType<IntegerAttr>(kClusterAttr);
  return cluster ? cluster.getInt() : 1;
}

inline void setCluster(Operation *op, int64_t cluster) {
  if (cluster == 1)
    op->removeAttr(kClusterAttr);
  else
    op->setAttr(kClusterAttr,
                Builder(op->getContext()).getI64IntegerAttr(cluster));
}

} // namespace mlir::vit::kernel

#endif // VIT_KERNEL_CLUSTER_H
