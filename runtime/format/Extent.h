//===- Extent.h - Closed forms in the batch ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_EXTENT_H
#define VIT_FORMAT_EXTENT_H

#include "module_generated.h"

#include <cstdint>

namespace vit::format {

/// Larger results are refused: what is left of 64 bits serves sums and padding.
inline constexpr uint64_t kMaxExtent = uint64_t(1) << 56;
inline constexpr int64_t kMaxBatch = INT32_MAX;

/// times * ceil(batch * of / per); `of` 0 stands for no batch: times. False
/// where the result is above kMaxExtent or `per` is 0.
inline bool evaluate(const schema::Extent &extent, int64_t batch,
                     uint64_t &result) {
  if (extent.times() > kMaxExtent)
    return false;
  if (extent.of() == 0) {
    result = extent.times();
    return true;
  }
  if (extent.per() == 0)
    return false;
  // A batch has 31 bits and `of` 32, so this does not overflow.
  uint64_t parts = uint64_t(batch) * extent.of() / extent.per() +
                   (uint64_t(batch) * extent.of() % extent.per() != 0);
  return !__builtin_mul_overflow(extent.times(), parts, &result) &&
         result <= kMaxExtent;
}

} // namespace vit::format

#endif // VIT_FORMAT_EXTENT_H
