//===- Pool.cpp - Worker threads ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Pool.h"

#include "format/FloatControl.h"

#include <climits>
#include <csignal>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vit::runtime {

/// How long a thread spins before it sleeps: longer than the time between two
/// commands of a call, too short to be noticed otherwise.
static constexpr uint64_t kSpinNanoseconds = 30'000;

/// How often a thread looks whether its core is shared, and how long it works
/// between two sleeps if it is. Schedulers rarely deschedule a thread that runs
/// for less.
static constexpr uint64_t kCheckNanoseconds = 1'000'000;
/// How long a core counts as shared after that.
static constexpr uint64_t kMemoryNanoseconds = 100'000'000;

static uint64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_nsec);
}

static void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Spins until `done()` returns true or the time is over; true in the first
/// case.
template <typename Done> static bool spin(Done done) {
  if (done())
    return true;
  uint64_t end = now() + kSpinNanoseconds;
  do {
    for (int i = 0; i < 16; ++i) {
      if (done())
        return true;
      pause();
    }
  } while (now() < end);
  return false;
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t),
              "the system waits on the number itself");

/// Sleeps while `value` is `expected`; may return early.
static void wait(std::atomic<uint32_t> &value, uint32_t expected) {
  syscall(SYS_futex, &value, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

static void wake(std::atomic<uint32_t> &value) {
  syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

vit_status Pool::start(int count, const Host &newHost,
                       const Allocator &allocator, vit_error *error) {
  host = newHost;
  if (!threads.allocate(allocator, size_t(count)) ||
      !shares.allocate(allocator, size_t(count)))
    return outOfMemory(error, size_t(count) * (sizeof(Thread) + sizeof(Share)),
                       "threads");
  for (size_t i = 0; i < threads.size(); ++i) {
    threads[i].pool = this;
    threads[i].index = i;
    threads[i].core = kNoCore;
  }
  if (host.parallelFor || count == 1)
    return VIT_OK;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return fail(error, VIT_OUT_OF_MEMORY, "out of memory: no worker threads");
  // Generated code keeps its large intermediates in scratch memory.
  pthread_attr_setstacksize(&attributes, size_t(1) << 20);
  // Workers block all signals, which are for the application's threads. They
  // cause SIGBUS themselves: see MappingGuard.h.
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = 0;
  for (; started + 1 < threads.size(); ++started) {
    Thread &worker = threads[started + 1];
    code = pthread_create(&worker.handle, &attributes, enter, &worker);
    if (code != 0)
      break;
    pthread_setname_np(worker.handle, "vit-worker");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (code == 0)
    return VIT_OK;
  size_t running = started + 1;
  stop();
  return fail(error, VIT_OUT_OF_MEMORY, "cannot start %d threads, only %zu: %s",
              count, running, std::strerror(code));
}

void Pool::stop() {
  if (started == 0)
    return;
  stopping.store(true, std::memory_order_relaxed);
  setState(stateAfter(state.load(), kIdle));
  for (size_t i = 1; i <= started; ++i)
    pthread_join(threads[i].handle, nullptr);
  started = 0;
}

//===----------------------------------------------------------------------===//
// Neighbours
//===----------------------------------------------------------------------===//

static uint64_t nanoseconds(const timeval &time) {
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_usec) * 1000;
}

void Neighbours::start() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  checked = now();
  ran = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
  preemptions = usage.ru_nivcsw;
}

bool Neighbours::giveWay(uint64_t busy) {
  uint64_t time = now(), since = checked;
  if (time - since < kCheckNanoseconds)
    return false;
  if (time >= busyUntil) {
    uint64_t ranBefore = ran;
    int64_t preemptionsBefore = preemptions;
    start();
    if (preemptions != preemptionsBefore &&
        time - since > ran - ranBefore + busy)
      busyUntil = time + kMemoryNanoseconds;
    return time < busyUntil;
  }
  // A thread that sleeps, however short, keeps its right to processor time; one
  // that calls sched_yield loses it (Linux 6.18).
  timespec least = {0, 1};
  nanosleep(&least, nullptr);
  start();
  if (checked - time > busy)
    busyUntil = checked + kMemoryNanoseconds;
  return true;
}

void Pool::giveWay(Thread &thread) {
  if (!thread.neighbours.giveWay())
    return;
  thread.core.store(sched_getcpu(), std::memory_order_relaxed);
  if (thread.index != 0)
    leaveSharedCore(thread);
}

/// Moves a worker that runs on the core of an earlier thread to one that no
/// thread of the pool uses. The system does not: to it, two threads of a pool
/// on one core and another process alone on the next are balanced.
void Pool::leaveSharedCore(const Thread &thread) {
  cpu_set_t allowed, unused;
  bool isShared = false;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return;
  unused = allowed;
  for (size_t i = 0; i < threads.size(); ++i) {
    int core = threads[i].core.load(std::memory_order_relaxed);
    if (core == kNoCore || i == thread.index)
      continue;
    CPU_CLR(size_t(core), &unused);
    isShared = isShared || (i < thread.index && core == thread.core);
  }
  if (!isShared || CPU_COUNT(&unused) == 0)
    return;
  sched_setaffinity(0, sizeof unused, &unused);
  sched_setaffinity(0, sizeof allowed, &allowed);
}

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

/// The state that follows `state`, with another count.
uint32_t Pool::stateAfter(uint32_t state, Phase phase) {
  return (state | kPhases) + 1 + phase;
}

void Pool::setState(uint32_t value) {
  // Sequentially consistent, as is a thread's count of sleepers: either this
  // sees the thread asleep, or the thread sees the new state.
  state.store(value);
  if (sleepers.load() != 0)
    wake(state);
}

void Pool::waitForChange(Thread &thread, uint32_t seen) {
  auto changed = [&] { return state.load(std::memory_order_acquire) != seen; };
  if (spin(changed))
    return;
  thread.core.store(kNoCore, std::memory_order_relaxed);
  sleepers.fetch_add(1);
  while (!changed())
    wait(state, seen);
  sleepers.fetch_sub(1);
  thread.core.store(sched_getcpu(), std::memory_order_relaxed);
  thread.neighbours.start();
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void Pool::run(Next newNext, void *newArgument, bool newCallerPrepares) {
  if (threads.size() == 1) {
    while (newNext(newArgument, launch))
      for (uint32_t piece = 0; piece < launch.pieces; ++piece)
        launch.run(0, piece);
    return;
  }
  if (host.parallelFor) {
    auto workOnHost = [](void *self, size_t index) {
      format::StandardFloats floats;
      auto &pool = *static_cast<Pool *>(self);
      pool.takePieces(pool.threads[index], pool.state.load());
    };
    while (newNext(newArgument, launch)) {
      state.store(publish());
      host.parallelFor(host.context, threads.size(), workOnHost, this);
    }
    return;
  }
  next = newNext;
  argument = newArgument;
  callerPrepares = newCallerPrepares;
  Thread &self = threads[0];
  self.neighbours.start();
  for (advance();;) {
    uint32_t seen = state.load(std::memory_order_acquire);
    if ((seen & kPhases) == kIdle)
      return;
    if ((seen & kPhases) == kPrepare)
      advance();
    else if (!work(self, seen))
      waitForChange(self, seen);
  }
}

void *Pool::enter(void *thread) {
  auto *self = static_cast<Thread *>(thread);
  // Sleeps in `giveWay` may be short. The caller's thread is the application's.
  prctl(PR_SET_TIMERSLACK, 1);
  self->pool->serve(*self);
  return nullptr;
}

void Pool::serve(Thread &thread) {
  while (true) {
    uint32_t seen = state.load(std::memory_order_acquire);
    if (stopping.load(std::memory_order_relaxed))
      return;
    if ((seen & kPhases) != kTake || !work(thread, seen))
      waitForChange(thread, seen);
  }
}

/// Divides the launch among the threads; returns the state that says so.
uint32_t Pool::publish() {
  uint32_t value = stateAfter(state.load(std::memory_order_relaxed), kTake);
  remaining.store(launch.pieces, std::memory_order_relaxed);
  size_t count = threads.size();
  for (size_t i = 0; i < count; ++i)
    shares[i].set(value, uint32_t(launch.pieces * i / count),
                  uint32_t(launch.pieces * (i + 1) / count));
  return value;
}

/// Prepares the next launch, or ends the run. All pieces have ended.
void Pool::advance() {
  bool hasMore = next(argument, launch);
  setState(hasMore ? publish() : stateAfter(state.load(), kIdle));
}

/// Runs the thread's share of the launch whose state was `seen`, then pieces
/// that other threads have not begun. True if the last piece of the launch has
/// ended; no other thread is told so.
bool Pool::takePieces(Thread &thread, uint32_t seen) {
  size_t count = threads.size();
  for (size_t i = 0; i < count; ++i) {
    Share &share = shares[(thread.index + i) % count];
    while (true) {
      giveWay(thread);
      uint32_t piece;
      if (!(i == 0 ? share.takeFirst(seen, piece)
                   : share.takeLast(seen, piece)))
        break;
      launch.run(thread.index, piece);
      // Orders the writes of all pieces before the next launch.
      if (remaining.fetch_sub(1, std::memory_order_acq_rel) == 1)
        return true;
    }
  }
  return false;
}

/// Takes pieces, and after the last one begins the next launch; false if there
/// is nothing to do in this state.
bool Pool::work(Thread &thread, uint32_t seen) {
  if (!takePieces(thread, seen))
    return false;
  if (callerPrepares && thread.index != 0)
    setState(stateAfter(seen, kPrepare));
  else
    advance();
  return true;
}

} // namespace vit::runtime
