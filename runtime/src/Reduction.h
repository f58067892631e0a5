//===- Reduction.h - Sums of gradients over ranks ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session of one of several ranks has a thread that reduces buckets of
// gradients while the session computes the next ones. The order of additions is
// that of one rank which accumulates the micro-batches of all: the sum so far,
// then the gradients of rank 0, 1, 2 ... To share the work, each rank adds up a
// slice of each bucket and receives the other slices from their ranks.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_REDUCTION_H
#define VIT_RUNTIME_REDUCTION_H

#include "Error.h"
#include "format/Memory.h"
#include "module_generated.h"

#include <pthread.h>

namespace vit::runtime {

/// The micro-batches of a step: those of ranks [first, end).
struct Turn {
  int32_t first = 0, end = 1;
  bool updates = true; ///< The step ends with an update of the parameters.
};

/// What one rank tells the others about its micro-batch.
struct RankResult {
  float loss;
  int32_t correct; ///< -1: not known
};

/// Whether the schedule has commands that reduce.
bool reduces(const schema::Schedule &schedule);

/// The first element of slice `rank` of a range of `elements`; that of `ranks`
/// is its end. Slices begin at lines of 64 bytes.
uint64_t sliceBegin(uint64_t elements, int32_t rank, int32_t ranks);

class Reduction {
public:
  Reduction() = default;
  Reduction(const Reduction &) = delete;
  Reduction &operator=(const Reduction &) = delete;
  ~Reduction();

  /// Prepares for one rank (`given` is NULL) or for those of a checked
  /// collective, for schedules whose longest range has `mostElements`, a
  /// multiple of 16, and that have `mostRanges` in all. `isOnDevice`: the
  /// executor calls `device()` instead of `start`.
  vit_status build(const vit_collective *given, vit_reduction newKind,
                   bool isOnDevice, uint64_t mostElements, uint32_t mostRanges,
                   const Allocator &allocator, vit_error *error);

  /// One rank: there is nothing to exchange.
  bool isAlone() const { return collective.ranks == 1; }
  int32_t rank() const { return collective.rank; }
  int32_t ranks() const { return collective.ranks; }
  vit_reduction reduction() const { return kind; }
  const Turn &currentTurn() const { return turn; }
  /// NULL: the host reduces.
  const vit_device_collective *device() const { return collective.device; }
  /// Whether the ranks have parted.
  bool hasFailed() const;

  /// Begins a step; fails as the last one did if the ranks have parted.
  vit_status begin(const Turn &newTurn, vit_error *error);

  /// Replaces `elements` (a multiple of 16) `gradients` by their sum over ranks
  /// and `sums`, at the latest when `wait` returns; until then both belong to
  /// the reduction. `name` is that of events and outlives the step. The thread
  /// that calls may change from call to call.
  void start(const char *name, float *gradients, const float *sums,
             uint64_t elements);
  /// Waits for all reductions of the step and exchanges `own`, this rank's
  /// result, which becomes that of the step: the mean loss and the sum.
  vit_status wait(RankResult &own, vit_error *error);
  /// The results of the ranks, after `wait`.
  const RankResult *results() const { return gathered.data(); }

  /// Reports the reductions of the step to `options.on_event`, after `wait`.
  void report(const vit_session_options &options) const;

  /// To be called when a step fails on this rank: tells the other ranks, and
  /// returns when no function of the collective is running. Nothing happens if
  /// it failed because of the collective.
  void abandon(vit_status status, const vit_error &reason);

private:
  /// A range of a bucket or, without gradients, the results of the ranks.
  struct Job {
    const char *name;
    float *gradients;
    const float *sums;
    uint64_t elements;
    uint64_t begin, end; ///< ns of CLOCK_MONOTONIC
  };

  static void *enter(void *self);
  void serve();
  vit_status run(const Job &job, vit_error *error);
  vit_status reduceInOrder(const Job &job, vit_error *error);
  vit_status reduceFast(const Job &job, vit_error *error);
  void push(const Job &job);
  vit_status drain(vit_error *error);

  vit_collective collective = {sizeof(vit_collective),
                               nullptr,
                               0,
                               1,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr,
                               nullptr};
  vit_device_collective deviceCollective = {};
  vit_reduction kind = VIT_REDUCE_ORDERED;
  Turn turn;
  Array<float> received; ///< the pieces of this rank's slice
  Array<size_t> sizes;   ///< of the slices, in bytes
  Array<RankResult> gathered;

  pthread_t thread = {};
  bool hasThread = false;

  // Below, what `mutex` protects.
  mutable pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  Array<Job> jobs;
  uint32_t pushed = 0, finished = 0;
  bool isRunning = false, isStopping = false;
  /// Why the ranks have parted; VIT_OK as long as they have not.
  vit_status failure = VIT_OK;
  vit_error failureError = {};
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_REDUCTION_H
