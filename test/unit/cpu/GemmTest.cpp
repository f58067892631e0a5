//===- GemmTest.cpp - Products against plain loops ------------------------===//
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
struct Case {
  GemmShape shape;
  std::string level;
};

class GemmTest : public testing::TestWithParam<Case> {};

TEST_P(GemmTest, BiasTableAndResidual) {
  checkGemm(GetParam().shape, GetParam().level, {1, 2, 3, 7});
}

std::vector<Case> gemmCases() {
  std::vector<Case> cases;
  for (const std::string &level : levels()) {
    bool wide = level == "avx512";
    int64_t cols = wide ? 64 : 16;
    for (GemmShape s : std::initializer_list<GemmShape>{
             {197, 64, 192, 6, 64, cols, 33},
             {65, 192, 192, 5, 64, cols, 4},
             {17, 100, 100, 6, 64, cols, 2},
             {5, 36, 25, 4, 64, cols, 1},
             {17, 9, 48, 6, 48, wide ? 48 : 16, 3},
             {0, 48, 10, 6, 64, cols, 1},
             {0, 192, 200, 2, 32, wide ? 32 : 16, 2},
             {17, 50, 75, 6, 64, cols, 3, 25, 25},
             {17, 48, 96, 8, 32, wide ? 32 : 16, 3, 0, 8},
             {5, 16, 16, 1, 16, 16, 1},
             {65, 96, 192, 5, 64, cols, 4, 0, 0, true},
             {17, 50, 75, 6, 64, cols, 3, 25, 25, true},
             {5, 36, 40, 4, 64, cols, 1, 12, 0, true},
             {0, 10, 49, 6, 64, cols, 1, 0, 0, true},
             // Panels that are processed in two and three pieces.
             {17, 1100, 80, 6, 64, cols, 2},
             {0, 2100, 64, 6, 64, cols, 2, 0, 0, true},
         })
      cases.push_back({s, level});
  }
  return cases;
}
std::string caseName(const testing::TestParamInfo<Case> &info) {
  return info.param.level + "_" + info.param.shape.name();
}
INSTANTIATE_TEST_SUITE_P(Shapes, GemmTest, testing::ValuesIn(gemmCases()),
                         caseName);

TEST(GemmEpilogue, RegionThatMakesSomethingOfZeroLeavesPaddingZero) {
  for (const std::string &level : levels()) {
    GemmShape s{17, 20, 36, 6, 64, level == "avx512" ? 64 : 16, 3};
    Kernel kernel(gemmText(s, "",
                           "{\n^bb0(%a: f32):\n%0 = math.exp %a : f32\n"
                           "kernel.yield %0 : f32 }"),
                  level);
    Floats x = randomFloats(2 * 17 * 20, 1), w = randomFloats(36 * 20, 2, 0.2f);
    std::vector<double> expected = product(x, w, 2 * 17, 20, 36);
    for (double &v : expected)
      v = std::exp(v);
    Guarded input(block(x, 2, 17, 20, {6})), weight(panels(w, 36, 20, 64));
    Guarded output(blockedSize(2, 17, 36, {6}), NAN);
    kernel.run({input.data(), weight.data(), output.data()}, 2);
    // `unblock` checks the padding.
    expectClose(unblock(output.values(), 2, 17, 36, {6}), expected, 1e-5,
                level);
  }
}

TEST(GemmEpilogue, NotANumberStaysInItsRow) {
  for (const std::string &level : levels()) {
    GemmShape s{17, 48, 48, 6, 64, level == "avx512" ? 64 : 16, 3};
    Kernel kernel(gemmText(s, "b",
                           "{\n^bb0(%a: f32, %c: f32):\n"
                           "%0 = arith.addf %a, %c : f32\n"
                           "kernel.yield %0 : f32 }"),
                  level);
    Floats x = randomFloats(17 * 48, 1), w = randomFloats(48 * 48, 2);
    x[7 * 48 + 5] = NAN;
    Guarded input(block(x, 1, 17, 48, {6})), weight(panels(w, 48, 48, 64));
    Guarded bias(channels(Floats(48, 1), 1, 48));
    Guarded output(blockedSize(1, 17, 48, {6}), 0);
    kernel.run({input.data(), weight.data(), bias.data(), output.data()}, 1);
    Floats y = unblock(output.values(), 1, 17, 48, {6});
    for (int64_t t = 0; t < 17; ++t)
      for (int64_t c = 0; c < 48; ++c)
        EXPECT_EQ(std::isnan(y[t * 48 + c]), t == 7) << t << " " << c;
  }
}

} // namespace
