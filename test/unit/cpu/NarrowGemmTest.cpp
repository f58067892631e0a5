//===- NarrowGemmTest.cpp - Products of f16 and bf16 ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Products.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace test;

namespace {
/// Of narrow operands or results in the shapes below.
constexpr Element kF32 = Element::F32, kNarrow = Element::Bf16;

class NarrowGemm
    : public testing::TestWithParam<std::tuple<Element, GemmShape>> {};

TEST_P(NarrowGemm, BiasTableAndResidual) {
  auto [element, s] = GetParam();
  for (Element *own : {&s.inElement, &s.outElement})
    if (*own == kNarrow)
      *own = element;
  std::vector<int64_t> batches{1, 3};
  if (s.tokens == 0)
    batches.push_back(2 * s.rows + 3);
  std::map<std::string, Floats> results;
  for (const std::string &level : levels(element))
    results[level] = checkGemm(s, level, batches);
  expectSameAsExpanded(results);
}

const GemmShape kShapes[] = {
    {65, 96, 192, 16, 64, 64, 33, 0, 0, false, kNarrow, kNarrow},
    {33, 64, 80, 16, 64, 64, 2, 0, 0, false, kNarrow, kF32},
    // Widths that are no multiples of a vector, small row blocks.
    {17, 100, 100, 6, 64, 64, 2, 0, 0, false, kNarrow, kNarrow},
    {5, 36, 25, 4, 64, 64, 1, 0, 0, false, kNarrow, kF32},
    {5, 16, 16, 1, 16, 16, 1, 0, 0, false, kNarrow, kNarrow},
    // One panel with an odd number of vectors.
    {33, 40, 48, 15, 48, 48, 3, 0, 0, false, kNarrow, kNarrow},
    // Rank 2; narrow panels.
    {0, 48, 10, 16, 64, 64, 1, 0, 0, false, kNarrow, kF32},
    {0, 96, 200, 16, 32, 32, 2, 0, 0, false, kNarrow, kNarrow},
    // Groups of an even and of an odd number of vectors.
    {17, 50, 75, 16, 64, 64, 3, 25, 25, false, kNarrow, kNarrow},
    {17, 96, 144, 16, 64, 64, 3, 48, 48, false, kNarrow, kNarrow},
    {17, 40, 36, 16, 64, 64, 3, 0, 12, false, kNarrow, kF32},
    {17, 96, 80, 16, 64, 64, 4, 0, 0, true, kNarrow, kNarrow},
    // So deep that f32 sums wait in the result.
    {5, 2100, 64, 16, 64, 64, 2, 0, 0, false, kNarrow, kF32},
    // Operands of f32 in row blocks as high as a tile.
    {17, 50, 75, 16, 64, 64, 3, 25, 25, false, kF32, kF32},
    {33, 40, 80, 16, 64, 64, 3, 0, 0, false, kF32, kNarrow},
};
INSTANTIATE_TEST_SUITE_P(
    Shapes, NarrowGemm,
    testing::Combine(testing::Values(Element::Bf16, Element::F16),
                     testing::ValuesIn(kShapes)),
    [](const testing::TestParamInfo<NarrowGemm::ParamType> &info) {
      return std::to_string(info.index % std::size(kShapes)) + "_" +
             std::get<1>(info.param).name() + "_" +
             nameOf(std::get<0>(info.param));
    });

/// Stores the exponential of each result, which padding must not become.
void checkPadding(Element element) {
  GemmShape s{17, 48, 36, 16, 64, 64, 2, 0, 12, false, element, element};
  bool isF16 = element == Element::F16;
  Floats x = roundFor(randomFloats(17 * 48, 1), element),
         w = roundFor(randomFloats(36 * 48, 2, 0.2f), element);
  x[7 * 48 + 5] = NAN;
  x[16 * 48 + 47] = isF16 ? NAN : INFINITY;
  std::vector<double> expected = product(x, w, 17, 48, 36);
  Guarded input = store(block(x, 1, 17, 48, s.input()), element),
          weight = s.pack(w);
  for (const std::string &level : levels(element)) {
    Kernel kernel(gemmText(s, "",
                           "{\n^bb0(%a: f32):\n%0 = math.exp %a : f32\n"
                           "kernel.yield %0 : f32 }"),
                  level);
    Guarded output =
        store(Floats(blockedSize(1, 17, 36, s.result()), NAN), element);
    kernel.run({input.data(), weight.data(), output.data()}, 1);
    // `unblock` checks the padding.
    Floats y = unblock(load(output, element), 1, 17, 36, s.result());
    for (int64_t t = 0; t < 17; ++t)
      for (int64_t c = 0; c < 36; ++c) {
        float value = y[t * 36 + c];
        double exact = std::exp(expected[t * 36 + c]);
        if (t == 7 || (isF16 && t == 16))
          EXPECT_TRUE(std::isnan(value)) << level << " " << c;
        else if (t == 16)
          EXPECT_EQ(value, exact) << level << " " << c; // infinity or zero
        else
          EXPECT_NEAR(value, exact, exact / (isF16 ? 1024 : 128))
              << level << " " << t;
      }
  }
}

TEST(NarrowGemmEpilogue, PaddingStaysZeroAndNotFiniteStaysInItsRow) {
  for (Element element : {Element::Bf16, Element::F16})
    checkPadding(element);
}

TEST(NarrowGemmEpilogue, BeyondTheRangeOfF16IsNotANumber) {
  // The results are 65504, 65519.9 and 65520, of both signs, and a subnormal.
  constexpr int64_t width = 32;
  GemmShape s{1, width, width, 1,     64,           64,
              1, 0,     0,     false, Element::F16, Element::F16};
  Floats x(width, 0), w(width * width, 0);
  x[0] = 32752;
  x[1] = 0x1p-3f;
  x[2] = 0x1p-12f;
  auto set = [&](int64_t out, float first, float second, float third) {
    w[out * width] = first;
    w[out * width + 1] = second;
    w[out * width + 2] = third;
  };
  set(0, 2, 0, 0);
  set(1, -2, 0, 0);
  set(2, 2, 127, 0);
  set(3, -2, -127, 0);
  set(4, 2, 128, 0);
  set(5, -2, -128, 0);
  set(6, 0, 0, 0x1p-12f);
  set(7, 0, 0, -0x1.8p-13f);
  Floats expected(width, 0);
  const float first[] = {65504, -65504, 65504,    -65504,
                         NAN,   NAN,    0x1p-24f, -0x1p-24f};
  std::copy(std::begin(first), std::end(first), expected.begin());
  Guarded input = store(block(x, 1, 1, width, s.input()), Element::F16),
          weight = s.pack(w);
  for (const std::string &level : levels(Element::F16)) {
    Kernel kernel(gemmText(s, "", "{\n^bb0(%a: f32):\nkernel.yield %a : f32 }"),
                  level);
    Guarded output =
        store(Floats(blockedSize(1, 1, width, s.result()), NAN), Element::F16);
    kernel.run({input.data(), weight.data(), output.data()}, 1);
    Floats y = unblock(load(output, Element::F16), 1, 1, width, s.result());
    for (int64_t i = 0; i < width; ++i)
      EXPECT_TRUE(std::isnan(expected[i]) ? std::isnan(y[i])
                                          : y[i] == expected[i])
          << level << " " << i << " " << y[i];
  }
}

} // namespace
