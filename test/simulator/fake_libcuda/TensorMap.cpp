//===- TensorMap.cpp - libcuda: tensor maps -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Runtime/TensorMap.h"
#include "Driver.h"

#include <cstring>

using namespace vit::sim;

/// The bytes of an element of a CUtensorMapDataType; 0: not simulated.
static uint32_t getElementBytes(int type) {
  static const uint32_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2};
  return type >= 0 && type < 10 ? bytes[type] : 0;
}

extern "C" {

/// The requirements are those of the CUDA driver API's manual.
int cuTensorMapEncodeTiled(void *map, int type, uint32_t rank, void *address,
                           const uint64_t *extents, const uint64_t *strides,
                           const uint32_t *box, const uint32_t *elementStrides,
                           int interleave, int swizzle, int, int fill) {
  VIT_DRIVER("cuTensorMapEncodeTiled")
  uint32_t bytes = getElementBytes(type);
  if (!map || reinterpret_cast<uintptr_t>(map) % 64 || !bytes || !rank ||
      rank > TensorMap::maxRank || reinterpret_cast<uintptr_t>(address) % 16 ||
      interleave || swizzle < 0 || swizzle > 3 || fill)
    return InvalidValue;
  TensorMap encoded;
  encoded.magic = TensorMap::mark;
  encoded.base = static_cast<char *>(address);
  encoded.rank = static_cast<uint16_t>(rank);
  encoded.elementBytes = static_cast<uint16_t>(bytes);
  encoded.swizzle = swizzle ? 16u << swizzle : 0;
  for (uint32_t i = 0; i < rank; ++i) {
    if (!extents[i] || extents[i] > UINT32_MAX || !box[i] || box[i] > 256 ||
        elementStrides[i] != 1 || (i && strides[i - 1] % 16))
      return InvalidValue;
    encoded.extents[i] = static_cast<uint32_t>(extents[i]);
    encoded.box[i] = static_cast<uint16_t>(box[i]);
    if (i)
      encoded.strides[i - 1] = strides[i - 1];
  }
  uint32_t row = box[0] * bytes;
  if (row % 16 || (encoded.swizzle && row > encoded.swizzle))
    return InvalidValue;
  memset(map, 0, 128);
  memcpy(map, &encoded, sizeof encoded);
  return Success;
}
}
