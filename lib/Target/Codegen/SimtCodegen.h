//===- SimtCodegen.h - Code generation that GPUs share ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CODEGEN_SIMTCODEGEN_H
#define VIT_TARGET_CODEGEN_SIMTCODEGEN_H

#include "Parallel.h"

#include "vit/Target/Level.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <functional>
#include <memory>

namespace mlir::vit::simt {

/// Emits an error and fails if a kernel exceeds the limits of `level`; see
/// vit-verify-limits.
LogicalResult verifyLimits(gpu::GPUModuleOp kernels, const Level &level);

/// Bytes of workgroup memory that the kernel uses. Each allocation begins at a
/// multiple of 16.
int64_t getSharedBytes(gpu::GPUFuncOp kernel);

/// The kind of cooperative matrices of a kernel for Vulkan; null if it has none
/// that is known (see kMatricesAttr).
const ::vit::format::MatrixKind *getMatrixKind(gpu::GPUFuncOp kernel);

/// Linear in the batch.
struct Iterations {
  uint64_t fixed;
  double perImage;
};

/// An upper bound of the loop iterations of one thread of a Vulkan kernel, over
/// all its loops, including the test that ends each loop. A loop that is not
/// entered counts as one iteration, because a device that masks threads
/// executes it once. Nothing if there is a loop without a known bound.
std::optional<Iterations> boundIterations(gpu::GPUFuncOp kernel);

/// Compiles single kernels. Each thread has a worker of its own, and workers
/// share nothing.
class Worker {
public:
  /// Creates a single-threaded context with the dialects of
  /// `registerSimtCodegen`.
  explicit Worker(const CodegenOptions &options);
  virtual ~Worker();

  /// Compiles a module that has one gpu.module with one kernel. The caller adds
  /// the kernel's name to the error.
  virtual llvm::Error compile(ModuleOp module, SimtKernel &kernel,
                              std::string &text) = 0;

  MLIRContext &getContext() { return context; }

protected:
  llvm::Error dump(StringRef file, StringRef contents) {
    return dumpCode(options, file, contents);
  }

  const CodegenOptions &options;
  MLIRContext context;
};

/// A compiled kernel and its text, if the worker produces one.
struct CompiledKernel {
  SimtKernel kernel;
  std::string text;
};

/// Compiles the kernels of `kernels` in parallel and returns them in the order
/// of the module. Emits an error if one fails.
FailureOr<std::vector<CompiledKernel>>
compileKernels(gpu::GPUModuleOp kernels, const CodegenOptions &options,
               std::function<std::unique_ptr<Worker>()> createWorker);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_CODEGEN_SIMTCODEGEN_H
