//===- Random.h - The random masks of kernel.dropout ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). Word i of a mask depends only on i, the seed, the step and the op's
// stream, so all targets compute the same mask, in any order.
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
  /// `key` holds the two i32 of the seed; `step` is an i32.
  RandomMask(CodeBuilder &b, kernel::DropoutOp op, std::array<Value, 2> key,
             Value step);

  /// Returns words 4 i to 4 i + 3 for each i in `counters`, an i32 or a vector
  /// of i32.
  std::array<Value, 4> getWords(Value counters);
  /// Returns whether the element of each word is kept, one i1 per word.
  Value isKept(Value words);
  /// The factor for elements that are kept.
  double scale() const { return 1 / (1 - probability); }

private:
  /// Returns a constant of the type of `words`.
  Value constant(Value words, uint32_t value) {
    return b.splatBits(words.getType(), int32_t(value));
  }
  /// Broadcasts `scalar` if `words` is a vector.
  Value broadcast(Value words, Value scalar);

  CodeBuilder &b;
  std::array<Value, 2> key;
  std::array<Value, 3> counter; ///< words 1 to 3 of the counter, i32
  double probability;
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_RANDOM_H
