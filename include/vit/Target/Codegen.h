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

/// Matrices of elements of 16 bits, row-major without gaps, one after the
/// other, as copies of boxes of them (TMA) see them. A box is of one of them.
/// Rows of a box take 128 bytes of workgroup memory, in the order of the
/// swizzle of 128 bytes.
struct TensorMap {
  int64_t argument = 0; ///< of the dispatch, whose memory it is
  int64_t columns = 0;  ///< a multiple of 8
  int64_t boxRows = 0;  ///< 1 to 256
  int64_t rows = 0;     ///< of a matrix; 0: there is one matrix

  static constexpr int64_t kBoxColumns = 64;
};
/// Of a parameter of a gpu.func that is a pointer to such a map: `argument`,
/// `columns`, `boxRows` and `rows`, an array of i64.
inline constexpr llvm::StringLiteral kTensorMapAttr = "kernel.tensor_map";
/// Of a gpu.func whose workgroups take every n-th unit, where n is the number
/// of workgroups of the launch.
inline constexpr llvm::StringLiteral kResidentAttr = "kernel.resident";
/// Of a gpu.func whose workgroups run in clusters: how many in each dimension,
/// three i32. An attribute of the NVVM dialect.
inline constexpr llvm::StringLiteral kClusterDimAttr = "nvvm.cluster_dim";
/// Of a gpu.func for Vulkan with cooperative matrices: the name of the feature
/// that is their kind. In one of bf16 a `gpu.mma_matrix` of f16 stands for
/// bf16, which that type lacks.
inline constexpr llvm::StringLiteral kMatricesAttr = "kernel.matrices";

/// A kernel of a GPU: a work unit is a workgroup.
struct SimtKernel {
  std::string name;
  int64_t threads = 0;     ///< invocations of a workgroup, one-dimensional
  int64_t sharedBytes = 0; ///< workgroup memory
  /// CUDA: its last parameters, 128 bytes each.
  std::vector<TensorMap> maps;
  /// CUDA: its launches need no more workgroups than the device runs at once;
  /// each takes several units.
  bool isResident = false;
  /// CUDA: workgroups that run together, which divide those of a launch and its
  /// units; 0: each by itself.
  int64_t cluster = 0;
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
