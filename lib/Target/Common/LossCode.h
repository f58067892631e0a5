//===- LossCode.h - The arithmetic of losses --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The arithmetic that the loss kernels of all targets share. Each target does
// its own summation: in f64 on the CPU, in f32 on GPUs.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_LOSSCODE_H
#define VIT_TARGET_COMMON_LOSSCODE_H

#include "CodeBuilder.h"

namespace mlir::vit {

/// Label smoothing, defined as in torch.nn.functional.cross_entropy.
struct SmoothedTargets {
  CodeBuilder &b;
  int64_t classes;
  double smoothing;

  double share() const { return smoothing / double(classes); }
  /// Returns the smoothed one-hot target for `isLabel`, an i1 or a vector of
  /// i1. `type` is the matching f32 or vector type.
  Value ofLabel(Type type, Value isLabel) const;
  /// Smooths soft targets, an f32 or a vector.
  Value ofProbabilities(Value probabilities) const;
  /// Returns `loss`, or NaN if `label`, an i32, is not a class.
  Value checkLabel(Value label, Value loss) const;
};

/// The state of an argmax over a sequence of f32, or over one sequence per
/// vector lane: the largest element so far, the index of its first occurrence
/// (i32), and whether there was a NaN (i32, 1 or 0).
struct Largest {
  Value value, number, hasNaN;

  explicit Largest(ValueRange values)
      : value(values[0]), number(values[1]), hasNaN(values[2]) {}
  SmallVector<Value> values() const { return {value, number, hasNaN}; }
  /// Adds element `x`, whose index `getNumber` emits.
  void add(CodeBuilder &b, Value x, function_ref<Value()> getNumber);
};

/// Returns an i1: whether `answer`, an i32 that is -1 if there is none, equals
/// `wanted`.
Value isRightAnswer(CodeBuilder &b, Value answer, Value wanted);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_LOSSCODE_H
