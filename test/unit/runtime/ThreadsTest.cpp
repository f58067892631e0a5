//===- ThreadsTest.cpp - Work that is divided among threads ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Launch.h"
#include "devices/cpu/Pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace vit::runtime;

namespace {

/// Waits until `done` returns true; returns false after ten seconds.
template <typename Done> bool comes(Done done) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::yield();
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Pool
//===----------------------------------------------------------------------===//

TEST(Pool, RunsEachIndexOnce) {
  struct Meeting {
    std::vector<int> counts;
    std::atomic<size_t> arrived{0};
    bool met = true;
  };
  for (int threads : {1, 2, 4, 9}) {
    Pool pool;
    vit_error error;
    ASSERT_EQ(pool.start(threads, Allocator(), &error), VIT_OK);
    Meeting meeting;
    meeting.counts.resize(size_t(threads));
    for (int run = 0; run < 200; ++run) {
      meeting.arrived = 0;
      pool.run(
          [](void *argument, size_t index) {
            auto &meeting = *static_cast<Meeting *>(argument);
            ++meeting.counts[index];
            ++meeting.arrived;
            // Workers that arrive after the first thread ends are excluded.
            if (index == 0)
              meeting.met = meeting.met && comes([&] {
                              return meeting.arrived == meeting.counts.size();
                            });
          },
          &meeting);
      // Sometimes wait until the workers sleep.
      if (run % 50 == 0)
        usleep(2000);
    }
    EXPECT_TRUE(meeting.met);
    EXPECT_EQ(meeting.counts, std::vector<int>(size_t(threads), 200));
  }
}

TEST(Pool, WaitsForWhoBegan) {
  struct State {
    std::atomic<bool> began{false}, ended{false};
  };
  Pool pool;
  vit_error error;
  ASSERT_EQ(pool.start(2, Allocator(), &error), VIT_OK);
  for (int run = 0; run < 5; ++run) {
    State state;
    pool.run(
        [](void *argument, size_t index) {
          auto &state = *static_cast<State *>(argument);
          if (index == 0) {
            comes([&] { return state.began.load(); });
            return;
          }
          state.began = true;
          usleep(1000);
          state.ended = true;
        },
        &state);
    EXPECT_TRUE(state.ended);
  }
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

/// Counts the runs of each unit; the scratch of thread i is byte i.
struct Counting {
  explicit Counting(uint64_t units) : counts(units) {
    launch.function = count;
    launch.arguments[0] = this;
    launch.batch = 1;
    launch.units = units;
    launch.scratch = scratch;
    launch.scratchStride = 1;
  }

  static void count(void *const *arguments, int64_t, int64_t begin, int64_t end,
                    void *scratch) {
    auto &self = *static_cast<Counting *>(arguments[0]);
    for (int64_t i = begin; i < end; ++i)
      ++self.counts[size_t(i)];
    self.done += size_t(end - begin);
    // A slow thread finishes when the others have done all other pieces.
    bool isSlow =
        static_cast<unsigned char *>(scratch) - self.scratch == self.slowThread;
    if (isSlow && begin < end)
      self.helped =
          self.helped && comes([&] { return self.done == self.counts.size(); });
  }

  void expectEachOnce() const {
    for (const std::atomic<int> &count : counts)
      EXPECT_EQ(count, 1);
  }

  Launch launch;
  unsigned char scratch[16] = {};
  std::vector<std::atomic<int>> counts;
  std::atomic<size_t> done{0};
  ptrdiff_t slowThread = -1;
  bool helped = true;
};

TEST(Launch, RunsEachUnitOnce) {
  for (uint32_t threads : {2u, 3u, 7u}) {
    Pool pool;
    vit_error error;
    ASSERT_EQ(pool.start(int(threads), Allocator(), &error), VIT_OK);
    std::vector<Share> shares(threads);
    for (uint64_t units : {1u, 2u, 3u, 10u, 64u, 1001u})
      for (uint64_t pieces : {1u, 2u, 5u, 16u, 56u}) {
        if (pieces > units)
          continue;
        Counting onPool(units);
        onPool.launch.divide(uint32_t(pieces), shares.data(), threads);
        pool.run(Launch::run, &onPool.launch);
        onPool.expectEachOnce();
        // A host's pool may run them one by one, in any order.
        Counting inTurn(units);
        inTurn.launch.divide(uint32_t(pieces), shares.data(), threads);
        for (uint32_t i = threads; i-- > 0;)
          Launch::run(&inTurn.launch, i);
        inTurn.expectEachOnce();
      }
  }
  Counting alone(10);
  alone.launch.runAlone();
  alone.expectEachOnce();
}

/// The first thread does all the work if there is no worker.
TEST(Launch, NeedsNobodyElse) {
  std::vector<Share> shares(4);
  for (uint32_t pieces : {4u, 32u}) {
    Counting counting(100);
    counting.launch.divide(pieces, shares.data(), 4);
    Launch::run(&counting.launch, 0);
    counting.expectEachOnce();
  }
}

TEST(Launch, TakesFromSlowThreads) {
  Pool pool;
  vit_error error;
  ASSERT_EQ(pool.start(2, Allocator(), &error), VIT_OK);
  std::vector<Share> shares(2);
  for (ptrdiff_t slow : {0, 1}) {
    Counting counting(160);
    counting.slowThread = slow;
    counting.launch.divide(16, shares.data(), 2);
    pool.run(Launch::run, &counting.launch);
    EXPECT_TRUE(counting.helped);
    counting.expectEachOnce();
  }
}

} // namespace
