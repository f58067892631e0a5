//===- Launch.h - One dispatch, divided among threads -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The units of a dispatch are divided into pieces, and the pieces evenly among
// the threads, so that a thread works on the same images from one command to
// the next. A thread without pieces takes some of another thread's, so that no
// thread waits long for one whose core is slow or busy. Results do not depend
// on this.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_LAUNCH_H
#define VIT_RUNTIME_DEVICES_CPU_LAUNCH_H

#include "VerifyCode.h"
#include "devices/cpu/Code.h"

#include <atomic>
#include <cstdint>

namespace vit::runtime {

/// The pieces of one thread that have not been taken yet. Half of them are
/// taken at a time, so that there are few calls, and small ones at the end,
/// when other threads may be waiting.
class alignas(64) Share {
public:
  /// To be called before the threads start.
  void set(uint32_t begin, uint32_t end);
  /// Takes from the front, for the thread itself; false if nothing is left.
  bool takeFirst(uint32_t &begin, uint32_t &end);
  /// Takes from the back, for other threads.
  bool takeLast(uint32_t &begin, uint32_t &end);

private:
  template <typename Split> bool take(Split split);

  std::atomic<uint64_t> left{0}; ///< The first in the upper half, the end.
};

/// One dispatch, shared by all threads.
struct Launch {
  KernelFunction function;
  void *arguments[kMaxArguments];
  int64_t batch;
  uint64_t units;
  unsigned char *scratch; ///< of all threads, `scratchStride` bytes each
  uint64_t scratchStride;

  /// Prepares `run`. `shares` has an element for each of `threads`; `pieces` is
  /// 1 to `units`.
  void divide(uint32_t pieces, Share *shares, uint32_t threads);

  /// Runs thread `index` of the Launch `self`: its own share, then pieces that
  /// other threads have not begun. When it returns, every piece has been begun.
  static void run(void *self, size_t index);

  /// Runs all units on the calling thread.
  void runAlone();

private:
  void runPieces(size_t thread, uint32_t begin, uint32_t end);

  uint32_t pieces;
  uint32_t threads;
  Share *shares;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_LAUNCH_H
