//===- TrafficTest.cpp - Bytes between a GPU's memory and L2 --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Traffic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <random>

using namespace vit::tools;
using Bytes = std::vector<uint64_t>;

TEST(Traffic, AllFitsOrNothingStays) {
  std::vector<std::vector<Access>> commands = {
      {{"weights", 0, 100}, {"slot", 0, 10}}, {{"slot", 0, 10}, {"out", 0, 5}}};
  // A run accesses 125 bytes.
  EXPECT_EQ(countMemoryBytes(commands, 125), (Bytes{0, 0}));
  EXPECT_EQ(countMemoryBytes(commands, 124), (Bytes{100, 5}))
      << "the slot is used twice in a run";
  EXPECT_EQ(countMemoryBytes(commands, 5), (Bytes{110, 15}));
}

// Parts written one by one and read as a whole, as gradients are.
TEST(Traffic, PartsOfABuffer) {
  std::vector<std::vector<Access>> commands = {
      {{"slot", 0, 40}}, {{"slot", 40, 40}}, {{"slot", 0, 80}}};
  EXPECT_EQ(countMemoryBytes(commands, 80), (Bytes{0, 0, 0}));
  // The cache always holds the half used last: never the one that is next.
  EXPECT_EQ(countMemoryBytes(commands, 79), (Bytes{40, 40, 80}));
}

// Against a cache that is simulated line by line.
TEST(Traffic, IsAtLeastTheTrafficOfAnLruCache) {
  std::mt19937 engine(3);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::vector<Access>> commands(8);
    for (std::vector<Access> &accesses : commands)
      for (int i = 0; i < 3; ++i)
        accesses.push_back({std::string(1, char('a' + engine() % 3)),
                            engine() % 4 * 10, 10 + engine() % 3 * 10});
    const size_t capacity = 20 + engine() % 100;
    Bytes found = countMemoryBytes(commands, capacity);
    std::list<std::string> lines; // the last used ones first
    uint64_t misses = 0, all = 0;
    for (int run = 0; run < 2; ++run) {
      misses = all = 0;
      for (const std::vector<Access> &accesses : commands)
        for (const Access &access : accesses)
          for (uint64_t i = 0; i < access.bytes; ++i, ++all) {
            std::string line = access.buffer + std::to_string(access.begin + i);
            auto at = std::find(lines.begin(), lines.end(), line);
            misses += at == lines.end();
            if (at != lines.end())
              lines.erase(at);
            lines.push_front(line);
            if (lines.size() > capacity)
              lines.pop_back();
          }
    }
    uint64_t sum = 0;
    for (uint64_t bytes : found)
      sum += bytes;
    EXPECT_GE(sum, misses);
    EXPECT_LE(sum, all);
  }
}
