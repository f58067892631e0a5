//===- Philox.h - Random numbers from a key and a counter -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_PHILOX_H
#define VIT_FORMAT_PHILOX_H

#include <cstdint>

namespace vit::format {

/// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
/// 3", SC 2011): four random words from a key and a counter.
inline void philox(const uint32_t key[2], const uint32_t counter[4],
                   uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53) * c0;
    uint64_t b = uint64_t(0xCD9E8D57) * c2;
    c0 = uint32_t(b >> 32) ^ c1 ^ k0;
    c2 = uint32_t(a >> 32) ^ c3 ^ k1;
    c1 = uint32_t(b);
    c3 = uint32_t(a);
    k0 += 0x9E3779B9; // golden ratio
    k1 += 0xBB67AE85; // sqrt(3) - 1
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

} // namespace vit::format

#endif // VIT_FORMAT_PHILOX_H
