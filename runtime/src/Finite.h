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

/// Whether none of `count` floats, at any address, is a NaN or an infinity.
inline bool areFinite(const void *values, uint64_t count) {
  const auto *bytes = static_cast<const unsigned char *>(values);
  uint32_t bad = 0;
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, bytes + 4 * i, 4);
    bad |= uint32_t((bits & 0x7f800000) == 0x7f800000);
  }
  return bad == 0;
}

} // namespace vit::runtime

#endif // VIT_RUNTIME_FINITE_H
