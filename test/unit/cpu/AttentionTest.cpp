//===- AttentionTest.cpp - Attention against plain loops ------------------===//
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
  AttentionShape shape;
  std::string level;
};

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, AgreesWithLoops) {
  checkAttention(GetParam().shape, GetParam().level, {1e-5, 2e-6});
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const std::string &level : levels())
    for (AttentionShape s : std::initializer_list<AttentionShape>{
             {197, 2, 64, 6, 17, true, false, 0.125},
             {65, 3, 64, 5, 13, true, true, 0.125},
             {17, 2, 25, 6, 2, true, true, 0.2},
             {5, 1, 9, 4, 1, false, true, 1. / 3},
             {17, 1, 100, 6, 3, false, false, 0.1},
             {16, 2, 32, 6, 8, true, true, -0.15},
             {50, 4, 12, 5, 4, true, false, 0.29},
             {33, 1, 192, 3, 5, true, false, 0.072},
             {20, 2, 32, 6, 2, false, true, 0.2, /*keys=*/35, /*bias=*/true},
             // So many keys that row blocks are grouped, by 4, 4 and 2.
             {350, 1, 192, 6, 10, true, true, 0.02},
         })
      result.push_back({s, level});
  return result;
}
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<Case> &info) {
                           return info.param.level + "_" +
                                  info.param.shape.name();
                         });

TEST(Attention, NotANumberReachesTheTokensThatSeeIt) {
  for (const std::string &level : levels()) {
    AttentionShape s{17, 2, 16, 6, 3, false, false, 0.25};
    Kernel kernel(attentionText(s), level);
    size_t count = 17 * 32;
    Floats q = randomFloats(count, 1), k = randomFloats(count, 2),
           v = randomFloats(count, 3);
    q[4 * 32 + 20] = NAN; // query 4, head 1
    Guarded a(block(q, 1, 17, 32, s.layout())),
        b(block(k, 1, 17, 32, s.layout())), c(block(v, 1, 17, 32, s.layout()));
    Guarded output(count / 17 * 18, 0);
    kernel.run({a.data(), b.data(), c.data(), output.data()}, 1);
    Floats y = unblock(output.values(), 1, 17, 32, s.layout());
    for (int64_t t = 0; t < 17; ++t)
      for (int64_t d = 0; d < 32; ++d)
        EXPECT_EQ(std::isnan(y[t * 32 + d]), t == 4 && d >= 16);
    k[9 * 32] = NAN; // key 9 of head 0 affects every query of the head
    Guarded keys(block(k, 1, 17, 32, s.layout()));
    kernel.run({a.data(), keys.data(), c.data(), output.data()}, 1);
    y = unblock(output.values(), 1, 17, 32, s.layout());
    for (int64_t t = 0; t < 17; ++t)
      EXPECT_TRUE(std::isnan(y[t * 32]));
  }
}

TEST(Attention, FewerQueriesThanKeys) {
  // One query, as when only the class token is needed.
  for (const std::string &level : levels()) {
    Layout layout{6};
    std::string q = blockedType(1, 32, layout), k = blockedType(17, 32, layout);
    Kernel kernel(
        "func.func @f(%q: " + q + ", %k: " + k + ", %v: " + k + ") -> " + q +
            " {\n%y = kernel.attention %q, %k, %v heads 2 head_dim 16 "
            "offsets [0, 0, 0] scale 0.25 slots [0] : (" +
            q + ", " + k + ", " + k + ") -> " + q + "\nreturn %y : " + q +
            "\n}",
        level);
    for (int64_t batch : {1, 3}) {
      AttentionShape s{17, 2, 16, 6, 1, false, false, 0.25};
      Floats all = randomFloats(batch * 17 * 32, 1),
             keys = randomFloats(batch * 17 * 32, 2),
             values = randomFloats(batch * 17 * 32, 3), queries;
      std::vector<double> full, probabilities, expected;
      attend(all, keys, values, {}, s, batch, full, probabilities);
      for (int64_t b = 0; b < batch; ++b) {
        auto at = b * 17 * 32;
        queries.insert(queries.end(), all.begin() + at, all.begin() + at + 32);
        expected.insert(expected.end(), full.begin() + at,
                        full.begin() + at + 32);
      }
      Guarded x(block(queries, batch, 1, 32, layout)),
          y(block(keys, batch, 17, 32, layout)),
          z(block(values, batch, 17, 32, layout));
      Guarded output(blockedSize(batch, 1, 32, layout), NAN);
      kernel.run({x.data(), y.data(), z.data(), output.data()}, batch, 2);
      expectClose(unblock(output.values(), batch, 1, 32, layout), expected,
                  1e-6, level);
    }
  }
}

TEST(Attention, LargeScoresNeitherOverflowNorVanish) {
  for (const std::string &level : levels()) {
    AttentionShape s{17, 1, 16, 6, 3, false, true, 1};
    Kernel kernel(attentionText(s), level);
    Floats q = randomFloats(17 * 16, 1, 30), k = randomFloats(17 * 16, 2, 30),
           v = randomFloats(17 * 16, 3);
    std::vector<double> expected, probabilities;
    attend(q, k, v, {}, s, 1, expected, probabilities);
    Guarded a(block(q, 1, 17, 16, s.layout())),
        b(block(k, 1, 17, 16, s.layout())), c(block(v, 1, 17, 16, s.layout()));
    Guarded output(18 * 16, 0), p(17 * 17, 0);
    kernel.run({a.data(), b.data(), c.data(), output.data(), p.data()}, 1);
    // Scores are in the thousands, so their rounding error dominates.
    expectClose(p.values(), probabilities, 2e-3, level);
  }
}

} // namespace
