//===- Launch.cpp - One dispatch, divided among threads -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Launch.h"

namespace vit::runtime {

static uint64_t pack(uint32_t number, uint32_t begin, uint32_t end) {
  return uint64_t(number) << 32 | begin << 16 | end;
}

void Share::set(uint32_t number, uint32_t begin, uint32_t end) {
  // Publishes the launch to the threads that take its pieces.
  left.store(pack(number, begin, end), std::memory_order_release);
}

/// Replaces [from, to) by what `split` leaves of it.
template <typename Split> bool Share::take(uint32_t number, Split split) {
  uint64_t now = left.load(std::memory_order_relaxed), then;
  do {
    auto from = uint32_t(now >> 16 & 0xffff), to = uint32_t(now & 0xffff);
    if (uint32_t(now >> 32) != number || from == to)
      return false;
    then = split(from, to);
  } while (!left.compare_exchange_weak(now, then, std::memory_order_acquire,
                                       std::memory_order_relaxed));
  return true;
}

bool Share::takeFirst(uint32_t number, uint32_t &piece) {
  return take(number, [&](uint32_t from, uint32_t to) {
    piece = from;
    return pack(number, from + 1, to);
  });
}

bool Share::takeLast(uint32_t number, uint32_t &piece) {
  return take(number, [&](uint32_t from, uint32_t to) {
    piece = to - 1;
    return pack(number, from, to - 1);
  });
}

void Launch::run(size_t thread, uint32_t piece) {
  // Computes units * i / pieces, the units before piece i, without overflow.
  auto unitsBefore = [this](uint64_t i) {
    return int64_t(units / pieces * i + units % pieces * i / pieces);
  };
  function(arguments, batch, unitsBefore(piece), unitsBefore(piece + 1),
           scratch + scratchStride * thread);
}

} // namespace vit::runtime
