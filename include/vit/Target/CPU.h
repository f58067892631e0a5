//===- CPU.h - Code for x86-64 ----------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From `module @kernels` (vector, scf, memref, arith), as vit-emit-cpu leaves
// it, to a flat image: position-independent machine code and its read-only
// constants, without symbols or relocations, to be mapped read+execute.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_H
#define VIT_TARGET_CPU_H

#include "vit/Target/Codegen.h"
#include "vit/Target/Level.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mlir::vit {

/// The code of one CPU level. An entry is called as
///   void kernel(void *const *arguments, int64_t batch, int64_t begin,
///               int64_t end, void *scratch);
/// and does work units [begin, end); see docs/architecture.md.
struct CodeImage {
  SmallVector<char> bytes; ///< To be mapped at an address aligned to 64 bytes.
  /// Kernel name and the offset of its first instruction in `bytes`.
  std::vector<std::pair<std::string, uint64_t>> entries;
};

/// What LLVM is told of the features of a CPU level: "+avx,+avx2,...".
std::string getTargetFeatures(const Level &level);

/// The CPU level of code whose tile ops are expanded (`expand-tiles` of
/// vit-emit-cpu): the least one.
const Level &getExpandedLevel();

/// Compiles each function of `kernels` for the CPU level called `level`,
/// several at once, each in a context of its own. The image's order is that of
/// the functions. Emits one error and fails if there is no such level or if a
/// kernel would need a symbol, writable data or a relocation that a flat image
/// cannot have.
FailureOr<CodeImage> compileKernels(ModuleOp kernels, StringRef level,
                                    const CodegenOptions &options = {});

/// Registers what `compileKernels` needs in addition to the emitted dialects.
void registerCpuCodegen(DialectRegistry &registry);

} // namespace mlir::vit

#endif // VIT_TARGET_CPU_H
