//===- pool.h - Worker threads ----------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixed number of threads that run one function together, over and over. A
// call of a model is a few hundred such runs of some ten microseconds, so
// workers spin for a little while before they sleep.
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

  /// Runs work(argument, i) for each thread i and returns when all are done.
  /// For one caller at a time.
  void run(Work work, void *argument);

private:
  struct Worker {
    Pool *pool;
    size_t index;
    pthread_t thread;
  };

  static void *enter(void *worker);
  void serve(size_t index);
  void stop();

  Array<Worker> workers;
  size_t started = 0;
  Work work = nullptr;
  void *argument = nullptr;
  bool stopping = false;
  /// Counts runs; a change is what workers wait for.
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> sleepers{0};
  /// Workers that have not finished this run; zero is what the caller waits
  /// for.
  alignas(64) std::atomic<uint32_t> pending{0};
  std::atomic<uint32_t> callerSleeps{0};
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_POOL_H
