//===- ParallelTest.cpp - Exceptions in worker threads --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Target/Codegen/Parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <vector>

using namespace mlir::vit;

TEST(Parallel, DoesEachTaskOnce) {
  std::vector<size_t> sizes = {1, 5, 3, 4, 2, 6, 7};
  for (unsigned threads : {1u, 3u, 64u}) {
    std::vector<std::atomic<int>> done(sizes.size());
    runLargestFirst(sizes, threads,
                    [&] { return [&](size_t i) { ++done[i]; }; });
    for (const std::atomic<int> &count : done)
      EXPECT_EQ(count, 1);
  }
}

TEST(Parallel, ThrowsWhatAWorkerThrew) {
  std::vector<size_t> sizes(100, 1);
  for (unsigned threads : {1u, 4u}) {
    std::atomic<int> begun{0};
    auto createWorker = [&] {
      return [&](size_t) {
        if (++begun >= 10)
          throw std::bad_alloc();
      };
    };
    EXPECT_THROW(runLargestFirst(sizes, threads, createWorker), std::bad_alloc);
    EXPECT_LE(begun, 10 + static_cast<int>(threads));
  }
}

TEST(Parallel, ThrowsWhatMakingAWorkerThrew) {
  std::vector<size_t> sizes(8, 1);
  auto createWorker = []() -> std::function<void(size_t)> {
    throw std::bad_alloc();
  };
  EXPECT_THROW(runLargestFirst(sizes, 4, createWorker), std::bad_alloc);
}
