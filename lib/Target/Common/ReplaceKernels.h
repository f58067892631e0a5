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
SmallVector<Operation *> getKernelOps(ModuleOp module);

/// Returns whether `value`, an operand of a kernel, is an argument of the entry
/// or computed by it. Otherwise it is a parameter, a derived form of one, a
/// constant or a range of an arena. On Vulkan the two kinds are in different
/// buffers.
bool isInWorkspace(Value value);

/// The number of dispatches created, and of functions they call.
struct ReplacedKernels {
  int64_t dispatches = 0;
  int64_t functions = 0;
};

/// Replaces each op in `ops` by a dispatch of a function in `kernels`, a symbol
/// table. Ops that differ only in operands, slots and locations share a
/// function. `emit` adds the function `name` for `op` to `kernels`, or emits an
/// error and fails. It is called after the slot attributes have been removed
/// from `op`.
FailureOr<ReplacedKernels> replaceKernels(
    ArrayRef<Operation *> ops, Operation *kernels,
    function_ref<FailureOr<KernelInfo>(Operation *op, StringRef name)> emit);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_REPLACEKERNELS_H
