//===- Parallel.h - Compile kernels side by side ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CODEGEN_PARALLEL_H
#define VIT_TARGET_CODEGEN_PARALLEL_H

#include "vit/Target/Codegen.h"

#include "llvm/Support/Error.h"

#include <functional>

namespace mlir::vit {

/// Does task i of `sizes`, for all i, in `threads` threads (0: one per core).
/// Each calls `createWorker` once and then what it returned for one task after
/// the other. The largest tasks come first, so that no thread is left with one
/// at the end.
void runLargestFirst(ArrayRef<size_t> sizes, unsigned threads,
                     function_ref<std::function<void(size_t)>()> createWorker);

/// Writes a file of intermediate code where the options ask for it.
llvm::Error dumpCode(const CodegenOptions &options, StringRef file,
                     StringRef contents);

} // namespace mlir::vit

#endif // VIT_TARGET_CODEGEN_PARALLEL_H
