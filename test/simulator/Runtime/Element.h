//===- Element.h - Elements of 16 bits as numbers ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_ELEMENT_H
#define VIT_SIMULATOR_ELEMENT_H

#include "Interface.h"

#include <cstring>

namespace vit::sim {

/// The number that the bits of a bf16 or f16 are, exactly. Subnormal numbers
/// are not flushed.
inline float widen(uint16_t bits, MatrixType type) {
  auto toFloat = [](uint32_t word) {
    float value;
    memcpy(&value, &word, 4);
    return value;
  };
  if (type == MatrixType::Bf16)
    return toFloat(uint32_t(bits) << 16);
  // With the fields of an f16 in their places, exponents are less by 112.
  uint32_t magnitude = uint32_t(bits & 0x7fff) << 13;
  bool isFinite = (bits & 0x7c00) != 0x7c00;
  float value = isFinite ? toFloat(magnitude) * 0x1p112f
                         : toFloat(magnitude | 0x7f800000);
  return bits & 0x8000 ? -value : value;
}

} // namespace vit::sim

#endif // VIT_SIMULATOR_ELEMENT_H
