//===- Pool.h - Worker threads ----------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixed number of threads that repeatedly run one function together. A call
// of a model consists of a few hundred such runs of some ten microseconds, so
// workers spin for a short time before they sleep. The caller does not wait for
// a worker that starts late because the system has given its core to another
// process.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_POOL_H
#define VIT_RUNTIME_DEVICES_CPU_POOL_H

#include "Error.h"
#include "format/Memory.h"

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace vit::runtime {

// Padding keeps what threads write apart from what other threads wait for.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class Pool {
public:
  using Work = void (*)(void *argument, size_t index);

  Pool() = default;
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;
  ~Pool() { stop(); }

  /// Starts threads - 1 workers; the caller of `run` is the first thread.
  vit_status start(int threads, const Allocator &allocator, vit_error *error);

  /// Runs work(argument, 0) on the calling thread and work(argument, i) on each
  /// worker that starts before that ends; returns when all that have started
  /// have ended. A worker may not start at all, so when work(argument, 0)
  /// returns, all work must have been done or begun. One caller at a time.
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
  /// Counts runs; workers wait for a change.
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
  /// The number of workers in the current run, and the bit kClosed if no worker
  /// may join it any more. The caller waits for the value kClosed.
  alignas(64) std::atomic<uint32_t> inside{kClosed};
  std::atomic<uint32_t> callerSleeps{0};
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_POOL_H
