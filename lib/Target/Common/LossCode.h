//===- LossCode.h - The arithmetic of losses --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the losses of all targets share. Sums are the targets' own: on the CPU
// in f64, on GPUs in f32.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_LOSSCODE_H
#define VIT_TARGET_COMMON_LOSSCODE_H

#include "CodeBuilder.h"

namespace mlir::vit {

/// Smoothed targets of a cross-entropy, as those of
/// torch.nn.functional.cross_entropy.
struct SmoothedTargets {
  CodeBuilder &b;
  int64_t classes;
  double smoothing;

  double share() const { return smoothing / double(classes); }
  /// Of a label: `isLabel` is i1 and `type` f32, or a vector of them.
  Value ofLabel(Type type, Value isLabel) const;
  /// Of probabilities, f32 or a vector.
  Value ofProbabilities(Value probabilities) const;
  /// `loss`, or a NaN where `label`, an i32, is no class.
  Value checkLabel(Value label, Value loss) const;
};

/// A search for the first largest of some f32 in order, or of as many sequences
/// as a vector has lanes: the largest, its number, and whether one is a NaN (1
/// or 0), the last two in i32.
struct Largest {
  Value value, number, hasNaN;

  explicit Largest(ValueRange values)
      : value(values[0]), number(values[1]), hasNaN(values[2]) {}
  SmallVector<Value> values() const { return {value, number, hasNaN}; }
  /// Looks at `x`, whose number is `getNumber`'s.
  void add(CodeBuilder &b, Value x, function_ref<Value()> getNumber);
};

/// i1: whether `answer`, i32 and -1 for none, is `wanted`.
Value isRightAnswer(CodeBuilder &b, Value answer, Value wanted);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_LOSSCODE_H
