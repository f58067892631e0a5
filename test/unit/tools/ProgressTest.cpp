//===- ProgressTest.cpp - The line of progress ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Progress.h"

#include <gtest/gtest.h>

using namespace vit::tools;

static const ProgressState kState = {
    "epoch 10/100", "loss 0.6931  accuracy 50.00 %", 25000, 50000, 1234.5, 20};

TEST(Progress, WideTerminal) {
  EXPECT_EQ(progressLine(kState, 200),
            "epoch 10/100  [###############               ] 25000/50000  loss "
            "0.6931  accuracy 50.00 %  1234.5 images/s  20 s left");
}

TEST(Progress, NarrowTerminal) {
  for (int columns = 0; columns <= 200; ++columns)
    EXPECT_LE(progressLine(kState, columns).size(), columns ? columns - 1 : 0)
        << columns;
  EXPECT_EQ(
      progressLine(kState, 80),
      "epoch 10/100  [####     ] 25000/50000  loss 0.6931  accuracy 50.00 "
      "%  20 s left");
  EXPECT_EQ(progressLine(kState, 40),
            "epoch 10/100  [#####      ] 25000/50000");
  EXPECT_EQ(progressLine(kState, 20), "[##   ] 25000/50000");
  EXPECT_EQ(progressLine(kState, 5), "2500");
}

TEST(Progress, NothingBesideTheBar) {
  EXPECT_EQ(progressLine({"", "", 3, 3, 1, 0}, 60),
            "[#############################] 3/3  1.0 images/s  0 s left");
  EXPECT_EQ(progressLine({"", "", 9, 0, 1, 0}, 30).substr(0, 3), "[##");
}
