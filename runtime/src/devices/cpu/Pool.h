//===- Pool.h - Worker threads ----------------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixed number of threads that execute the launches of a call together. A
// call consists of a few hundred launches of ten microseconds to some
// milliseconds, so threads spin for a short time before they sleep. On a busy
// machine any thread may be descheduled at any time, so nothing waits for a
// thread that holds no piece of work: whoever finishes a launch prepares the
// next one, and on a shared core a thread sleeps between pieces so that it is
// rarely descheduled within one.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_POOL_H
#define VIT_RUNTIME_DEVICES_CPU_POOL_H

#include "Error.h"
#include "devices/cpu/Launch.h"
#include "format/Memory.h"
#include "vit/vit.h"

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace vit::runtime {

/// What a thread knows about other processes that use its core. If there are
/// some, the system deschedules the thread for milliseconds. It must not happen
/// within a piece that other threads wait for, so the thread lets them run
/// between pieces.
struct Neighbours {
  uint64_t checked = 0;    ///< when `giveWay` last looked; all times in ns
  uint64_t ran = 0;        ///< processor time of the thread then
  int64_t preemptions = 0; ///< of the thread until then
  uint64_t busyUntil = 0;  ///< The core is shared until then at least.

  /// To be called by the thread itself when it begins to work.
  void start();
  /// To be called between pieces: sleeps as long as others are entitled to run.
  /// True if the core is shared: a thread that was descheduled for longer than
  /// `busy` ns shares it with another busy one. Threads of the system take
  /// less.
  bool giveWay(uint64_t busy = 500'000);
};

// Padding keeps what threads write apart from what other threads wait for.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class Pool {
public:
  /// Prepares `launch`, the next of a run; false if there is none. One thread
  /// at a time calls it, after all pieces of the launch before have ended.
  using Next = bool (*)(void *argument, Launch &launch);

  /// Threads of the application in place of a pool's own; see vit.h.
  struct Host {
    vit_parallel_for parallelFor = nullptr; ///< NULL: there are none.
    void *context = nullptr;
  };

  Pool() = default;
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;
  ~Pool() { stop(); }

  /// Starts threads - 1 workers, none if there is a host; the caller of `run`
  /// is the first thread.
  vit_status start(int threads, const Host &host, const Allocator &allocator,
                   vit_error *error);

  /// Runs the launches that `next` prepares, one after the other. Any thread
  /// may call `next`, only the calling one if `callerPrepares`. One caller at a
  /// time.
  void run(Next next, void *argument, bool callerPrepares);

private:
  struct Thread {
    Pool *pool;
    size_t index;
    pthread_t handle;
    Neighbours neighbours;
    std::atomic<int> core; ///< where it runs; kNoCore while it sleeps
  };
  static_assert(sizeof(Thread) % 64 == 0,
                "threads that share cache lines slow each other down");
  static constexpr int kNoCore = -1;

  /// What the threads are to do, in the low bits of `state`. The bits above
  /// count.
  enum Phase : uint32_t {
    kIdle = 0,    ///< The run has ended.
    kPrepare = 1, ///< The caller of `run` is to prepare the next launch.
    kTake = 2,    ///< There are pieces.
    kPhases = 3   ///< the mask
  };

  static uint32_t stateAfter(uint32_t state, Phase phase);
  static void *enter(void *thread);
  void serve(Thread &thread);
  void advance();
  uint32_t publish();
  bool takePieces(Thread &thread, uint32_t seen);
  bool work(Thread &thread, uint32_t seen);
  void waitForChange(Thread &thread, uint32_t seen);
  void giveWay(Thread &thread);
  void leaveSharedCore(const Thread &thread);
  void setState(uint32_t value);
  void stop();

  Array<Thread> threads; ///< The first is the caller of `run`.
  Array<Share> shares;   ///< one per thread
  size_t started = 0;    ///< workers
  Host host;
  std::atomic<bool> stopping{false};

  // The current run.
  Next next = nullptr;
  void *argument = nullptr;
  bool callerPrepares = false;
  Launch launch;

  /// Changes whenever there is something new to do.
  alignas(64) std::atomic<uint32_t> state{kIdle};
  std::atomic<uint32_t> sleepers{0};
  /// Pieces of the launch that have not ended.
  alignas(64) std::atomic<uint32_t> remaining{0};
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_POOL_H
