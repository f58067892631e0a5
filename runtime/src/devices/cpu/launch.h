//===- launch.h - One dispatch, divided among threads -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The units of a dispatch are divided into pieces, and the pieces evenly among
// the threads: a thread meets the same pictures from one command to the next.
// Who has none left takes from the others, so that nobody waits long for a
// thread whose core has become slow or busy. Results do not depend on it.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_LAUNCH_H
#define VIT_RUNTIME_DEVICES_CPU_LAUNCH_H

#include "devices/cpu/code.h"
#include "verify_code.h"

#include <atomic>
#include <cstdint>

namespace vit::runtime {

/// The pieces that a thread has and nobody has taken yet. Halves are taken: few
/// calls, and small ones at the end, when others may wait.
class alignas(64) Share {
public:
  /// Before the threads begin.
  void set(uint32_t begin, uint32_t end);
  /// From the front, for the thread itself; false where nothing is left.
  bool takeFirst(uint32_t &begin, uint32_t &end);
  /// From the back, for other threads.
  bool takeLast(uint32_t &begin, uint32_t &end);

private:
  template <typename Split> bool take(Split split);

  std::atomic<uint64_t> left{0}; ///< The first in the upper half, the end.
};

/// One dispatch, as every thread sees it.
struct Launch {
  KernelFunction function;
  void *arguments[kMaxArguments];
  int64_t batch;
  uint64_t units;
  unsigned char *scratch; ///< of all threads, `scratchStride` bytes each
  uint64_t scratchStride;

  /// For `run`: `shares` has a place for each of `threads`; `pieces` is 1 to
  /// `units`.
  void divide(uint32_t pieces, Share *shares, uint32_t threads);

  /// What thread `index` does of the Launch `self`: its share, then what others
  /// have not begun. When it returns all has been begun by somebody.
  static void run(void *self, size_t index);

  /// All of it, here.
  void runAlone();

private:
  void runPieces(size_t thread, uint32_t begin, uint32_t end);

  uint32_t pieces;
  uint32_t threads;
  Share *shares;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_LAUNCH_H
