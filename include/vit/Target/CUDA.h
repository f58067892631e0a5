//===- CUDA.h - Code for NVIDIA GPUs ----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From `gpu.module @kernels`, as vit-emit-simt leaves it, to PTX and, where
// NVIDIA's assembler is found, cubins. A kernel's parameters are one 64-bit
// device address per argument of the dispatch (aligned to 16 bytes), then two
// 32-bit integers: the batch and the launch's first unit, then its tensor maps.
// Unit = first + block index.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CUDA_H
#define VIT_TARGET_CUDA_H

#include "vit/Target/Codegen.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::vit {

/// The machine code of all kernels for one GPU architecture.
struct CudaImage {
  std::string arch; ///< such as sm_90a
  SmallVector<char> bytes;
};

/// The code of one CUDA level, in the order of the module's functions.
struct CudaCode {
  std::vector<SimtKernel> kernels; ///< without `binary`
  std::string ptx;                 ///< all kernels, without a closing zero
  /// Cubins of `ptx`, by architecture; empty without ptxas.
  std::vector<CudaImage> cubins;
};

/// The path of ptxas: $VIT_PTXAS, else from PATH; empty if there is none. If
/// VIT_PTXAS is set to the empty string, there is none.
std::string findPtxas();

/// Compiles the kernels of `kernels`, which is not changed. The same input
/// gives the same PTX. Emits an error that names the kernel and fails if one
/// exceeds the level's limits, or if ptxas rejects it or spills registers.
FailureOr<CudaCode> compileCudaKernels(gpu::GPUModuleOp kernels,
                                       StringRef level,
                                       const CodegenOptions &options = {});

} // namespace mlir::vit

#endif // VIT_TARGET_CUDA_H
