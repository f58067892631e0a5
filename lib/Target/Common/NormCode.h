//===- NormCode.h - The arithmetic of norms ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_NORMCODE_H
#define VIT_TARGET_COMMON_NORMCODE_H

#include "CodeBuilder.h"

#include "vit/Dialect/Vit.h"

namespace mlir::vit {

/// The scalars of a norm of one row (or one group of it) and of its adjoint, as
/// `vit.layer_norm_backward` defines them. Sums are f32 and over the channels;
/// x is the centred input: minus its mean for `layer`, else the input itself.
struct NormCode {
  NormKind kind;
  int64_t channels;
  double epsilon;

  bool isCentred() const { return kind == NormKind::layer; }
  /// Returns what x is multiplied by, from the sum of x^2.
  Value getFactor(CodeBuilder &b, Value squares) const;
  /// Returns m of the adjoint from the sums of x^2 and of g x.
  Value getSlope(CodeBuilder &b, Value squares, Value products,
                 Value factor) const;
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_NORMCODE_H
