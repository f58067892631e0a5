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

/// The `group` of `#kernel.blocked` for each activation: an attention and a
/// norm of groups want each group padded alone where it is no multiple of 16;
/// element-wise work, products and tokens take what their neighbours want, so
/// that as little as possible is converted.
class HeadGroups {
public:
  explicit HeadGroups(func::FuncOp entry);

  /// The group of the activations that `kernel` reads (but for those that it
  /// reads in any group) and writes.
  int64_t getGroup(KernelOpInterface kernel) const;

private:
  llvm::EquivalenceClasses<void *> classes;
  DenseMap<void *, int64_t> groups; // by a class's leader
};

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_HEADGROUPS_H
