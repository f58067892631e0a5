//===- PoolTest.cpp - Work that is divided among threads ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Pool.h"
#include "devices/cpu/Launch.h"

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

/// Some launches in a row that count the runs of each unit. The scratch memory
/// of thread i is byte i.
struct Counting {
  explicit Counting(std::vector<uint64_t> units, uint32_t pieces)
      : units(std::move(units)), pieces(pieces) {}

  /// Prepares the next launch, as an executor does.
  static bool next(void *argument, Launch &launch) {
    auto &self = *static_cast<Counting *>(argument);
    EXPECT_EQ(self.done, self.counts.size());
    self.expectEachOnce();
    self.onCaller = self.onCaller && std::this_thread::get_id() == self.caller;
    if (self.launches == self.units.size())
      return false;
    uint64_t count = self.units[self.launches++];
    self.counts = std::vector<std::atomic<int>>(count);
    self.done = 0;
    launch = {};
    launch.function = run;
    launch.arguments[0] = argument;
    launch.batch = 1;
    launch.units = count;
    launch.scratch = self.scratch;
    launch.scratchStride = 1;
    launch.pieces = uint32_t(std::min<uint64_t>(self.pieces, count));
    return true;
  }

  static void run(void *const *arguments, int64_t, int64_t begin, int64_t end,
                  void *scratch) {
    auto &self = *static_cast<Counting *>(arguments[0]);
    auto thread = static_cast<unsigned char *>(scratch) - self.scratch;
    for (int64_t i = begin; i < end; ++i)
      ++self.counts[size_t(i)];
    self.done += size_t(end - begin);
    // A slow thread finishes when the others have done all other pieces.
    if (thread == self.slowThread && begin < end)
      self.helped =
          self.helped && comes([&] { return self.done == self.counts.size(); });
  }

  void expectEachOnce() const {
    for (const std::atomic<int> &count : counts)
      EXPECT_EQ(count, 1);
  }
  void expectEnd() const { EXPECT_EQ(launches, units.size()); }

  std::vector<uint64_t> units; ///< of each launch
  uint32_t pieces;
  size_t launches = 0;
  std::thread::id caller = std::this_thread::get_id();
  bool onCaller = true; ///< `next` was called on the caller's thread only.
  unsigned char scratch[16] = {};
  std::vector<std::atomic<int>> counts;
  std::atomic<size_t> done{0};
  ptrdiff_t slowThread = -1;
  bool helped = true;
};

/// Calls work one index after the other, the last one first.
void inTurn(void *, size_t count, void (*work)(void *, size_t),
            void *argument) {
  while (count-- > 0)
    work(argument, count);
}

TEST(Pool, RunsEachUnitOnce) {
  const std::vector<uint64_t> units = {1, 2, 3, 10, 64, 1001, 1, 1};
  for (int threads : {1, 2, 3, 7})
    for (bool callerPrepares : {false, true})
      for (bool onHost : {false, true}) {
        Pool pool;
        vit_error error;
        Pool::Host host;
        if (onHost)
          host.parallelFor = inTurn;
        ASSERT_EQ(pool.start(threads, host, Allocator(), &error), VIT_OK);
        for (uint32_t pieces : {1u, 2u, 5u, 16u, 56u})
          for (int repeat = 0; repeat < 20; ++repeat) {
            Counting counting(units, pieces);
            pool.run(Counting::next, &counting, callerPrepares);
            counting.expectEnd();
            if (callerPrepares || onHost) {
              EXPECT_TRUE(counting.onCaller);
            }
            // Sometimes wait until the workers sleep.
            if (repeat == 0)
              usleep(500);
          }
      }
}

/// The pieces of a thread that is late are taken by another.
TEST(Pool, TakesFromSlowThreads) {
  Pool pool;
  vit_error error;
  ASSERT_EQ(pool.start(2, {}, Allocator(), &error), VIT_OK);
  for (ptrdiff_t slow : {0, 1}) {
    Counting counting({160, 160}, 16);
    counting.slowThread = slow;
    pool.run(Counting::next, &counting, false);
    EXPECT_TRUE(counting.helped);
    counting.expectEnd();
  }
}

TEST(Pool, RunsNothing) {
  Pool pool;
  vit_error error;
  ASSERT_EQ(pool.start(3, {}, Allocator(), &error), VIT_OK);
  for (int run = 0; run < 100; ++run) {
    Counting counting({}, 1);
    pool.run(Counting::next, &counting, false);
    counting.expectEnd();
  }
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

TEST(Share, IsTakenFromBothEndsOfItsLaunchOnly) {
  Share share;
  uint32_t piece = 0;
  share.set(7, 3, 6);
  EXPECT_FALSE(share.takeFirst(6, piece));
  EXPECT_FALSE(share.takeLast(8, piece));
  ASSERT_TRUE(share.takeFirst(7, piece));
  EXPECT_EQ(piece, 3u);
  ASSERT_TRUE(share.takeLast(7, piece));
  EXPECT_EQ(piece, 5u);
  ASSERT_TRUE(share.takeLast(7, piece));
  EXPECT_EQ(piece, 4u);
  EXPECT_FALSE(share.takeFirst(7, piece));
  EXPECT_FALSE(share.takeLast(7, piece));
  share.set(UINT32_MAX, kMaxPieces - 1, kMaxPieces);
  ASSERT_TRUE(share.takeFirst(UINT32_MAX, piece));
  EXPECT_EQ(piece, kMaxPieces - 1);
  EXPECT_FALSE(share.takeFirst(UINT32_MAX, piece));
}

//===----------------------------------------------------------------------===//
// Neighbours
//===----------------------------------------------------------------------===//

/// A thread that works alone is not told to give way forever.
TEST(Neighbours, AreForgotten) {
  Neighbours neighbours;
  // Other processes of the machine do not count.
  constexpr uint64_t never = uint64_t(1) << 62;
  neighbours.start();
  neighbours.busyUntil = neighbours.checked + 5'000'000;
  EXPECT_TRUE(comes([&] {
    neighbours.giveWay(never);
    return neighbours.checked > neighbours.busyUntil;
  }));
}

} // namespace
