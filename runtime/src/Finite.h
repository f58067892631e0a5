//===- Finite.h - Looking for NaN and infinity ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_FINITE_H
#define VIT_RUNTIME_FINITE_H

#include <cstdint>
#include <cstring>

namespace vit::runtime {

/// Whether none of `count` numbers, at any address, whose bits are `Bits` and
/// whose exponent is at `exponent`, is a NaN or an infinity.
template <typename Bits>
bool areFinite(const void *values, uint64_t count, Bits exponent) {
  const auto *bytes = static_cast<const unsigned char *>(values);
  Bits bad = 0;
  for (uint64_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, bytes + sizeof bits * i, sizeof bits);
    bad |= Bits((bits & exponent) == exponent);
  }
  return bad == 0;
}

/// The same of floats.
inline bool areFinite(const void *values, uint64_t count) {
  return areFinite<uint32_t>(values, count, 0x7f800000);
}
/// The same of `bytes` of bf16, and of f16.
inline bool areBrainFinite(const void *values, uint64_t bytes) {
  return areFinite<uint16_t>(values, bytes / sizeof(uint16_t), 0x7f80);
}
inline bool areHalfFinite(const void *values, uint64_t bytes) {
  return areFinite<uint16_t>(values, bytes / sizeof(uint16_t), 0x7c00);
}

} // namespace vit::runtime

#endif // VIT_RUNTIME_FINITE_H
