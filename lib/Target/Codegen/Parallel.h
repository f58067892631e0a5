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

/// Runs one task per element of `sizes` on `threads` threads (0: one per core).
/// Each thread calls `createWorker` once, and what that returns with the index
/// of each of its tasks. The largest tasks run first, so that none of them
/// starts when the other threads are about to finish. Rethrows the first
/// exception of a worker after all threads have ended; tasks that had not begun
/// are skipped.
void runLargestFirst(ArrayRef<size_t> sizes, unsigned threads,
                     function_ref<std::function<void(size_t)>()> createWorker);

llvm::Error writeFile(const std::string &path, StringRef contents);

/// Writes a file of intermediate code if the options ask for it.
llvm::Error dumpCode(const CodegenOptions &options, StringRef file,
                     StringRef contents);

} // namespace mlir::vit

#endif // VIT_TARGET_CODEGEN_PARALLEL_H
