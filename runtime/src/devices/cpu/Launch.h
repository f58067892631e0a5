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

/// The most pieces of a launch.
inline constexpr uint32_t kMaxPieces = UINT16_MAX;

/// The pieces of one thread in one launch that have not been taken yet. The
/// number of the launch is a part of the value, so that a thread that was
/// descheduled while it took pieces cannot take those of a later launch.
class alignas(64) Share {
public:
  /// Replaces the pieces by [begin, end) of launch `number`.
  void set(uint32_t number, uint32_t begin, uint32_t end);
  /// Takes the first piece of launch `number`, for the thread itself; false if
  /// nothing is left of that launch.
  bool takeFirst(uint32_t number, uint32_t &piece);
  /// Takes the last piece, for other threads.
  bool takeLast(uint32_t number, uint32_t &piece);

private:
  template <typename Split> bool take(uint32_t number, Split split);

  /// The number, the first piece (16 bits), the end (16 bits).
  std::atomic<uint64_t> left{0};
};

/// One dispatch. Its fields change only while no thread has a piece of it.
struct Launch {
  KernelFunction function;
  void *arguments[kMaxArguments];
  int64_t batch;
  uint64_t units;
  unsigned char *scratch; ///< of all threads, `scratchStride` bytes each
  uint64_t scratchStride;
  uint32_t pieces; ///< 1 to `units` and at most kMaxPieces

  /// Runs one piece with the scratch memory of `thread`.
  void run(size_t thread, uint32_t piece);
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_LAUNCH_H
