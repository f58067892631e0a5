//===- Random.h - Random decisions about pictures ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_RANDOM_H
#define VIT_DATA_RANDOM_H

#include "format/Philox.h"

#include <cstdint>

namespace vit::data {

/// The purpose of a stream of random numbers; each has its own streams.
enum class Purpose : uint32_t { Shuffle = 0x73687566, Augment = 0x6175676d };

/// The random numbers of one decision. A stream depends on seed, purpose, epoch
/// and index alone, not on what was drawn before from others: any thread may
/// process any picture, and a resumed run gives the same numbers.
/// Philox-4x32-10, whose counter is (number of the draw / 4, epoch, index,
/// purpose).
class RandomStream {
public:
  RandomStream(uint64_t seed, Purpose purpose, int64_t epoch, int64_t index)
      : key{uint32_t(seed), uint32_t(seed >> 32)},
        counter{0, uint32_t(epoch), uint32_t(index), uint32_t(purpose)} {}

  uint32_t word() {
    if (used == 4) {
      format::philox(key, counter, words);
      ++counter[0];
      used = 0;
    }
    return words[used++];
  }
  /// A whole number in [0, count).
  uint32_t below(uint32_t count) {
    return uint32_t(uint64_t(word()) * count >> 32);
  }
  /// A number in [low, high).
  double uniform(double low, double high) {
    return low + (high - low) * (double(word()) * 0x1p-32);
  }

private:
  uint32_t key[2], counter[4], words[4] = {};
  int used = 4;
};

} // namespace vit::data

#endif // VIT_DATA_RANDOM_H
