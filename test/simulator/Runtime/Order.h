//===- Order.h - Which accesses are before others ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Vector clocks, for kernels whose threads wait for some others: named barriers
// and mbarriers. Barriers of all threads and of warps are counted by epochs
// (Access.h) and need no clocks.
//
// Each thread has a clock, which advances when it releases: arrives at a
// barrier. Asynchronous units that access shared memory (the tensor cores of a
// warpgroup, the copies that complete on an mbarrier, the bulk copies of a
// thread) have clocks, too. A thread knows an access if it has acquired, from a
// barrier, a clock that was released after the access.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_ORDER_H
#define VIT_SIMULATOR_ORDER_H

#include "Access.h"

#include <vector>

namespace vit::sim {

class Order {
public:
  /// Clocks of the threads of a cluster, then epochs of warps, then clocks of
  /// units.
  using Clocks = std::vector<uint32_t>;

  /// The `thread` of accesses by the first asynchronous unit.
  static constexpr uint16_t firstUnit = 2048;
  static constexpr uint32_t maxUnits = 128;

  /// Starts a cluster of `count` threads, whose blocks are of whole warps if
  /// there are several. Without `active`, nothing is known.
  void begin(uint32_t count, bool active);
  bool isActive() const { return active; }
  /// A barrier of all threads: the epoch tells all that was known.
  void forget();
  /// A barrier of the `count` threads from `first` on, where others also have
  /// clocks: these threads know all that one of them knew or did.
  void synchronize(uint32_t first, uint32_t count,
                   const std::vector<uint32_t> &warpEpochs);

  uint32_t getClock(uint32_t thread) const {
    return active ? clocks[thread] : 0;
  }
  /// A new unit; returns its `thread`.
  uint16_t addUnit();
  bool hasUnits() const { return units < maxUnits; }

  /// Adds what `thread` knows and has done to `to`. `warpEpoch`: of its warp.
  void release(uint32_t thread, uint32_t warpEpoch, Clocks &to);
  void acquire(uint32_t thread, const Clocks &from);
  /// Adds what `from` says to `to`.
  static void add(const Clocks &from, Clocks &to) {
    if (!from.empty())
      join(to, from);
  }
  /// Adds that `unit` has finished what it did up to `clock`.
  void finish(uint16_t unit, uint32_t clock, Clocks &to) const;
  void acquireUnit(uint32_t thread, uint16_t unit, uint32_t clock);
  /// Whether `thread` knows `access`, which is of the current epoch.
  bool knows(uint32_t thread, const Access &access) const;

private:
  uint32_t size() const { return getIndex(firstUnit) + maxUnits; }
  uint32_t getIndex(uint16_t unit) const {
    return count + (count + 31) / 32 + (unit - firstUnit);
  }
  Clocks &getRow(uint32_t thread);
  static void join(Clocks &to, const Clocks &from);

  bool active = false;
  uint32_t count = 0, units = 0;
  Clocks clocks;
  std::vector<Clocks> known; ///< by thread; empty: nothing
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_ORDER_H
