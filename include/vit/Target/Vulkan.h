//===- Vulkan.h - Code for Vulkan -------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From `gpu.module @kernels`, as vit-emit-simt leaves it, to SPIR-V 1.3 for
// Vulkan 1.1. A kernel reads and writes
//   set 0, binding 0: the workspace arena;
//   set 0, binding 1: derived forms and constants, read only;
//   push constants, 32 x u32: [0] the batch, [1] the launch's first unit,
//     [2 + i] the offset of argument i of the dispatch in its binding, in
//     16-byte vectors.
// Unit = first + workgroup id.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_VULKAN_H
#define VIT_TARGET_VULKAN_H

#include "vit/Target/Codegen.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::vit {

/// The code of one Vulkan level, in the order of the module's functions.
struct VulkanCode {
  std::vector<SimtKernel> kernels;
};

/// Compiles the kernels of `kernels`, which is not changed, in parallel. The
/// same input gives the same bytes. Emits an error that names the kernel and
/// fails if one exceeds the level's limits or uses a type that Vulkan does not
/// guarantee.
FailureOr<VulkanCode> compileVulkanKernels(gpu::GPUModuleOp kernels,
                                           StringRef level,
                                           const CodegenOptions &options = {});

} // namespace mlir::vit

#endif // VIT_TARGET_VULKAN_H
