//===- Ranks.h - The processes that train together --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_RANKS_H
#define VIT_TOOLS_RANKS_H

#include "Nccl.h"
#include "RankWatch.h"
#include "Support.h"
#include "TrainOptions.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <type_traits>

namespace vit::tools {

/// An error that all ranks have thrown, or will: the others know it.
struct KnownError : Error {
  using Error::Error;
};

/// The same where another rank prints it: this one ends with status 1.
struct PeerError : KnownError {
  using KnownError::KnownError;
};

/// The ranks of a training run: the processes that a launcher has started, or
/// this process alone, for which every function is trivial. All ranks call the
/// functions that say so, in the same order. One thread at a time.
class Ranks {
public:
  /// Opens MPI at the first call, if a launcher has started several processes
  /// and `options` do not forbid it. They are closed at the end of the process.
  static Ranks &open(const RankOptions &options);
  /// Those that are open; this process alone if none are.
  static Ranks &current();

  int32_t rank() const { return mpi ? mpi->collective.rank : 0; }
  int32_t count() const { return mpi ? mpi->collective.ranks : 1; }
  bool isFirst() const { return rank() == 0; }
  bool areSeveral() const { return count() > 1; }
  int32_t localRank() const { return mpi ? mpi->local_rank : 0; }
  int32_t localCount() const { return mpi ? mpi->local_ranks : 1; }
  const char *library() const { return mpi->library; }
  /// "rank 2 (hostname)"
  const std::string &name(int32_t rank) const { return names[rank]; }

  /// For vit_session_create; null for one rank.
  const vit_collective *collective() const {
    return mpi ? &collectiveOfRun : nullptr;
  }

  /// Each rank's text, by rank. All ranks call.
  std::vector<std::string> gather(const std::string &text);
  /// Each rank's value, by rank. All ranks call.
  template <typename T> std::vector<T> gather(const T &value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0);
    std::vector<T> values(count());
    values[rank()] = value;
    gatherBytes(values.data(), std::vector<size_t>(count(), sizeof(T)));
    return values;
  }
  /// Each rank's values behind one another. All ranks call.
  template <typename T>
  std::vector<T> gatherLists(const std::vector<T> &values) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0);
    std::vector<size_t> sizes;
    size_t before = 0, total = 0;
    for (uint64_t items : gather(static_cast<uint64_t>(values.size()))) {
      if (static_cast<int32_t>(sizes.size()) < rank())
        before += items;
      total += items;
      sizes.push_back(items * sizeof(T));
    }
    std::vector<T> all(total);
    std::copy(values.begin(), values.end(), all.begin() + before);
    gatherBytes(all.data(), sizes);
    return all;
  }
  /// Sums `data` over the ranks. All ranks call.
  void sum(std::vector<float> &data);

  /// Runs `work` on every rank, and throws on all if it throws on one: a
  /// KnownError on the first rank where it was thrown, and a PeerError on the
  /// others. `namesRank`: the message says which rank it was, unless it is that
  /// of all. All ranks call.
  void together(const std::function<void()> &work, bool namesRank = true);
  /// `work` on rank 0 first, then on the others. All ranks call.
  void firstThenOthers(const std::function<void()> &work);
  /// Throws on all ranks if a rank's `description` differs from that of rank 0,
  /// with what differs. `remedy` ends the error. All ranks call.
  void requireSame(const nlohmann::ordered_json &description,
                   const std::string &remedy);

  /// Threads for this rank, so that those of a machine have a thread for each
  /// core that the launcher leaves them. All ranks call.
  int shareThreads();
  /// `device` for this rank: the GPUs of a machine in turn, if it names none.
  std::string shareDevice(const std::string &device) const;
  /// Lets `collective()` exchange gradients between the GPUs of the ranks, of
  /// which `device` is that of this rank, where all ranks can. Returns what
  /// the user is told about it; nothing if no rank has a GPU of CUDA. All ranks
  /// call.
  std::string connectDevices(const std::string &device);

  /// Steps follow one another from now on, or something that takes its time.
  void setStepping(bool isStepping);
  /// What an error says after a rank is gone; the last checkpoint.
  void setAdvice(const std::string &text);
  /// Ends the run on the other ranks because of `error`, and returns what is to
  /// be thrown on this one. To be called where only this rank may have failed.
  [[noreturn]] void fail(const Error &error);
  /// Closes MPI, or ends all processes if a rank has failed. All ranks call,
  /// none uses it afterwards.
  void close();

private:
  Ranks() = default;
  void openMpi(const RankOptions &options);
  [[noreturn]] void throwKnown(int32_t speaker, const std::string &text,
                               vit_status status) const;
  void gatherBytes(void *data, const std::vector<size_t> &sizes);

  std::unique_ptr<vit_mpi> mpi;
  std::unique_ptr<RankWatch> watch;
  NcclLibrary ncclLibrary;
  std::unique_ptr<Nccl> gpus;
  double timeout = 0; ///< --rank-timeout
  vit_collective collectiveOfRun = {};
  std::vector<std::string> names{"rank 0"};
  bool hasFailed = false; ///< The ranks do not come together any more.
  bool isSpeaker = false; ///< This rank prints why.
};

} // namespace vit::tools

#endif // VIT_TOOLS_RANKS_H
