//===- FidelityTest.cpp - Noise, cosine and agreement ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fidelity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace vit::tools;

static Tensor makeTensor(std::vector<int64_t> dims,
                         const std::vector<float> &values) {
  Tensor tensor;
  tensor.allocate(VIT_F32, std::move(dims));
  std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}

TEST(Fidelity, NoiseAndCosine) {
  ResultFidelity result;
  // In two batches: pictures (3, 4) and (0, 2), then (1, 0).
  result.add(makeTensor({2, 2}, {3, 4, 0, 2}),
             makeTensor({2, 2}, {3, 3, 0, 2}));
  result.add(makeTensor({1, 2}, {1, 0}), makeTensor({1, 2}, {1, 1}));
  // Squares 25 + 4 + 1 against 1 + 0 + 1.
  EXPECT_DOUBLE_EQ(result.all.decibels(), 10 * std::log10(15.0));
  EXPECT_DOUBLE_EQ(result.all.cosine(), 26 / std::sqrt(30.0 * 24.0));
  EXPECT_DOUBLE_EQ(result.all.maxAbs(), 1);
  EXPECT_DOUBLE_EQ(result.all.meanAbs(), 2.0 / 6);
  EXPECT_EQ(result.pictures, 3);
  EXPECT_DOUBLE_EQ(result.leastCosine, 1 / std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(result.meanCosine(),
                   (21 / (5 * std::sqrt(18.0)) + 1 + 1 / std::sqrt(2.0)) / 3);
}

TEST(Fidelity, EqualAndZero) {
  Fidelity equal, lost, zero;
  equal.add(2, 2);
  lost.add(2, 0);
  zero.add(0, 0);
  EXPECT_TRUE(std::isinf(equal.decibels()));
  EXPECT_EQ(equal.cosine(), 1);
  EXPECT_EQ(lost.decibels(), 0);
  EXPECT_EQ(lost.cosine(), 0);
  EXPECT_EQ(zero.cosine(), 1);
}

TEST(Fidelity, ShapesDiffer) {
  ResultFidelity result;
  EXPECT_THROW(result.add(makeTensor({1, 2}, {1, 2}), makeTensor({2}, {1, 2})),
               Error);
}

TEST(Fidelity, SameTop1) {
  Tensor exact = makeTensor({3, 3}, {1, 2, 3, 5, 5, 0, 1, 0, 0});
  Tensor other = makeTensor({3, 3}, {0, 0, 1, 6, 6, 0, 0, 1, 0});
  EXPECT_EQ(countSameTop1(exact, other), 2);
}

// Names are text, whatever bytes they hold; values out of range are clipped.
TEST(Fidelity, Picture) {
  std::vector<ResultFidelity> results(2);
  results[0].name = "a<b&\xff";
  results[0].add(makeTensor({1}, {1}), makeTensor({1}, {1}));
  results[1].name = "c";
  results[1].add(makeTensor({1}, {0}), makeTensor({1}, {1}));
  std::string picture = drawFidelity("t", results);
  EXPECT_NE(picture.find("a&lt;b&amp;\xef\xbf\xbd</text>"), std::string::npos);
  EXPECT_NE(picture.find(">exact</text>"), std::string::npos);
  EXPECT_NE(picture.find(">lost</text>"), std::string::npos);
  EXPECT_EQ(picture.find("inf"), std::string::npos);
  EXPECT_EQ(picture.find("nan"), std::string::npos);
}
