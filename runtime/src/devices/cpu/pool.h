//===- pool.h - Worker threads ----------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixed number of threads that run one function together, over and over. A
// call of a model is a few hundred such runs of some ten microseconds, so
// workers spin for a little while before they sleep. A worker that is late
// (the system gave its core to somebody else) is not waited for.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_POOL_H
#define VIT_RUNTIME_DEVICES_CPU_POOL_H

#include "error.h"
#include "memory.h"

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace vit::runtime {

// What threads write to is apart from what others wait for, hence the padding.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class Pool {
public:
  using Work = void (*)(void *argument, size_t index);

  Pool() = default;
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;
  ~Pool() { stop(); }

  /// Starts threads - 1 workers: who calls `run` is the first thread.
  vit_status start(int threads, const Allocator &allocator, vit_error *error);

  /// Runs work(argument, 0) here and work(argument, i) on each worker that
  /// comes before this is done, and returns when all that began have ended. So
  /// work(argument, 0) must do, or see begun, all that there is to do. For one
  /// caller at a time.
  void run(Work work, void *argument);

private:
  struct Worker {
    Pool *pool;
    size_t index;
    pthread_t thread;
  };

  static constexpr uint32_t kClosed = uint32_t(1) << 31;

  static void *enter(void *worker);
  void serve(size_t index);
  bool join();
  void leave();
  void stop();

  Array<Worker> workers;
  size_t started = 0;
  Work work = nullptr;
  void *argument = nullptr;
  std::atomic<bool> stopping{false};
  /// Counts runs; a change is what workers wait for.
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
  /// How many workers are in the present run, and kClosed where none may join
  /// it any more. The caller waits for kClosed alone.
  alignas(64) std::atomic<uint32_t> inside{kClosed};
  std::atomic<uint32_t> callerSleeps{0};
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_POOL_H
