//===- ElementTypeTest.cpp - Widening and narrowing -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/ElementType.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace vit::format;

namespace {

TEST(ElementType, NamesAndSizes) {
  for (int i = 0; i < kElementTypes; ++i) {
    const char *name = safetensorsName(ElementType(i));
    ElementType type;
    // No file has tensors of tf32.
    bool isOfFiles = ElementType(i) != ElementType::TF32;
    ASSERT_EQ(parseSafetensorsName(name, std::strlen(name), type), isOfFiles)
        << name;
    if (!isOfFiles)
      continue;
    EXPECT_EQ(type, ElementType(i));
    EXPECT_EQ(isReadable(type), i < kReadableTypes);
  }
  ElementType type;
  EXPECT_FALSE(parseSafetensorsName("F3", 2, type));
  EXPECT_EQ(sizeOf(ElementType::F64), 8u);
  EXPECT_EQ(sizeOf(ElementType::BF16), 2u);
  EXPECT_EQ(sizeOf(ElementType::F8E8M0), 1u);
}

TEST(Widen, IsExact) {
  // Compares every half with arithmetic on its fields.
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = uint16_t(bits);
    float value;
    widen(&value, &half, ElementType::F16, 1);
    int exponent = int(bits >> 10 & 31);
    double fraction = bits & 1023;
    double expected = exponent == 0
                          ? std::ldexp(fraction, -24)
                          : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31)
      expected = fraction != 0 ? NAN : INFINITY;
    if (bits & 0x8000)
      expected = -expected;
    if (std::isnan(expected))
      ASSERT_TRUE(std::isnan(value));
    else
      ASSERT_EQ(double(value), expected) << bits;
  }
  uint16_t brain = 0xc0a0;
  float value;
  widen(&value, &brain, ElementType::BF16, 1);
  EXPECT_EQ(value, -5.0f);
}

TEST(Widen, ReadsEveryReadableType) {
  auto expect = [](auto stored, ElementType type, double expected) {
    float value;
    double wide;
    widen(&value, &stored, type, 1);
    widen(&wide, &stored, type, 1);
    EXPECT_EQ(value, float(expected));
    EXPECT_EQ(wide, expected);
  };
  expect(1.5f, ElementType::F32, 1.5);
  expect(1e300, ElementType::F64, 1e300);
  expect(int32_t(-7), ElementType::I32, -7);
  expect(int64_t(1) << 40, ElementType::I64, std::ldexp(1, 40));
  expect(uint8_t(200), ElementType::U8, 200);
}

float narrowed(float value, ElementType type) {
  uint16_t bits;
  narrow(&bits, &value, type, 1);
  widen(&value, &bits, type, 1);
  return value;
}

TEST(Narrow, GivesBackWhatIsExact) {
  for (ElementType type : {ElementType::BF16, ElementType::F16})
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      auto stored = uint16_t(bits);
      float value;
      widen(&value, &stored, type, 1);
      uint16_t again;
      narrow(&again, &value, type, 1);
      if (std::isnan(value))
        ASSERT_TRUE(std::isnan(narrowed(value, type))) << bits;
      else
        ASSERT_EQ(again, stored);
    }
}

TEST(Narrow, RoundsToNearestEven) {
  // Between 1 and its neighbours: half way, and slightly more.
  EXPECT_EQ(narrowed(1 + 0x1p-8f, ElementType::BF16), 1);
  EXPECT_EQ(narrowed(1 + 0x1.01p-8f, ElementType::BF16), 1 + 0x1p-7f);
  EXPECT_EQ(narrowed(1 + 0x3p-8f, ElementType::BF16), 1 + 0x1p-6f);
  EXPECT_EQ(narrowed(1 + 0x1p-11f, ElementType::F16), 1);
  EXPECT_EQ(narrowed(1 + 0x1.01p-11f, ElementType::F16), 1 + 0x1p-10f);
  EXPECT_EQ(narrowed(1 + 0x3p-11f, ElementType::F16), 1 + 0x1p-9f);
  // The ends of the range.
  EXPECT_EQ(narrowed(65519, ElementType::F16), 65504);
  EXPECT_EQ(narrowed(65520, ElementType::F16), INFINITY);
  EXPECT_EQ(narrowed(-1e30f, ElementType::F16), -INFINITY);
  EXPECT_EQ(narrowed(std::numeric_limits<float>::max(), ElementType::BF16),
            INFINITY);
  EXPECT_EQ(narrowed(0x1p-25f, ElementType::F16), 0);
  EXPECT_EQ(narrowed(0x1.8p-25f, ElementType::F16), 0x1p-24f);
  EXPECT_EQ(narrowed(0x1.ff8p-15f, ElementType::F16), 0x1.ff8p-15f);
  EXPECT_EQ(narrowed(0x1.fffp-15f, ElementType::F16), 0x1p-14f);
  EXPECT_TRUE(std::signbit(narrowed(-0x1p-30f, ElementType::F16)));
}

TEST(Narrow, KnowsTheRange) {
  std::vector<float> values(100, -65519);
  values[1] = INFINITY;
  values[2] = NAN;
  auto areHalf = [&] {
    return areInRange(ElementType::F16, values.data(), ElementType::F32,
                      int64_t(values.size()));
  };
  EXPECT_TRUE(areHalf());
  for (size_t i : {0, 63, 64, 99}) {
    values[i] = i % 2 ? -65520 : 65520;
    EXPECT_FALSE(areHalf()) << i;
    values[i] = 0;
  }
  values[3] = 1e30f;
  EXPECT_TRUE(
      areInRange(ElementType::BF16, values.data(), ElementType::F32, 4));
  EXPECT_TRUE(areInRange(ElementType::F32, values.data(), ElementType::F32, 4));
  uint16_t brain[2] = {0x3f80, 0x4780}; // 1, 65536
  EXPECT_TRUE(areInRange(ElementType::F16, brain, ElementType::BF16, 1));
  EXPECT_FALSE(areInRange(ElementType::F16, brain, ElementType::BF16, 2));
  EXPECT_TRUE(areInRange(ElementType::F16, brain, ElementType::F16, 2));
}

} // namespace
