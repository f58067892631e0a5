//===- Passes.h - The compiler's passes ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_PASSES_H
#define VIT_PASSES_H

#include "vit/Dialect/Kernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::vit {

#define GEN_PASS_DECL
#include "Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "Passes.h.inc"

/// What `--vit-to-cpu` does, from a graph to dispatches of generated code.
struct CpuPipelineOptions {
  std::string level = "avx512";
  int64_t batch = 1;
  std::vector<std::string> outputs; ///< empty: the entry's own results
  std::vector<std::string> skip;    ///< optional passes to leave out
};

/// The passes that `skip` may name: results stay the same without them.
ArrayRef<StringRef> getOptionalPasses();

/// Adds the passes from a graph to dispatches of CPU code, but for the optional
/// ones that `skip` names.
void buildCpuPipeline(OpPassManager &manager,
                      const CpuPipelineOptions &options);

/// Registers `--vit-to-cpu`.
void registerPipelines();

} // namespace mlir::vit

#endif // VIT_PASSES_H
