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

namespace detail {
template <typename... Ops, typename Visitor>
FailureOr<KernelInfo> visitKernel(Operation *op, Visitor visitor) {
  FailureOr<KernelInfo> info = failure();
  auto visitIf = [&](auto *null) {
    using Op = std::remove_pointer_t<decltype(null)>;
    if constexpr (std::is_base_of_v<kernel::KernelOpInterface::Trait<Op>, Op>)
      if (auto match = dyn_cast<Op>(op))
        info = visitor(match);
  };
  (visitIf(static_cast<Ops *>(nullptr)), ...);
  return info;
}
} // namespace detail

/// Calls `visitor` with `op` cast to its own class. The visitor must accept
/// every op that implements KernelOpInterface: one without code for a target
/// does not compile.
template <typename Visitor>
FailureOr<KernelInfo> visitKernel(kernel::KernelOpInterface op,
                                  Visitor visitor) {
  return detail::visitKernel<
#define GET_OP_LIST
#include "KernelOps.cpp.inc"
      >(op.getOperation(), visitor);
}

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_REPLACEKERNELS_H
