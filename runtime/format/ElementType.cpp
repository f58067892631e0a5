//===- ElementType.cpp - Types of a tensor's elements ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/ElementType.h"

#include <cstring>

namespace vit::format {

namespace {
struct Row {
  size_t size;
  const char *name;
};
} // namespace

static constexpr Row kRows[kElementTypes] = {
    {4, "F32"},     {2, "BF16"},    {2, "F16"},    {4, "I32"}, {8, "I64"},
    {1, "U8"},      {8, "F64"},     {1, "BOOL"},   {1, "I8"},  {4, "TF32"},
    {2, "I16"},     {2, "U16"},     {4, "U32"},    {8, "U64"}, {8, "C64"},
    {1, "F8_E4M3"}, {1, "F8_E5M2"}, {1, "F8_E8M0"}};

size_t sizeOf(ElementType type) { return kRows[int(type)].size; }

const char *safetensorsName(ElementType type) { return kRows[int(type)].name; }

bool parseSafetensorsName(const char *name, size_t length, ElementType &type) {
  for (int i = 0; i < kElementTypes; ++i)
    if (ElementType(i) != ElementType::TF32 &&
        std::strlen(kRows[i].name) == length &&
        std::memcmp(kRows[i].name, name, length) == 0) {
      type = ElementType(i);
      return true;
    }
  return false;
}

//===----------------------------------------------------------------------===//
// Widening
//===----------------------------------------------------------------------===//

static float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static float fromBrain(uint16_t brain) {
  return fromBits(uint32_t(brain) << 16);
}

static float fromHalf(uint16_t half) {
  uint32_t sign = uint32_t(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 0x1f;
  uint32_t fraction = half & 0x3ff;
  if (exponent == 0x1f)
    return fromBits(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0)
    return fromBits(sign | (exponent + 112) << 23 | fraction << 13);
  // Subnormal halves are normal floats: fraction * 2^-24, exactly.
  float magnitude = float(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

template <typename Stored, typename Target, typename Convert>
static void convertEach(Target *target, const void *source, int64_t count,
                        Convert convert) {
  const auto *bytes = static_cast<const unsigned char *>(source);
  for (int64_t i = 0; i < count; ++i, bytes += sizeof(Stored)) {
    Stored element;
    std::memcpy(&element, bytes, sizeof element);
    target[i] = Target(convert(element));
  }
}

template <typename Target>
static void widenTo(Target *target, const void *source, ElementType type,
                    int64_t count) {
  auto same = [](auto element) { return element; };
  switch (type) {
  case ElementType::F32:
    return convertEach<float>(target, source, count, same);
  case ElementType::BF16:
    return convertEach<uint16_t>(target, source, count, fromBrain);
  case ElementType::F16:
    return convertEach<uint16_t>(target, source, count, fromHalf);
  case ElementType::I32:
    return convertEach<int32_t>(target, source, count, same);
  case ElementType::I64:
    return convertEach<int64_t>(target, source, count, same);
  case ElementType::U8:
    return convertEach<uint8_t>(target, source, count, same);
  case ElementType::F64:
    return convertEach<double>(target, source, count, same);
  default:
    return; // not readable
  }
}

void widen(float *target, const void *source, ElementType type, int64_t count) {
  if (count == 0)
    return; // Pointers to nothing may be NULL, which memcpy may not get.
  if (type == ElementType::F32)
    std::memcpy(target, source, size_t(count) * sizeof(float));
  else
    widenTo(target, source, type, count);
}
void widen(double *target, const void *source, ElementType type,
           int64_t count) {
  widenTo(target, source, type, count);
}

//===----------------------------------------------------------------------===//
// Narrowing
//===----------------------------------------------------------------------===//

static uint32_t toBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// Without branches, so that it is vectorized.
static uint16_t toBrain(float value) {
  uint32_t bits = toBits(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  uint32_t quiet = bits >> 16 | 0x40; // a NaN stays one
  return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

static uint16_t toHalf(float value) {
  uint32_t bits = toBits(value);
  uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return uint16_t(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= toBits(0x1p16f))
    return uint16_t(sign | 0x7c00);
  if (magnitude >= toBits(0x1p-14f)) {
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return uint16_t(sign | (rounded - (112u << 23)) >> 13);
  }
  // Subnormal: a multiple of 2^-24, which is what floats near 0.5 round to.
  return uint16_t(sign | (toBits(fromBits(magnitude) + 0.5f) - toBits(0.5f)));
}

template <typename Convert>
static void narrowEach(void *target, const void *source, int64_t count,
                       Convert convert) {
  auto *to = static_cast<unsigned char *>(target);
  const auto *from = static_cast<const unsigned char *>(source);
  for (int64_t i = 0; i < count; ++i) {
    float value;
    std::memcpy(&value, from + sizeof value * size_t(i), sizeof value);
    uint16_t bits = convert(value);
    std::memcpy(to + sizeof bits * size_t(i), &bits, sizeof bits);
  }
}

/// Narrows f32 that need not be aligned.
static void narrowFrom(void *target, const void *source, ElementType type,
                       int64_t count) {
  if (type == ElementType::F32)
    std::memcpy(target, source, size_t(count) * sizeof(float));
  else if (type == ElementType::BF16)
    narrowEach(target, source, count, toBrain);
  else
    narrowEach(target, source, count, toHalf);
}

void narrow(void *target, const float *source, ElementType type,
            int64_t count) {
  narrowFrom(target, source, type, count);
}

bool areInRange(ElementType type, const void *source, ElementType sourceType,
                int64_t count) {
  if (type != ElementType::F16 || sourceType == ElementType::F16)
    return true;
  constexpr int64_t chunk = 64;
  const uint32_t beyond = toBits(kBeyondHalf), infinity = 0x7f800000;
  float values[chunk] = {};
  const auto *from = static_cast<const unsigned char *>(source);
  uint32_t found = 0;
  for (int64_t done = 0; done < count; done += chunk) {
    int64_t part = count - done < chunk ? count - done : chunk;
    widen(values, from + done * int64_t(sizeOf(sourceType)), sourceType, part);
    for (int64_t i = 0; i < part; ++i) {
      uint32_t magnitude = toBits(values[i]) & 0x7fffffff;
      found |= uint32_t(magnitude >= beyond) & uint32_t(magnitude < infinity);
    }
  }
  return found == 0;
}

void convert(void *target, ElementType type, const void *source,
             ElementType sourceType, int64_t count) {
  auto size = int64_t(sizeOf(type)), sourceSize = int64_t(sizeOf(sourceType));
  if (type == sourceType) {
    std::memcpy(target, source, size_t(count * size));
    return;
  }
  if (sourceType == ElementType::F32)
    return narrowFrom(target, source, type, count);
  constexpr int64_t chunk = 64;
  float values[chunk];
  auto *to = static_cast<unsigned char *>(target);
  const auto *from = static_cast<const unsigned char *>(source);
  for (int64_t done = 0; done < count; done += chunk) {
    int64_t part = count - done < chunk ? count - done : chunk;
    widen(values, from + done * sourceSize, sourceType, part);
    narrow(to + done * size, values, type, part);
  }
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

bool countElements(const int64_t *dims, int32_t rank, uint64_t &count) {
  // An empty tensor may have other dimensions of any size, so look for a zero
  // first.
  bool isEmpty = false;
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return false;
    isEmpty |= dims[i] == 0;
  }
  count = isEmpty ? 0 : 1;
  for (int32_t i = 0; i < rank && !isEmpty; ++i)
    if (__builtin_mul_overflow(count, uint64_t(dims[i]), &count) ||
        count > uint64_t(INT64_MAX))
      return false;
  return true;
}

} // namespace vit::format
