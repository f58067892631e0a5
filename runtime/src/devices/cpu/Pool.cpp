//===- Pool.cpp - Worker threads ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cpu/Pool.h"

#include <climits>
#include <csignal>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vit::runtime {

/// How long a thread spins before it sleeps: longer than the time between two
/// commands of a call, too short to be noticed otherwise.
static constexpr uint64_t kSpinNanoseconds = 30'000;

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

vit_status Pool::start(int threads, const Allocator &allocator,
                       vit_error *error) {
  if (!workers.allocate(allocator, size_t(threads) - 1))
    return outOfMemory(error, size_t(threads) * sizeof(Worker), "threads");
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return fail(error, VIT_OUT_OF_MEMORY, "out of memory: no worker threads");
  // Generated code keeps its large intermediates in scratch memory.
  pthread_attr_setstacksize(&attributes, size_t(1) << 20);
  // Workers block all signals, which are for the application's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = 0;
  for (; started < workers.size(); ++started) {
    Worker &worker = workers[started];
    worker.pool = this;
    worker.index = started + 1;
    code = pthread_create(&worker.thread, &attributes, enter, &worker);
    if (code != 0)
      break;
    pthread_setname_np(worker.thread, "vit-worker");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (code == 0)
    return VIT_OK;
  size_t running = started + 1;
  stop();
  return fail(error, VIT_OUT_OF_MEMORY, "cannot start %d threads, only %zu: %s",
              threads, running, std::strerror(code));
}

void Pool::stop() {
  if (started == 0)
    return;
  stopping.store(true, std::memory_order_relaxed);
  generation.fetch_add(1);
  wake(generation);
  for (size_t i = 0; i < started; ++i)
    pthread_join(workers[i].thread, nullptr);
  started = 0;
}

void Pool::run(Work newWork, void *newArgument) {
  if (started == 0) {
    newWork(newArgument, 0);
    return;
  }
  work = newWork;
  argument = newArgument;
  inside.store(0, std::memory_order_release);
  // Sequentially consistent, as is a worker's count of sleepers: either this
  // sees the worker asleep, or the worker sees the new generation.
  generation.fetch_add(1);
  if (sleepers.load() != 0)
    wake(generation);
  newWork(newArgument, 0);
  inside.fetch_or(kClosed, std::memory_order_relaxed);
  auto done = [this] {
    return inside.load(std::memory_order_acquire) == kClosed;
  };
  if (spin(done))
    return;
  callerSleeps.store(1);
  for (uint32_t now; (now = inside.load()) != kClosed;)
    wait(inside, now);
  callerSleeps.store(0);
}

void *Pool::enter(void *worker) {
  auto *self = static_cast<Worker *>(worker);
  self->pool->serve(self->index);
  return nullptr;
}

void Pool::serve(size_t index) {
  for (uint32_t seen = 0;;) {
    auto changed = [&] {
      return generation.load(std::memory_order_acquire) != seen;
    };
    if (!spin(changed)) {
      sleepers.fetch_add(1);
      while (!changed())
        wait(generation, seen);
      sleepers.fetch_sub(1);
    }
    seen = generation.load(std::memory_order_acquire);
    if (stopping.load(std::memory_order_relaxed))
      return;
    if (!join())
      continue;
    work(argument, index);
    leave();
  }
}

/// Joins the current run; false if it is closed. The run may be a later one
/// than the one that woke this worker.
bool Pool::join() {
  uint32_t now = inside.load(std::memory_order_relaxed);
  while ((now & kClosed) == 0)
    if (inside.compare_exchange_weak(now, now + 1, std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return true;
  return false;
}

void Pool::leave() {
  // Sequentially consistent, as is the caller's callerSleeps: either this sees
  // it, or the caller sees that nobody is inside.
  if (inside.fetch_sub(1) == (kClosed | 1) && callerSleeps.load() != 0)
    wake(inside);
}

} // namespace vit::runtime
