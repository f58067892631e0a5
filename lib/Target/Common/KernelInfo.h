//===- KernelInfo.h - What a dispatch says of its kernel --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_KERNELINFO_H
#define VIT_TARGET_COMMON_KERNELINFO_H

#include "vit/Dialect/Kernel.h"

namespace mlir::vit {

/// What a dispatch records about its kernel.
struct KernelInfo {
  kernel::ExtentAttr units; ///< number of work units; on a GPU, workgroups
  kernel::ExtentAttr flop;
  int64_t scratch = 0; ///< CPU: bytes per thread
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_KERNELINFO_H
