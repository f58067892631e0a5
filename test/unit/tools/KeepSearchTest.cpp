//===- KeepSearchTest.cpp - The search for products that stay wide --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KeepSearch.h"

#include <gtest/gtest.h>

using namespace vit::tools;

namespace {

TEST(KeepSearch, FindsTheLeastNumber) {
  for (size_t count = 1; count <= 70; ++count)
    for (size_t least = 1; least <= count; ++least) {
      size_t calls = 0;
      EXPECT_EQ(findLeast(count,
                          [&](size_t n) {
                            ++calls;
                            EXPECT_GE(n, 1u);
                            EXPECT_LT(n, count);
                            return n >= least;
                          }),
                least);
      EXPECT_LE(calls, 13u); // Of compilations: twice the logarithm.
    }
}

TEST(KeepSearch, FindsANumberThatHolds) {
  // Not monotonic: n holds, n - 1 does not.
  auto holds = [](size_t n) { return n == 3 || n >= 11; };
  size_t found = findLeast(20, holds);
  EXPECT_TRUE(holds(found));
  EXPECT_FALSE(holds(found - 1));
}

Trial trialOf(int64_t images, int64_t right) {
  Trial trial;
  trial.score.images = images;
  trial.score.top1 = right;
  return trial;
}

TEST(KeepSearch, ADropOfExactlyTheBoundHolds) {
  AccuracyBound bound;
  for (int64_t lost = 0; lost <= 100; ++lost) {
    bound.maxDrop = double(lost) / 100;
    Trial exact = trialOf(10000, 9806);
    EXPECT_TRUE(bound.holds(exact, trialOf(10000, 9806 - lost))) << lost;
    EXPECT_FALSE(bound.holds(exact, trialOf(10000, 9805 - lost))) << lost;
    EXPECT_TRUE(bound.holds(exact, trialOf(10000, 10000))) << lost;
  }
}

TEST(KeepSearch, BothBoundsHold) {
  AccuracyBound bound;
  bound.maxDrop = 1;
  bound.minCosine = 0.99;
  Tensor x, y;
  x.allocate(VIT_F32, {1, 2});
  y.allocate(VIT_F32, {1, 2});
  x.floats()[0] = y.floats()[0] = 1;
  y.floats()[1] = 1;
  Trial exact = trialOf(100, 90), good = exact, bad = exact;
  good.output.add(x, x);
  bad.output.add(x, y); // A cosine of 0.7.
  EXPECT_TRUE(bound.holds(exact, good));
  EXPECT_FALSE(bound.holds(exact, bad));
  good.score.top1 = 80;
  EXPECT_FALSE(bound.holds(exact, good));
}

} // namespace
