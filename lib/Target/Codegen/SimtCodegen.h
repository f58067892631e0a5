//===- SimtCodegen.h - What Vulkan's and CUDA's code generation share -----===//
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

/// Emits an error and fails where a kernel exceeds what `level` has, see
/// vit-verify-limits.
LogicalResult verifyLimits(gpu::GPUModuleOp kernels, const Level &level);

/// Bytes of workgroup memory that the kernel takes; each piece begins at a
/// multiple of 16.
int64_t getSharedBytes(gpu::GPUFuncOp kernel);

/// Compiles single kernels, one after the other, with nothing shared with other
/// threads.
class Worker {
public:
  /// A worker parses into a context of its own, with `registerSimtCodegen` and
  /// without threads.
  explicit Worker(const CodegenOptions &options);
  virtual ~Worker();

  /// Takes a module with one gpu.module with one kernel, and says in an error
  /// what is wrong with it; its kernel is named by the caller.
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

/// A compiled kernel, and the text that its worker made of it.
struct CompiledKernel {
  SimtKernel kernel;
  std::string text;
};

/// Compiles each kernel of `kernels`, several at once, and returns them in the
/// module's order. Emits an error where one fails.
FailureOr<std::vector<CompiledKernel>>
compileKernels(gpu::GPUModuleOp kernels, const CodegenOptions &options,
               std::function<std::unique_ptr<Worker>()> createWorker);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_CODEGEN_SIMTCODEGEN_H
