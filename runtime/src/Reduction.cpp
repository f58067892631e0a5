//===- Reduction.cpp - Sums of gradients over ranks -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reduction.h"

#include "Verify.h"
#include "devices/Device.h"
#include "format/FloatControl.h"

#include <algorithm>
#include <cmath>
#include <csignal>

namespace vit::runtime {

/// Slices begin at multiples of this: a line of 64 bytes.
static constexpr uint64_t kLine = 16;

namespace {
class Locked {
public:
  explicit Locked(pthread_mutex_t &mutex) : mutex(mutex) {
    pthread_mutex_lock(&mutex);
  }
  Locked(const Locked &) = delete;
  Locked &operator=(const Locked &) = delete;
  ~Locked() { pthread_mutex_unlock(&mutex); }

private:
  pthread_mutex_t &mutex;
};
} // namespace

bool reduces(const schema::Schedule &schedule) {
  for (uint32_t i = 0; i < count(schedule.commands()); ++i)
    if (schedule.commands()->Get(i)->kind() == schema::CommandKind::AllReduce)
      return true;
  return false;
}

uint64_t sliceBegin(uint64_t elements, int32_t rank, int32_t ranks) {
  return elements / kLine * uint64_t(rank) / uint64_t(ranks) * kLine;
}

//===----------------------------------------------------------------------===//
// The thread
//===----------------------------------------------------------------------===//

vit_status Reduction::build(const vit_collective *given, vit_reduction newKind,
                            bool isOnDevice, uint64_t mostElements,
                            uint32_t mostRanges, const Allocator &allocator,
                            vit_error *error) {
  if (given)
    collective = *given;
  collective.device = nullptr;
  if (given && isOnDevice && !isAlone()) {
    deviceCollective = *given->device;
    collective.device = &deviceCollective;
  }
  kind = newKind;
  if (!gathered.allocate(allocator, size_t(ranks())))
    return outOfMemory(error, size_t(ranks()) * sizeof(RankResult), "ranks");
  if (isAlone())
    return VIT_OK;
  uint64_t longest = (mostElements / kLine / uint64_t(ranks()) + 1) * kLine *
                     uint64_t(ranks());
  if (kind == VIT_REDUCE_FAST || device())
    longest = 0;
  if (!received.allocate(allocator, longest) ||
      !sizes.allocate(allocator, size_t(ranks())) ||
      !jobs.allocate(allocator, mostRanges + 1))
    return outOfMemory(error, longest * sizeof(float), "gradients of ranks");
  // As the workers of a pool: signals are for the application's threads.
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = pthread_create(&thread, nullptr, enter, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (code != 0)
    return fail(error, VIT_OUT_OF_MEMORY,
                "cannot start a thread that reduces gradients: %s",
                std::strerror(code));
  pthread_setname_np(thread, "vit-reduce");
  hasThread = true;
  return VIT_OK;
}

Reduction::~Reduction() {
  if (!hasThread)
    return;
  pthread_mutex_lock(&mutex);
  isStopping = true;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, nullptr);
}

void *Reduction::enter(void *self) {
  format::StandardFloats floats;
  static_cast<Reduction *>(self)->serve();
  return nullptr;
}

void Reduction::serve() {
  Locked lock(mutex);
  while (!isStopping) {
    if (finished == pushed || failure != VIT_OK) {
      pthread_cond_wait(&changed, &mutex);
      continue;
    }
    Job &job = jobs[finished];
    isRunning = true;
    pthread_mutex_unlock(&mutex);
    vit_error error = {};
    job.begin = monotonicTime();
    vit_status status = run(job, &error);
    job.end = monotonicTime();
    pthread_mutex_lock(&mutex);
    isRunning = false;
    ++finished;
    if (status != VIT_OK && failure == VIT_OK) {
      failure = status;
      failureError = error;
    }
    pthread_cond_broadcast(&changed);
  }
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// Adds the pieces of a slice, `stride` elements apart, to `sums` in the order
/// of ranks. Works in blocks that stay in the first-level cache.
static void addPieces(float *result, const float *sums, const float *pieces,
                      uint64_t stride, const Turn &turn) {
  constexpr uint64_t block = 2048;
  for (uint64_t begin = 0; begin < stride; begin += block) {
    uint64_t length = std::min(block, stride - begin);
    float *to = result + begin;
    if (to != sums + begin)
      std::memcpy(to, sums + begin, length * sizeof(float));
    for (int32_t rank = turn.first; rank < turn.end; ++rank) {
      const float *piece = pieces + uint64_t(rank) * stride + begin;
      for (uint64_t i = 0; i < length; ++i)
        to[i] += piece[i];
    }
  }
}

vit_status Reduction::reduceInOrder(const Job &job, vit_error *error) {
  for (int32_t i = 0; i < ranks(); ++i)
    sizes[size_t(i)] = (sliceBegin(job.elements, i + 1, ranks()) -
                        sliceBegin(job.elements, i, ranks())) *
                       sizeof(float);
  VIT_TRY(collective.exchange(collective.context, job.gradients, sizes.data(),
                              received.data(), error));
  uint64_t begin = sliceBegin(job.elements, rank(), ranks());
  addPieces(job.gradients + begin, job.sums + begin, received.data(),
            sizes[size_t(rank())] / sizeof(float), turn);
  return collective.all_gather(collective.context, job.gradients, sizes.data(),
                               error);
}

/// Accumulates this rank's gradients, and adds those of the others where the
/// step updates.
vit_status Reduction::reduceFast(const Job &job, vit_error *error) {
  bool takesPart = turn.first <= rank() && rank() < turn.end;
  for (uint64_t i = 0; i < job.elements; ++i)
    job.gradients[i] = job.sums[i] + (takesPart ? job.gradients[i] : 0.0f);
  return turn.updates ? collective.all_reduce(collective.context, job.gradients,
                                              job.elements, error)
                      : VIT_OK;
}

vit_status Reduction::run(const Job &job, vit_error *error) {
  vit_status status;
  if (!job.gradients) {
    for (size_t &size : sizes)
      size = sizeof(RankResult);
    status = collective.all_gather(collective.context, gathered.data(),
                                   sizes.data(), error);
  } else {
    status = kind == VIT_REDUCE_FAST ? reduceFast(job, error)
                                     : reduceInOrder(job, error);
  }
  if (status != VIT_OK && error->message[0] == 0)
    return fail(error, status, "the collective failed with %s",
                vit_status_name(status));
  return status;
}

//===----------------------------------------------------------------------===//
// A step
//===----------------------------------------------------------------------===//

bool Reduction::hasFailed() const {
  Locked lock(mutex);
  return failure != VIT_OK;
}

vit_status Reduction::begin(const Turn &newTurn, vit_error *error) {
  Locked lock(mutex);
  if (failure != VIT_OK)
    return fail(error, failure, "%s", failureError.message);
  turn = newTurn;
  pushed = finished = 0;
  return VIT_OK;
}

void Reduction::push(const Job &job) {
  Locked lock(mutex);
  jobs[pushed++] = job;
  pthread_cond_broadcast(&changed);
}

void Reduction::start(const char *name, float *gradients, const float *sums,
                      uint64_t elements) {
  push({name, gradients, sums, elements, 0, 0});
}

/// Waits until all jobs have ended, or one has failed.
vit_status Reduction::drain(vit_error *error) {
  Locked lock(mutex);
  while (isRunning || (failure == VIT_OK && finished != pushed))
    pthread_cond_wait(&changed, &mutex);
  return failure == VIT_OK ? VIT_OK
                           : fail(error, failure, "%s", failureError.message);
}

vit_status Reduction::wait(RankResult &own, vit_error *error) {
  gathered[size_t(rank())] = own;
  push({"results", nullptr, nullptr, 0, 0, 0});
  VIT_TRY(drain(error));
  double sum = 0;
  int64_t correct = 0;
  for (int32_t i = turn.first; i < turn.end; ++i) {
    const RankResult &result = gathered[size_t(i)];
    sum += double(result.loss);
    correct = result.correct < 0 || correct < 0 ? -1 : correct + result.correct;
  }
  own.loss = float(sum / (turn.end - turn.first));
  own.correct = int32_t(std::min<int64_t>(correct, INT32_MAX));
  return VIT_OK;
}

void Reduction::report(const vit_session_options &options) const {
  if (!options.on_event)
    return;
  for (uint32_t i = 0; i < finished; ++i) {
    const Job &job = jobs[i];
    vit_event event = {job.name, "all_reduce", job.begin, job.end, 0};
    options.on_event(options.event_context, &event);
  }
}

void Reduction::abandon(vit_status status, const vit_error &reason) {
  if (isAlone())
    return;
  bool isFirst;
  {
    Locked lock(mutex);
    isFirst = failure == VIT_OK;
    if (isFirst) {
      failure = status;
      failureError = reason;
    }
  }
  if (isFirst && collective.abort)
    collective.abort(collective.context, reason.message);
  vit_error ignored;
  drain(&ignored);
}

} // namespace vit::runtime
