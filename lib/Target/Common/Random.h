//===- Random.h - The random masks of kernel.dropout ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). Word i of a mask is a function of i, the seed, the step and the
// op's stream, so all targets make the same mask, in any order.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_RANDOM_H
#define VIT_TARGET_COMMON_RANDOM_H

#include "CodeBuilder.h"
#include "vit/Dialect/Kernel.h"

#include <array>

namespace mlir::vit {

class RandomMask {
public:
  /// `key` is the seed's two i32, `step` an i32.
  RandomMask(CodeBuilder &b, kernel::DropoutOp op, std::array<Value, 2> key,
             Value step);

  /// Words 4 i to 4 i + 3 for each i of `counters`, one i32 or a vector.
  std::array<Value, 4> getWords(Value counters);
  /// Whether the element of a word is kept; as many i1 as there are words.
  Value isKept(Value words);
  /// What an element that is kept is multiplied by.
  double scale() const { return 1 / (1 - probability); }

private:
  /// `value` as a constant of the type of `words`.
  Value constant(Value words, uint32_t value) {
    return b.splatBits(words.getType(), int32_t(value));
  }
  /// `scalar`, in all lanes where `words` is a vector.
  Value broadcast(Value words, Value scalar);

  CodeBuilder &b;
  std::array<Value, 2> key;
  std::array<Value, 3> counter; ///< its second to last word, i32
  double probability;
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_RANDOM_H
