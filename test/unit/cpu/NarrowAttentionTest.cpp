//===- NarrowAttentionTest.cpp - Attention of f16 and bf16 ----------------===//
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
/// An exponential near the middle of two numbers may be rounded to either.
constexpr double toleranceOf(Element element) {
  return element == Element::Bf16 ? 4e-3 : 5e-4;
}

class NarrowAttention
    : public testing::TestWithParam<std::tuple<Element, AttentionShape>> {};

TEST_P(NarrowAttention, AgreesWithLoops) {
  auto [element, s] = GetParam();
  s.element = element;
  std::map<std::string, Floats> results;
  for (const std::string &level : levels(element))
    results[level] =
        checkAttention(s, level, {toleranceOf(element), toleranceOf(element)});
  expectSameAsExpanded(results);
}

const AttentionShape kShapes[] = {
    {197, 2, 64, 16, 7, true, false, 0.125, 0, false},
    {65, 3, 64, 16, 3, true, true, 0.125, 0, false},
    {17, 2, 25, 6, 2, true, true, 0.2, 0, false},
    {5, 1, 9, 4, 1, false, true, 1. / 3, 0, false, true},
    {17, 1, 100, 16, 3, false, false, 0.1, 0, true},
    {16, 2, 32, 16, 8, true, true, -0.15, 0, false},
    {33, 2, 48, 15, 4, true, true, 0.15, 0, true},
    {33, 1, 192, 3, 5, true, false, 0.072, 0, false},
    // Other tokens; one query, as when only the class token is needed.
    {20, 2, 32, 16, 2, false, true, 0.2, 35, true},
    {1, 2, 16, 16, 1, false, true, 0.25, 70, false},
};
INSTANTIATE_TEST_SUITE_P(
    Shapes, NarrowAttention,
    testing::Combine(testing::Values(Element::Bf16, Element::F16),
                     testing::ValuesIn(kShapes)),
    [](const testing::TestParamInfo<NarrowAttention::ParamType> &info) {
      return std::get<1>(info.param).name() + "_" +
             nameOf(std::get<0>(info.param));
    });

TEST(NarrowAttentionValues, NotANumberReachesTheTokensThatSeeIt) {
  AttentionShape s{17, 2, 16, 16, 3, false, false, 0.25};
  size_t count = 17 * 32;
  Floats q = randomFloats(count, 1), k = randomFloats(count, 2),
         v = randomFloats(count, 3);
  q[4 * 32 + 20] = NAN; // query 4, head 1
  v[9 * 32 + 3] = NAN;  // channel 3 of head 0
  for (Element element : {Element::Bf16, Element::F16}) {
    s.element = element;
    auto pack = [&](const Floats &x) {
      return store(block(x, 1, 17, 32, s.layout()), element);
    };
    Guarded a = pack(q), b = pack(k), c = pack(v);
    for (const std::string &level : levels(element)) {
      Kernel kernel(attentionText(s), level);
      Guarded output =
          store(Floats(blockedSize(1, 17, 32, s.result()), 0), element);
      kernel.run({a.data(), b.data(), c.data(), output.data()}, 1);
      Floats y = unblock(load(output, element), 1, 17, 32, s.result());
      for (int64_t t = 0; t < 17; ++t)
        for (int64_t d = 0; d < 32; ++d)
          EXPECT_EQ(std::isnan(y[t * 32 + d]), d == 3 || (t == 4 && d >= 16))
              << level << " " << nameOf(element) << " " << t << " " << d;
    }
  }
}

} // namespace
