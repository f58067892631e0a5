//===- Codegen.h - What code generation of all targets shares ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CODEGEN_H
#define VIT_TARGET_CODEGEN_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Support/LLVM.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mlir::vit {

struct CodegenOptions {
  /// An existing directory for each kernel's intermediate code; empty: none.
  /// CPU: `NAME.ll`, `NAME.o`; Vulkan: `NAME.spirv.mlir` (the spirv
  /// dialect), `NAME.spv`; CUDA: `NAME.nvvm.mlir`, `NAME.ll`, `NAME.ptx`, and
  /// `kernels.ptx` and `kernels.ARCH.cubin` of all together.
  std::string dumpDirectory;
  /// Threads that compile; 0: one per core.
  unsigned threads = 0;
  /// Verify the IR of each step. Without it, invalid IR may crash LLVM.
  bool verify = false;
};

/// The iterations of a kernel with a loop without a known bound.
inline constexpr uint64_t kUnknownIterations = UINT64_MAX;

/// A kernel of a GPU: a work unit is a workgroup.
struct SimtKernel {
  std::string name;
  int64_t threads = 0;     ///< invocations of a workgroup, one-dimensional
  int64_t sharedBytes = 0; ///< workgroup memory
  /// Vulkan: an upper bound of the loop iterations of a thread, over all its
  /// loops, is `iterations + batch * iterationsPerImage`, or
  /// kUnknownIterations. CUDA: 0.
  uint64_t iterations = 0;
  double iterationsPerImage = 0;
  /// The features that a device must offer beyond the target's minimum, sorted.
  std::vector<std::string> features;
  /// Vulkan: the SPIR-V of this kernel, little-endian words; its entry point is
  /// named like the kernel. CUDA: empty, one image holds all kernels.
  SmallVector<char> binary;
};

/// Registers what `compileVulkanKernels` and `compileCudaKernels` need in
/// addition to the dialects of the emitted kernels.
void registerSimtCodegen(DialectRegistry &registry);

} // namespace mlir::vit

#endif // VIT_TARGET_CODEGEN_H
