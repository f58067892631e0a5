//===- CompilerProcess.h - A request in a process of its own ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_MODULE_COMPILERPROCESS_H
#define VIT_MODULE_COMPILERPROCESS_H

#include "vit/Compiler.h"

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/Twine.h"

#include <string>

namespace mlir::vit {

/// How a request ended.
struct Outcome {
  vit_status status = VIT_OK;
  std::string message; ///< Empty when `status` is VIT_OK.

  LogicalResult fail(vit_status newStatus, const Twine &text) {
    status = newStatus;
    message = text.str();
    return failure();
  }
};

/// Calls `serve` with a copy of `request` in a child process and waits for it.
/// The callbacks of `request` are called in this process, on this thread.
///
/// Whatever ends the child is an outcome here: a fatal error of LLVM
/// (VIT_INTERNAL) or a failed allocation (VIT_OUT_OF_MEMORY) on any of its
/// threads, an exception, or a signal (both VIT_INTERNAL).
Outcome
serveInChild(const vit_compiler_request &request,
             llvm::function_ref<Outcome(const vit_compiler_request &)> serve);

} // namespace mlir::vit

#endif // VIT_MODULE_COMPILERPROCESS_H
