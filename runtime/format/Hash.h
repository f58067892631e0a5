//===- Hash.h - XXH64 -------------------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The 64-bit hash that finds damaged files and that turns names into keys of
// random numbers.
// The algorithm is Yann Collet's XXH64 with seed 0, after its specification
// (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_HASH_H
#define VIT_FORMAT_HASH_H

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vit::format {

namespace detail {

inline constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87ull;
inline constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Full;
inline constexpr uint64_t kPrime3 = 0x165667B19E3779F9ull;
inline constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63ull;
inline constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5ull;

inline uint64_t rotateLeft(uint64_t value, int bits) {
  return value << bits | value >> (64 - bits);
}

template <typename T> T loadLittle(const unsigned char *bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value |= T(bytes[i]) << (8 * i);
  return value;
}

inline uint64_t hashRound(uint64_t lane, uint64_t input) {
  return rotateLeft(lane + input * kPrime2, 31) * kPrime1;
}

} // namespace detail

/// XXH64 of `size` bytes with seed 0. `data` may be NULL where size is 0.
inline uint64_t hash64(const void *data, size_t size) {
  using namespace detail;
  const auto *p = static_cast<const unsigned char *>(data);
  size_t left = size;
  uint64_t hash = kPrime5;
  if (left >= 32) {
    uint64_t lanes[4] = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
    for (; left >= 32; left -= 32, p += 32)
      for (int i = 0; i < 4; ++i)
        lanes[i] = hashRound(lanes[i], loadLittle<uint64_t>(p + 8 * i));
    hash = rotateLeft(lanes[0], 1) + rotateLeft(lanes[1], 7) +
           rotateLeft(lanes[2], 12) + rotateLeft(lanes[3], 18);
    for (uint64_t lane : lanes)
      hash = (hash ^ hashRound(0, lane)) * kPrime1 + kPrime4;
  }
  hash += size;
  for (; left >= 8; left -= 8, p += 8)
    hash =
        rotateLeft(hash ^ hashRound(0, loadLittle<uint64_t>(p)), 27) * kPrime1 +
        kPrime4;
  if (left >= 4) {
    hash = rotateLeft(hash ^ loadLittle<uint32_t>(p) * kPrime1, 23) * kPrime2 +
           kPrime3;
    left -= 4, p += 4;
  }
  for (; left > 0; --left, ++p)
    hash = rotateLeft(hash ^ *p * kPrime5, 11) * kPrime1;
  hash = (hash ^ hash >> 33) * kPrime2;
  hash = (hash ^ hash >> 29) * kPrime3;
  return hash ^ hash >> 32;
}

} // namespace vit::format

#endif // VIT_FORMAT_HASH_H
