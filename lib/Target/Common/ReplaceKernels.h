//===- ReplaceKernels.h - From kernel ops to dispatches ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_REPLACEKERNELS_H
#define VIT_TARGET_COMMON_REPLACEKERNELS_H

#include "KernelInfo.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::vit {

/// Returns the kernel ops of all entries of `module`, in order.
SmallVector<kernel::KernelOpInterface> getKernelOps(ModuleOp module);

/// The number of dispatches created, and of functions they call.
struct ReplacedKernels {
  int64_t dispatches = 0;
  int64_t functions = 0;
};

/// Replaces each op in `ops` by a dispatch of a function in `kernels`, a symbol
/// table. Ops that differ only in operands, slots and locations share a
/// function. `emit` adds the function `name` for `op` to `kernels`, or emits an
/// error and fails. It is called after the slots have been removed from `op`.
FailureOr<ReplacedKernels>
replaceKernels(ArrayRef<kernel::KernelOpInterface> ops, Operation *kernels,
               function_ref<FailureOr<KernelInfo>(kernel::KernelOpInterface op,
                                                  StringRef name)>
                   emit);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_REPLACEKERNELS_H
