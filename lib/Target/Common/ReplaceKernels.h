//===- ReplaceKernels.h - From kernel ops to dispatches ------------------===//
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

/// The kernel ops of all entries of `module`, in order.
SmallVector<Operation *> getKernelOps(ModuleOp module);

/// Whether `value`, an operand of a kernel, is what an entry is given or
/// computes; else it is a parameter, a form of one, a constant or a range of an
/// arena. The two lie in different buffers of a Vulkan device.
bool isInWorkspace(Value value);

/// How many dispatches were made, of how many functions.
struct ReplacedKernels {
  int64_t dispatches = 0;
  int64_t functions = 0;
};

/// Replaces each of `ops` by a dispatch of a function in `kernels`, a symbol
/// table. Ops that differ in nothing but operands, slots and locations share
/// one. `emit` adds the function `name` for `op` to `kernels` or, having
/// emitted an error, fails; where a result lives is gone from `op` by then.
FailureOr<ReplacedKernels> replaceKernels(
    ArrayRef<Operation *> ops, Operation *kernels,
    function_ref<FailureOr<KernelInfo>(Operation *op, StringRef name)> emit);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_REPLACEKERNELS_H
