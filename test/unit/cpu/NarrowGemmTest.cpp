//===- NarrowGemmTest.cpp - Products of bf16 ------------------------------===//
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
constexpr int64_t kF32 = 16, kBf16 = kNarrowLine;

class NarrowGemm : public testing::TestWithParam<GemmShape> {};

TEST_P(NarrowGemm, BiasTableAndResidual) {
  const GemmShape &s = GetParam();
  std::vector<int64_t> batches{1, 3};
  if (s.tokens == 0)
    batches.push_back(2 * s.rows + 3);
  std::map<std::string, Floats> results;
  for (const std::string &level : levels(Precision::Bf16))
    results[level] = checkGemm(s, level, batches);
  expectSameAsExpanded(results);
}

const GemmShape kShapes[] = {
    {65, 96, 192, 16, 64, 64, 33, 0, 0, false, kBf16, kBf16},
    {33, 64, 80, 16, 64, 64, 2, 0, 0, false, kBf16, kF32},
    // Widths that are no multiples of a vector, small row blocks.
    {17, 100, 100, 6, 64, 64, 2, 0, 0, false, kBf16, kBf16},
    {5, 36, 25, 4, 64, 64, 1, 0, 0, false, kBf16, kF32},
    {5, 16, 16, 1, 16, 16, 1, 0, 0, false, kBf16, kBf16},
    // One panel with an odd number of vectors.
    {33, 40, 48, 15, 48, 48, 3, 0, 0, false, kBf16, kBf16},
    // Rank 2; narrow panels.
    {0, 48, 10, 16, 64, 64, 1, 0, 0, false, kBf16, kF32},
    {0, 96, 200, 16, 32, 32, 2, 0, 0, false, kBf16, kBf16},
    // Groups of an even and of an odd number of vectors.
    {17, 50, 75, 16, 64, 64, 3, 25, 25, false, kBf16, kBf16},
    {17, 96, 144, 16, 64, 64, 3, 48, 48, false, kBf16, kBf16},
    {17, 40, 36, 16, 64, 64, 3, 0, 12, false, kBf16, kF32},
    {17, 96, 80, 16, 64, 64, 4, 0, 0, true, kBf16, kBf16},
    // So deep that f32 sums wait in the result.
    {5, 2100, 64, 16, 64, 64, 2, 0, 0, false, kBf16, kF32},
    // Operands of f32 in row blocks as high as a tile.
    {17, 50, 75, 16, 64, 64, 3, 25, 25, false, kF32, kF32},
    {33, 40, 80, 16, 64, 64, 3, 0, 0, false, kF32, kBf16},
};
INSTANTIATE_TEST_SUITE_P(Shapes, NarrowGemm, testing::ValuesIn(kShapes),
                         [](const testing::TestParamInfo<GemmShape> &info) {
                           return std::to_string(info.index) + "_" +
                                  info.param.name();
                         });

TEST(NarrowGemmEpilogue, PaddingStaysZeroAndNotFiniteStaysInItsRow) {
  GemmShape s{17, 48, 36, 16, 64, 64, 2, 0, 12, false, kBf16, kBf16};
  Floats x = rounded(randomFloats(17 * 48, 1)),
         w = rounded(randomFloats(36 * 48, 2, 0.2f));
  x[7 * 48 + 5] = NAN;
  x[16 * 48 + 47] = INFINITY;
  std::vector<double> expected = product(x, w, 17, 48, 36);
  Guarded input = store(block(x, 1, 17, 48, s.input()), kBf16),
          weight = s.pack(w);
  for (const std::string &level : levels(Precision::Bf16)) {
    Kernel kernel(gemmText(s, "",
                           "{\n^bb0(%a: f32):\n%0 = math.exp %a : f32\n"
                           "kernel.yield %0 : f32 }"),
                  level);
    Guarded output =
        store(Floats(blockedSize(1, 17, 36, s.result()), NAN), kBf16);
    kernel.run({input.data(), weight.data(), output.data()}, 1);
    // `unblock` checks the padding.
    Floats y = unblock(load(output, kBf16), 1, 17, 36, s.result());
    for (int64_t t = 0; t < 17; ++t)
      for (int64_t c = 0; c < 36; ++c) {
        float value = y[t * 36 + c];
        double exact = std::exp(expected[t * 36 + c]);
        if (t == 7)
          EXPECT_TRUE(std::isnan(value)) << level << " " << c;
        else if (t == 16)
          EXPECT_EQ(value, exact) << level << " " << c; // infinity or zero
        else
          EXPECT_NEAR(value, exact, exact / 128) << level << " " << t;
      }
  }
}

} // namespace
