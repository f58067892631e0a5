//===- NarrowRowsTest.cpp - Rows and maps whose results are narrow --------===//
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
/// `op` applied to f32 in blocks of `rows` rows, with a result of `element`.
std::string narrowText(const std::string &op, const std::string &options,
                       int64_t tokens, int64_t width, Layout layout,
                       Element element) {
  std::string x = blockedType(tokens, width, layout);
  layout.element = element;
  std::string y = blockedType(tokens, width, layout);
  return "func.func @f(%x: " + x + ") -> " + y + " {\n %y = " + op + " %x " +
         options + " tile<rows = " + std::to_string(layout.rows) +
         ", cols = 16, chunk = 1> slots [0] {\n^bb0(%a: f32):\n"
         "kernel.yield %a : f32 } : " +
         x + " -> " + y + "\n return %y : " + y + "\n}\n";
}

/// Runs a kernel of narrowText() and returns its result.
Floats run(const Kernel &kernel, const Floats &x, int64_t batch, int64_t tokens,
           int64_t width, Layout layout, Element element) {
  Guarded input(block(x, batch, tokens, width, layout));
  layout.element = element;
  Guarded output =
      store(Floats(blockedSize(batch, tokens, width, layout), NAN), element);
  kernel.run({input.data(), output.data()}, batch, 3);
  EXPECT_TRUE(output.isIntact());
  return unblock(load(output, element), batch, tokens, width, layout);
}

struct Shape {
  int64_t tokens, width;
  Layout layout;
};

class NarrowRows : public testing::TestWithParam<Element> {};
INSTANTIATE_TEST_SUITE_P(Elements, NarrowRows,
                         testing::Values(Element::Bf16, Element::F16),
                         [](const testing::TestParamInfo<Element> &info) {
                           return nameOf(info.param);
                         });

TEST_P(NarrowRows, LayerNormIsTheRoundedOne) {
  for (const std::string &level : levels(GetParam()))
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
                               s.layout, GetParam()),
                    level);
      expectRounded(run(kernel, x, 2, s.tokens, s.width, s.layout, GetParam()),
                    GetParam(), expected, 5e-6,
                    level + " width " + std::to_string(s.width));
    }
}

/// Whether the level rounds to bf16 by vcvtneps2bf16, to which denormals are
/// zero.
bool flushesDenormals(const std::string &level, Element element) {
  using namespace vit::format;
  const Level *found = findLevel(Target::Cpu, level);
  return element == Element::Bf16 && found &&
         found->features.has(Feature::Avx512bf16);
}

float fromBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// Values at the borders of what rounding to bf16 or f16 tells apart.
Floats specialValues(Element element) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Floats values = {NAN, infinity, -infinity, 0, -0.0f,
                   std::numeric_limits<float>::max(),
                   // A NaN whose upper bits are those of infinity.
                   fromBits(0x7f800001), fromBits(0xff812345),
                   // The least normal number, and denormals.
                   fromBits(0x00800000), fromBits(0x007fffff),
                   fromBits(0x80012345), fromBits(1)};
  Floats bf16 = {// The largest that does not become infinite.
                 fromBits(0x7f7f7fff),
                 // Middles: to even below and above; next to a middle.
                 fromBits(0x3f808000), fromBits(0x3f818000),
                 fromBits(0xbf807fff), fromBits(0xbf808001)};
  Floats f16 = {// The largest that does not become a NaN, and the next one.
                65504, fromBits(0x477fefff), 65520, -65520, 65536, -1e6f,
                // Middles of normal numbers, and next to them.
                0x1.002p0f, 0x1.006p0f, -0x1.001ffep0f, -0x1.002002p0f,
                // The least normal number of f16, below it, and subnormals.
                0x1p-14f, 0x1.ff8p-15f, 0x1.ffcp-15f, 0x1.ffap-15f, 0x1p-24f,
                -0x1.8p-24f, 0x1.400002p-23f, 0x1p-25f, -0x1.000002p-25f,
                0x1p-26f};
  const Floats &own = element == Element::F16 ? f16 : bf16;
  values.insert(values.end(), own.begin(), own.end());
  return values;
}

TEST_P(NarrowRows, MapRoundsToNearestEven) {
  Floats x = randomFloats(48, 1, 100);
  Floats special = specialValues(GetParam());
  x.insert(x.end(), special.begin(), special.end());
  constexpr int64_t width = 16;
  x.resize((x.size() + width - 1) / width * width, 1);
  auto tokens = int64_t(x.size()) / width;
  for (const std::string &level : levels(GetParam())) {
    Floats expected = roundFor(x, GetParam());
    if (flushesDenormals(level, GetParam()))
      for (size_t i = 0; i < x.size(); ++i)
        if (std::fpclassify(x[i]) == FP_SUBNORMAL)
          expected[i] = std::copysign(0.0f, x[i]);
    Kernel kernel(narrowText("kernel.map", "", tokens, width, {4}, GetParam()),
                  level);
    Floats actual = run(kernel, x, 1, tokens, width, {4}, GetParam());
    for (size_t i = 0; i < x.size(); ++i) {
      // Any NaN of f16 will do.
      bool isSame = GetParam() == Element::F16 && std::isnan(expected[i])
                        ? std::isnan(actual[i])
                        : memcmp(&actual[i], &expected[i], sizeof(float)) == 0;
      EXPECT_TRUE(isSame) << level << " " << x[i] << " became " << actual[i];
    }
  }
}

} // namespace
