//===- HeadGroups.h - Which activations pad head by head --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_HEADGROUPS_H
#define VIT_LIB_KERNEL_HEADGROUPS_H

#include "vit/Dialect/Kernel.h"

#include "llvm/ADT/EquivalenceClasses.h"

#include <optional>

namespace mlir::vit::kernel {

/// Chooses the `group` of the layout of each activation. Attention and norms of
/// groups need each group padded separately if its size is not a multiple of
/// 16. All other kernels get the group of their neighbours, so that few
/// conversions are needed.
class HeadGroups {
public:
  explicit HeadGroups(func::FuncOp entry);

  /// Returns the group of the activations that `kernel` writes and reads,
  /// except for operands that it reads in any group.
  int64_t getGroup(KernelOpInterface kernel) const;

private:
  llvm::EquivalenceClasses<void *> classes;
  DenseMap<void *, int64_t> groups; // by a class's leader
};

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_HEADGROUPS_H
