//===- NarrowRowsTest.cpp - Rows and maps whose results are bf16 ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "format/Level.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace test;

namespace {
/// `op` applied to f32 in blocks of `rows` rows, with a result of bf16.
std::string narrowText(const std::string &op, const std::string &options,
                       int64_t tokens, int64_t width, Layout layout) {
  std::string x = blockedType(tokens, width, layout);
  layout.line = kNarrowLine;
  std::string y = blockedType(tokens, width, layout);
  return "func.func @f(%x: " + x + ") -> " + y + " {\n %y = " + op + " %x " +
         options + " tile<rows = " + std::to_string(layout.rows) +
         ", cols = 16, chunk = 1> slots [0] {\n^bb0(%a: f32):\n"
         "kernel.yield %a : f32 } : " +
         x + " -> " + y + "\n return %y : " + y + "\n}\n";
}

/// Runs a kernel of narrowText() and returns its result.
Halves run(const Kernel &kernel, const Floats &x, int64_t batch, int64_t tokens,
           int64_t width, Layout layout) {
  Guarded input(block(x, batch, tokens, width, layout));
  layout.line = kNarrowLine;
  Guarded output = store(Floats(blockedSize(batch, tokens, width, layout), NAN),
                         kNarrowLine);
  kernel.run({input.data(), output.data()}, batch, 3);
  EXPECT_TRUE(output.isIntact());
  return toBf16(
      unblock(load(output, kNarrowLine), batch, tokens, width, layout));
}

struct Shape {
  int64_t tokens, width;
  Layout layout;
};

TEST(NarrowRows, LayerNormIsTheRoundedOne) {
  for (const std::string &level : levels(Precision::Bf16))
    for (Shape s : std::initializer_list<Shape>{{33, 80, {16}},
                                                {17, 75, {6, 25}},
                                                {17, 144, {16, 48}},
                                                {0, 100, {16}}}) {
      size_t count = 2 * std::max<int64_t>(s.tokens, 1) * s.width;
      Floats x = randomFloats(count, 1, 3);
      std::vector<double> expected(count);
      for (size_t row = 0; row < count; row += s.width) {
        double mean = 0, variance = 0;
        for (int64_t c = 0; c < s.width; ++c)
          mean += x[row + c] / double(s.width);
        for (int64_t c = 0; c < s.width; ++c)
          variance += std::pow(x[row + c] - mean, 2) / double(s.width);
        for (int64_t c = 0; c < s.width; ++c)
          expected[row + c] = (x[row + c] - mean) / std::sqrt(variance + 1e-6);
      }
      Kernel kernel(narrowText("kernel.rows normalize",
                               "epsilon 1.0e-6 groups 1", s.tokens, s.width,
                               s.layout),
                    level);
      expectRounded(run(kernel, x, 2, s.tokens, s.width, s.layout), expected,
                    5e-6, level + " width " + std::to_string(s.width));
    }
}

/// Whether the level rounds by vcvtneps2bf16, to which denormals are zero.
bool flushesDenormals(const std::string &level) {
  using namespace vit::format;
  const Level *found = findLevel(Target::Cpu, level);
  return found && found->features.has(Feature::Avx512bf16);
}

TEST(NarrowRows, MapRoundsToNearestEven) {
  Floats x = randomFloats(48, 1, 100);
  auto fromBits = [](uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
  };
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Floats special = {NAN, infinity, -infinity, 0, -0.0f,
                    // The largest f32, which becomes infinite, and what does
                    // not; a NaN whose upper bits are those of infinity.
                    std::numeric_limits<float>::max(), fromBits(0x7f7f7fff),
                    fromBits(0x7f800001), fromBits(0xff812345),
                    // Middles: to even below and above; next to a middle.
                    fromBits(0x3f808000), fromBits(0x3f818000),
                    fromBits(0xbf807fff), fromBits(0xbf808001),
                    // The least normal number, and denormals.
                    fromBits(0x00800000), fromBits(0x007fffff),
                    fromBits(0x80012345), fromBits(1)};
  x.insert(x.end(), special.begin(), special.end());
  for (const std::string &level : levels(Precision::Bf16)) {
    Halves expected = toBf16(x);
    if (flushesDenormals(level))
      for (size_t i = 0; i < x.size(); ++i)
        if (std::fpclassify(x[i]) == FP_SUBNORMAL)
          expected[i] = toBf16(std::copysign(0.0f, x[i]));
    Kernel kernel(narrowText("kernel.map", "", 5, int64_t(x.size() / 5), {4}),
                  level);
    EXPECT_EQ(run(kernel, x, 1, 5, int64_t(x.size() / 5), {4}), expected)
        << level;
  }
}

} // namespace
