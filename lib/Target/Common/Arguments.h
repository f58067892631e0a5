//===- Arguments.h - The arguments of kernels with several ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The arguments of a kernel function are the operands of its op, then its
// results. Emitters inherit the names of those of their op.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_ARGUMENTS_H
#define VIT_TARGET_COMMON_ARGUMENTS_H

#include "mlir/Support/LLVM.h"

#include "llvm/ADT/ArrayRef.h"

namespace mlir::vit {

/// kernel.gemm. The result follows the extras.
struct GemmArguments {
  enum Argument : unsigned { Input, Weight, FirstExtra };
};

/// kernel.weight_gradient. The second result is optional.
struct WeightGradientArguments {
  enum Argument : unsigned { Gradient, Input, Result, Bias };
};

/// kernel.attention: the operands but for the bias, which is optional, then the
/// results, of which the second is.
struct AttentionArguments {
  enum Argument : unsigned { Query, Key, Val, Result, Probabilities };
  static constexpr unsigned kBias = 3;

  /// The number of an argument in the kernel function.
  static unsigned number(Argument argument, bool hasBias) {
    return argument + (argument >= Result && hasBias ? 1 : 0);
  }
  /// Where the channels of the first head begin in an argument; `offsets` are
  /// those of the op.
  static int64_t offsetOf(Argument argument, ArrayRef<int64_t> offsets) {
    return argument <= Val ? offsets[argument - Query] : 0;
  }
};

/// kernel.attention_backward, and the operands of
/// kernel.attention_bias_gradient: those but for the bias, then the results.
struct AttentionBackwardArguments {
  enum Argument : unsigned {
    Gradient,
    Query,
    Key,
    Val,
    QueryGradient,
    KeyGradient,
    ValueGradient
  };
  static constexpr unsigned kBias = 4;

  /// The number of an argument in the kernel function.
  static unsigned number(Argument argument, bool hasBias) {
    return argument + (argument >= QueryGradient && hasBias ? 1 : 0);
  }
  /// Where the channels of the first head begin in an argument; `offsets` are
  /// those of the op.
  static int64_t offsetOf(Argument argument, ArrayRef<int64_t> offsets) {
    return argument >= Query && argument <= Val ? offsets[argument - Query] : 0;
  }
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_ARGUMENTS_H
