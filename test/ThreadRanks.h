//===- ThreadRanks.h - A collective of threads ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tests: the ranks of a training run are threads of one process.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_THREADRANKS_H
#define VIT_TEST_THREADRANKS_H

#include "vit/vit.h"

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

namespace vit::test {

/// The ranks share the object. Every call is a meeting of all of them.
class ThreadRanks {
public:
  explicit ThreadRanks(int ranks) : members(ranks), parts(ranks) {
    for (int rank = 0; rank < ranks; ++rank)
      members[rank] = {this, rank};
  }
  ThreadRanks(const ThreadRanks &) = delete;

  vit_collective collective(int rank) {
    return {sizeof(vit_collective),
            &members[rank],
            rank,
            int32_t(members.size()),
            exchange,
            allGather,
            allReduce,
            abort};
  }

  /// The call of rank `rank` that is number `call`, from 0, fails.
  void failAt(int rank, int call) {
    failingRank = rank;
    failingCall = call;
  }
  /// The calls of rank 0 until now.
  int calls() const { return callsOfFirst; }

private:
  struct Member {
    ThreadRanks *all;
    int rank;
  };
  struct Part {
    const void *send;
    void *data;
    std::vector<size_t> offsets;
  };

  static std::vector<size_t> offsetsOf(const size_t *sizes, size_t ranks) {
    std::vector<size_t> offsets(1);
    for (size_t i = 0; i < ranks; ++i)
      offsets.push_back(offsets.back() + sizes[i]);
    return offsets;
  }

  /// Waits for all ranks; false after an abort.
  bool meet() {
    std::unique_lock<std::mutex> lock(mutex);
    if (aborted)
      return false;
    unsigned before = meetings;
    if (++waiting == members.size()) {
      waiting = 0;
      ++meetings;
      changed.notify_all();
      return true;
    }
    changed.wait(lock, [&] { return aborted || meetings != before; });
    return meetings != before;
  }

  vit_status fail(vit_error *error) {
    std::lock_guard<std::mutex> lock(mutex);
    std::snprintf(error->message, sizeof error->message, "%s", message.c_str());
    return VIT_IO_ERROR;
  }

  void stop(const char *why) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!aborted)
      message = why;
    aborted = true;
    changed.notify_all();
  }

  /// Runs `work` between two meetings, in which `part` is what the rank shows.
  template <typename Work>
  static vit_status call(void *context, Part part, vit_error *error,
                         Work work) {
    auto &[all, rank] = *static_cast<Member *>(context);
    int number;
    {
      std::lock_guard<std::mutex> lock(all->mutex);
      number = rank == all->failingRank ? all->callsOfFailing++ : -1;
      all->callsOfFirst += rank == 0;
    }
    if (number >= 0 && number == all->failingCall)
      all->stop(("rank " + std::to_string(rank) + " is gone").c_str());
    all->parts[size_t(rank)] = std::move(part);
    if (!all->meet())
      return all->fail(error);
    work(all->parts, size_t(rank));
    return all->meet() ? VIT_OK : all->fail(error);
  }

  static vit_status exchange(void *context, const void *send,
                             const size_t *sizes, void *receive,
                             vit_error *error) {
    size_t ranks = static_cast<Member *>(context)->all->members.size();
    return call(context, {send, nullptr, offsetsOf(sizes, ranks)}, error,
                [&](const std::vector<Part> &parts, size_t rank) {
                  auto *to = static_cast<char *>(receive);
                  for (const Part &part : parts) {
                    std::memcpy(to,
                                static_cast<const char *>(part.send) +
                                    part.offsets[rank],
                                sizes[rank]);
                    to += sizes[rank];
                  }
                });
  }

  static vit_status allGather(void *context, void *data, const size_t *sizes,
                              vit_error *error) {
    size_t ranks = static_cast<Member *>(context)->all->members.size();
    return call(context, {nullptr, data, offsetsOf(sizes, ranks)}, error,
                [&](const std::vector<Part> &parts, size_t rank) {
                  for (size_t i = 0; i < ranks; ++i)
                    if (i != rank)
                      std::memcpy(static_cast<char *>(data) +
                                      parts[rank].offsets[i],
                                  static_cast<const char *>(parts[i].data) +
                                      parts[i].offsets[i],
                                  sizes[i]);
                });
  }

  static vit_status allReduce(void *context, float *data, size_t count,
                              vit_error *error) {
    std::vector<float> sum(count);
    vit_status status =
        call(context, {data, nullptr, {}}, error,
             [&](const std::vector<Part> &parts, size_t) {
               // Another order than that of ranks.
               for (size_t i = parts.size(); i-- > 0;)
                 for (size_t k = 0; k < count; ++k)
                   sum[k] += static_cast<const float *>(parts[i].send)[k];
             });
    if (status == VIT_OK)
      std::memcpy(data, sum.data(), count * sizeof(float));
    return status;
  }

  static void abort(void *context, const char *why) {
    auto &[all, rank] = *static_cast<Member *>(context);
    all->stop(("rank " + std::to_string(rank) + ": " + why).c_str());
  }

  std::vector<Member> members;
  std::vector<Part> parts;
  std::mutex mutex;
  std::condition_variable changed;
  size_t waiting = 0;
  unsigned meetings = 0;
  bool aborted = false;
  std::string message;
  int failingRank = -1, failingCall = -1;
  int callsOfFailing = 0, callsOfFirst = 0;
};

} // namespace vit::test

#endif // VIT_TEST_THREADRANKS_H
