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
  enum Several : uint16_t { One, Lanes, Warps };

  uint32_t epoch = 0; ///< 0: never
  uint32_t warpEpoch = 0;
  uint32_t site = 0;
  uint16_t thread = 0;
  /// For a reader: whether other threads (of its warp, or of any) read, too.
  Several several = One;

  bool isSameWarp(const Access &other) const {
    return thread / 32 == other.thread / 32;
  }
  /// Whether this access, by the same or an earlier block, precedes `now` under
  /// every schedule.
  bool isBefore(const Access &now) const {
    if (epoch != now.epoch)
      return true;
    if (several == Warps)
      return false;
    if (!isSameWarp(now))
      return false;
    return warpEpoch != now.warpEpoch ||
           (thread == now.thread && several == One);
  }
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_ACCESS_H
