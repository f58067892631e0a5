//===- UpdateCode.h - The scalar code of updates ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function fills the regions of a kernel.update without any. The order of
// the update's scalars is that of the vit op's operands: the factor, where
// there is one, the learning rate, the step.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_UPDATECODE_H
#define VIT_LIB_KERNEL_UPDATECODE_H

#include "vit/Dialect/Kernel.h"

namespace mlir::vit::kernel {

/// The parameter becomes the gradient or, where there is none, zero.
void addAssignCode(UpdateOp update);

struct SgdNumbers {
  double momentum; ///< of the one state, where there is one
  bool nesterov;
  double decay;
};
/// The scalars are [factor], rate.
void addSgdCode(UpdateOp update, const SgdNumbers &numbers);

struct AdamNumbers {
  double beta1, beta2, epsilon, decay;
  bool decoupled; ///< AdamW: decay of the parameter, not of the gradient
  int64_t every;  ///< steps per update
};
/// The states are the first and the second moment, the scalars [factor], rate,
/// step.
void addAdamCode(UpdateOp update, const AdamNumbers &numbers);

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_UPDATECODE_H
