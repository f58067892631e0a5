//===- TensorMap.h - What a TMA descriptor says -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_TENSORMAP_H
#define VIT_SIMULATOR_TENSORMAP_H

#include <cstdint>

namespace vit::sim {

/// The simulator's contents of a CUtensorMap (128 opaque bytes): a tensor in
/// global memory, whose innermost dimension is the first and contiguous, and
/// the box that a copy transfers.
struct alignas(64) TensorMap {
  static constexpr uint32_t maxRank = 5;
  static constexpr uint64_t mark = 0x70616d20726f7374;

  uint64_t magic = 0; ///< `mark`
  char *base = nullptr;
  uint16_t rank = 0, elementBytes = 0;
  uint32_t swizzle = 0; ///< bytes of a swizzled row: 32, 64 or 128; 0: none
  uint32_t extents[maxRank] = {};
  uint16_t box[maxRank] = {};
  uint64_t strides[maxRank - 1] = {}; ///< in bytes, of dimensions from the 2nd

  uint64_t getBoxBytes() const {
    uint64_t bytes = elementBytes;
    for (uint32_t i = 0; i < rank; ++i)
      bytes *= box[i];
    return bytes;
  }
};
static_assert(sizeof(TensorMap) <= 128, "the size of CUtensorMap");

/// The swizzled form of an address in shared memory: the piece of 16 bytes in a
/// row of `row` bytes is exchanged by the number of the 128 bytes it is in.
inline uint64_t swizzleAddress(uint64_t address, uint32_t row) {
  return row ? address ^ ((address >> 3) & (row - 16)) : address;
}

} // namespace vit::sim

#endif // VIT_SIMULATOR_TENSORMAP_H
