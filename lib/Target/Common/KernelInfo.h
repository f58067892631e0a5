//===- KernelInfo.h - What a dispatch says of its kernel --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_KERNELINFO_H
#define VIT_TARGET_COMMON_KERNELINFO_H

#include "vit/Kernel/Layout.h"

namespace mlir::vit {

/// What a dispatch records about its kernel.
struct KernelInfo {
  kernel::ExtentAttr units;     ///< number of work units; on a GPU, workgroups
  kernel::ExtentAttr flop = {}; ///< null: operations are not counted
  int64_t scratch = 0;          ///< CPU: bytes per thread
};

/// Returns `count` for each image.
inline kernel::ExtentAttr perImage(Operation *op, int64_t count) {
  return kernel::ExtentAttr::get(op->getContext(), count, 1, 1);
}

/// Returns `units` units for every batch, whose operations are not counted.
inline KernelInfo withoutBatch(Operation *op, int64_t units) {
  return {
      kernel::ExtentAttr::get(op->getContext(), units, 1, kernel::kNoBatch)};
}

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_KERNELINFO_H
