//===- Access.h - Records of memory accesses --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_ACCESS_H
#define VIT_SIMULATOR_ACCESS_H

#include <cstdint>

namespace vit::sim {

/// An access by a thread. Epochs count barriers over all blocks and launches,
/// so that an epoch also identifies a block; warp epochs count the warp's
/// barriers since the start of the block.
struct Access {
  enum Kind : uint16_t {
    One,
    Lanes,  ///< by other threads of the warp, too
    Warps,  ///< a read by threads of other warps, too
    Pending ///< a write of an asynchronous copy that no wait covers yet
  };

  uint32_t epoch = 0; ///< 0: never
  uint32_t warpEpoch = 0;
  uint32_t site = 0;
  uint32_t clock = 0; ///< see Order.h
  uint16_t fence = 0; ///< how often the thread had fenced the async proxy
  uint16_t thread : 12;
  uint16_t kind : 4;

  Access() : thread(0), kind(One) {}

  bool isSameWarp(const Access &other) const {
    return thread / 32 == other.thread / 32;
  }
  /// Whether this access, by the same or an earlier block, precedes `now` under
  /// every schedule.
  bool isBefore(const Access &now) const {
    if (epoch != now.epoch)
      return true;
    if (kind == Warps)
      return false;
    if (!isSameWarp(now))
      return false;
    return warpEpoch != now.warpEpoch ||
           (thread == now.thread && kind == One && now.kind == One);
  }
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_ACCESS_H
