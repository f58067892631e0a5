//===- ScheduleTest.cpp - Learning rates and accuracy ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"
#include "Evaluation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace vit::tools;

// torch's CosineAnnealingLR computes each rate from the previous one.
TEST(Schedule, CosineIsTorchs) {
  Schedule schedule;
  schedule.kind = Schedule::Kind::Cosine;
  schedule.base = 0.01;
  schedule.least = 1e-4;
  schedule.updates = 50;
  double rate = 0.01;
  constexpr double pi = 3.14159265358979323846;
  for (int update = 0; update < 50; ++update) {
    if (update > 0)
      rate = (1 + std::cos(pi * update / 50)) /
                 (1 + std::cos(pi * (update - 1) / 50)) *
                 (rate - schedule.least) +
             schedule.least;
    EXPECT_NEAR(schedule.rate(update, 0), rate, 1e-12) << update;
  }
  EXPECT_DOUBLE_EQ(schedule.rate(50, 0), 1e-4);
  EXPECT_DOUBLE_EQ(schedule.rate(60, 0), 1e-4) << "behind its end";
}

// LinearLR(start_factor = 1/5, total_iters = 4), each rate computed from the
// previous one, then cosine for the remaining updates.
TEST(Schedule, WarmupThenCosine) {
  Schedule schedule;
  schedule.kind = Schedule::Kind::Cosine;
  schedule.base = 0.5;
  schedule.warmup = 5;
  schedule.updates = 25;
  double rate = 0.5 / 5, startFactor = 1.0 / 5;
  for (int update = 0; update < 5; ++update) {
    if (update > 0)
      rate *= 1 + (1 - startFactor) /
                      (4 * startFactor + (update - 1) * (1 - startFactor));
    EXPECT_NEAR(schedule.rate(update, 0), rate, 1e-12) << update;
  }
  EXPECT_DOUBLE_EQ(schedule.rate(5, 0), 0.5);
  EXPECT_NEAR(schedule.rate(15, 0), 0.25, 1e-12);
  EXPECT_NEAR(schedule.rate(25, 0), 0, 1e-12);
}

TEST(Schedule, StepAndConstant) {
  Schedule schedule;
  schedule.base = 1;
  EXPECT_EQ(schedule.rate(1000, 100), 1);
  schedule.kind = Schedule::Kind::Step;
  schedule.stepEpochs = 2;
  schedule.stepFactor = 0.5;
  schedule.least = 0.2;
  double expected[] = {1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2};
  for (int epoch = 0; epoch < 8; ++epoch)
    EXPECT_DOUBLE_EQ(schedule.rate(0, epoch), expected[epoch]);
}

TEST(Schedule, WarmupText) {
  EXPECT_EQ(parseWarmup("", 10), 0);
  EXPECT_EQ(parseWarmup("500", 10), 500);
  EXPECT_EQ(parseWarmup("2e", 12.5), 25);
  EXPECT_EQ(parseWarmup("0.5e", 100), 50);
  for (const char *text : {"x", "-1", "5x", "1.5", "2ee", "e", "nan", "inf"})
    EXPECT_THROW(parseWarmup(text, 10), Error) << text;
}

TEST(Score, CountsAndLoss) {
  Tensor logits;
  logits.allocate(VIT_F32, {3, 7});
  float values[3][7] = {{0, 1, 2, 3, 4, 5, 6}, // correct
                        {6, 5, 4, 3, 2, 1, 0}, // class 1 is second
                        {1, 1, 1, 1, 1, 1, 1}};
  std::copy_n(&values[0][0], 21, logits.floats());
  int32_t labels[] = {6, 1, 6};
  Score score;
  score.add(logits, labels);
  EXPECT_EQ(score.images, 3);
  EXPECT_EQ(score.top1, 1);
  EXPECT_EQ(score.top5, 2) << "in a tie lower numbers go first";
  double sum = 0;
  for (int c = 0; c < 7; ++c)
    sum += std::exp(c - 6.0);
  EXPECT_NEAR(score.loss(),
              (std::log(sum) + (std::log(sum) + 1) + std::log(7.0)) / 3, 1e-12);

  labels[0] = 7;
  EXPECT_THROW(score.add(logits, labels), Error);
  labels[0] = -1;
  EXPECT_THROW(score.add(logits, labels), Error);
  labels[0] = 0;
  logits.floats()[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(score.add(logits, labels), Error) << "a NaN is not right";
}
