//===- Launch.cpp - One dispatch, divided among threads -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Launch.h"

namespace vit::runtime {

//===----------------------------------------------------------------------===//
// Shares
//===----------------------------------------------------------------------===//

static uint64_t pack(uint32_t begin, uint32_t end) {
  return uint64_t(begin) << 32 | end;
}

void Share::set(uint32_t begin, uint32_t end) {
  left.store(pack(begin, end), std::memory_order_relaxed);
}

/// Replaces [from, to) by what `split` leaves of it. Relaxed order is
/// sufficient: the beginning and the end of a launch order its reads and
/// writes.
template <typename Split> bool Share::take(Split split) {
  uint64_t now = left.load(std::memory_order_relaxed), then;
  do {
    auto from = uint32_t(now >> 32), to = uint32_t(now);
    if (from == to)
      return false;
    then = split(from, to, (to - from + 1) / 2);
  } while (!left.compare_exchange_weak(now, then, std::memory_order_relaxed));
  return true;
}

bool Share::takeFirst(uint32_t &begin, uint32_t &end) {
  return take([&](uint32_t from, uint32_t to, uint32_t half) {
    begin = from;
    end = from + half;
    return pack(end, to);
  });
}

bool Share::takeLast(uint32_t &begin, uint32_t &end) {
  return take([&](uint32_t from, uint32_t to, uint32_t half) {
    begin = to - half;
    end = to;
    return pack(from, begin);
  });
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

void Launch::divide(uint32_t newPieces, Share *newShares, uint32_t newThreads) {
  pieces = newPieces;
  shares = newShares;
  threads = newThreads;
  for (uint32_t i = 0; i < threads; ++i)
    shares[i].set(uint32_t(uint64_t(pieces) * i / threads),
                  uint32_t(uint64_t(pieces) * (i + 1) / threads));
}

void Launch::runPieces(size_t thread, uint32_t begin, uint32_t end) {
  // Computes units * piece / pieces, the units before a piece, without
  // overflow.
  auto unitsBefore = [this](uint64_t piece) {
    return int64_t(units / pieces * piece + units % pieces * piece / pieces);
  };
  function(arguments, batch, unitsBefore(begin), unitsBefore(end),
           scratch + scratchStride * thread);
}

void Launch::run(void *self, size_t index) {
  auto &launch = *static_cast<Launch *>(self);
  uint32_t begin, end;
  while (launch.shares[index].takeFirst(begin, end))
    launch.runPieces(index, begin, end);
  // The first thread must not return before all pieces have begun. In small
  // launches it alone takes pieces of other threads.
  if (index != 0 && launch.pieces <= launch.threads)
    return;
  for (uint32_t i = 1; i < launch.threads; ++i) {
    Share &other = launch.shares[(index + i) % launch.threads];
    while (other.takeLast(begin, end))
      launch.runPieces(index, begin, end);
  }
}

void Launch::runAlone() {
  if (units > 0)
    function(arguments, batch, 0, int64_t(units), scratch);
}

} // namespace vit::runtime
