//===- VisitKernel.h - Calls of a function with a kernel op -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_VISITKERNEL_H
#define VIT_TARGET_COMMON_VISITKERNEL_H

#include "KernelInfo.h"

namespace mlir::vit {

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

#endif // VIT_TARGET_COMMON_VISITKERNEL_H
