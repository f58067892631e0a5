//===- RandomTest.cpp - Hashes and random numbers -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Hash.h"
#include "format/Initializer.h"
#include "format/Philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

using namespace vit::format;

namespace {

//===----------------------------------------------------------------------===//
// Hash
//===----------------------------------------------------------------------===//

TEST(Hash, GivesTheSpecificationsValues) {
  EXPECT_EQ(hash64(nullptr, 0), 0xEF46DB3751D8E999ull);
  EXPECT_EQ(hash64("a", 1), 0xD24EC4F1A98C6E5Bull);
  EXPECT_EQ(hash64("abc", 3), 0x44BC2CF5AD770999ull);
  EXPECT_EQ(hash64("Nobody inspects the spammish repetition", 39),
            0xFBCEA83C8A378BF1ull);
}

//===----------------------------------------------------------------------===//
// Random numbers
//===----------------------------------------------------------------------===//

TEST(Philox, GivesTheAuthorsValues) {
  // The kat_vectors of Random123.
  struct {
    uint32_t counter[4], key[2], expected[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u},
       {~0u, ~0u},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto &c : cases) {
    uint32_t out[4];
    philox(c.key, c.counter, out);
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(out[i], c.expected[i]);
  }
}

std::vector<float> draw(Initializer distribution, double value, int64_t count,
                        uint64_t seed = 1, const char *name = "w") {
  std::vector<float> out(static_cast<size_t>(count));
  int64_t dims[] = {count};
  initialize(out.data(), 0, count, distribution, value, dims, 1, seed, name);
  return out;
}

struct Moments {
  explicit Moments(const std::vector<float> &values) {
    for (float x : values) {
      mean += double(x);
      square += double(x) * double(x);
      fourth += std::pow(double(x), 4);
      least = std::min(least, x);
      most = std::max(most, x);
    }
    mean /= double(values.size());
    square /= double(values.size());
    fourth /= double(values.size());
  }
  double mean = 0, square = 0, fourth = 0;
  float least = INFINITY, most = -INFINITY;
};

constexpr int64_t kMany = 200000;

TEST(Initializer, NormalHasItsMoments) {
  Moments m(draw(Initializer::Normal, 3, kMany));
  EXPECT_NEAR(m.mean, 0, 0.03);
  EXPECT_NEAR(m.square, 9, 0.15);
  EXPECT_NEAR(m.fourth / (m.square * m.square), 3, 0.1);
}

TEST(Initializer, TruncNormalIsCutAtTwo) {
  Moments narrow(draw(Initializer::TruncNormal, 0.02, kMany));
  EXPECT_NEAR(std::sqrt(narrow.square), 0.02, 0.0002);
  EXPECT_NEAR(narrow.fourth / (narrow.square * narrow.square), 3, 0.1);
  // A deviation of 2 is truncated at one deviation, so the variance is sigma^2
  // (1 - 2 phi(1) / (2 Phi(1) - 1)).
  Moments wide(draw(Initializer::TruncNormal, 2, kMany));
  EXPECT_GE(wide.least, -2);
  EXPECT_LE(wide.most, 2);
  EXPECT_LT(wide.least, -1.99);
  EXPECT_GT(wide.most, 1.99);
  EXPECT_NEAR(wide.mean, 0, 0.02);
  EXPECT_NEAR(wide.square, 4 * 0.2911, 0.02);
}

TEST(Initializer, UniformFillsItsRange) {
  Moments m(draw(Initializer::Uniform, 0.5, kMany));
  EXPECT_GE(m.least, -0.5f);
  EXPECT_LT(m.most, 0.5f);
  EXPECT_NEAR(m.mean, 0, 0.005);
  EXPECT_NEAR(m.square, 0.25 / 3, 0.001);
}

TEST(Initializer, XavierTakesItsBoundFromTheShape) {
  std::vector<float> out(96 * 54);
  int64_t dims[] = {96, 54};
  initialize(out.data(), 0, 96 * 54, Initializer::XavierUniform, 0, dims, 2, 5,
             "w");
  Moments m(out);
  EXPECT_LE(m.most, std::sqrt(6.0 / 150));
  EXPECT_GT(m.most, 0.99 * std::sqrt(6.0 / 150));
}

TEST(Initializer, ConstantIsConstant) {
  EXPECT_EQ(draw(Initializer::Constant, 1.5, 5), std::vector<float>(5, 1.5f));
}

TEST(Initializer, AnElementDependsOnItsIndexAlone) {
  for (Initializer d :
       {Initializer::Normal, Initializer::TruncNormal, Initializer::Uniform}) {
    std::vector<float> whole = draw(d, 1, 103);
    int64_t dims[] = {103};
    for (int64_t begin : {0, 1, 2, 3, 50, 97})
      for (int64_t count : {1, 2, 5, 6}) {
        std::vector<float> part(static_cast<size_t>(count));
        initialize(part.data(), begin, count, d, 1, dims, 1, 1, "w");
        for (int64_t i = 0; i < count; ++i)
          EXPECT_EQ(part[size_t(i)], whole[size_t(begin + i)]);
      }
  }
}

TEST(Initializer, SeedAndNameMatter) {
  std::set<std::vector<float>> all;
  for (uint64_t seed : {uint64_t(1), uint64_t(2), uint64_t(1) << 32 | 1})
    for (const char *name : {"w", "w.0", "w.1"})
      all.insert(draw(Initializer::Normal, 1, 8, seed, name));
  EXPECT_EQ(all.size(), 9u);
}

} // namespace
