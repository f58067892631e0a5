//===- RankWatch.h - Notices when another rank is gone ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_RANKWATCH_H
#define VIT_TOOLS_RANKWATCH_H

#include "vit/vit-mpi.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vit::tools {

/// A thread that ends the run everywhere when a rank has died, hangs or has
/// failed: the others would wait for it forever, and MPI does not say which
/// rank it is.
///
/// Each rank tells the next one every second that it lives and what it does. A
/// rank that is silent for the timeout is gone (killed together with its
/// machine, or stopped). One that lives, but is in no exchange for the timeout
/// while the next one waits in one, hangs. On the same machine the system
/// reports the end of a process at once (pidfd). The rank that notices prints
/// the error, tells the others, and calls MPI_Abort.
class RankWatch {
public:
  /// Where a process is found by others on its machine.
  struct Process {
    uint64_t machine; ///< The same for processes that see each other's pid.
    int64_t pid;
  };

  RankWatch(const vit_mpi &mpi, double timeout);
  ~RankWatch();
  RankWatch(const RankWatch &) = delete;
  RankWatch &operator=(const RankWatch &) = delete;

  static Process self();
  /// Begins. `processes` and `names` are those of all ranks.
  void start(const std::vector<Process> &processes,
             std::vector<std::string> names);
  /// Tells the others that this rank comes to no further exchange, and waits
  /// until all have said so. False if one has failed.
  bool leave();

  /// The communicator of `mpi`, whose calls are counted. Its functions fail
  /// when another rank has failed.
  vit_collective counted();

  /// Whether a rank that is in no exchange is expected to come to the next one
  /// within the timeout: not while it compiles or writes a checkpoint.
  void setLongWork(bool is) { hasLongWork = is; }
  /// What a message about the end of the run adds.
  void setAdvice(const std::string &text);
  std::string getAdvice();

  /// Tells the others that this rank fails with `message`. Returns whether
  /// another rank prints it: one with a lower number that fails in the same
  /// way. `isCommon`: all ranks do.
  bool tellFailure(const std::string &message, bool &isCommon);
  /// Whether another rank has failed, which has said so itself.
  bool hasFailed();
  /// The same as a status, with what the rank has said.
  vit_status checkOthers(vit_error *error);

private:
  struct Notice;
  struct Call;

  void watch();
  void handle(int32_t from, const Notice &notice);
  void sendBeat();
  void checkPrevious();
  void checkProcesses();
  void checkLeft();
  bool hasLeft(int32_t rank);
  void stop();
  void broadcast(const Notice &notice);
  [[noreturn]] void end(int32_t rank, const std::string &what);

  vit_mpi mpi;
  double timeout;
  int32_t rank, ranks;
  std::vector<std::string> names;
  std::vector<int> processFiles; ///< pidfds by rank; -1: none.
  std::thread thread;
  std::atomic<bool> isStopping{false}, isLeaving{false}, hasLongWork{true};
  std::atomic<uint64_t> calls{0};    ///< Exchanges that have begun.
  std::atomic<double> callBegan{-1}; ///< -1: in none.

  // Of the thread.
  double lastTurn = 0, lastBeat = 0;
  double heard = 0;           ///< Of the previous rank.
  double stillSince = 0;      ///< Since when it is in no exchange.
  uint64_t previousCalls = 0; ///< Exchanges that it had begun.

  std::mutex mutex;
  std::string advice;
  std::vector<std::string> failures; ///< By rank; empty: none.
  std::vector<double> leftAt;        ///< By rank; 0: it has not left.
};

} // namespace vit::tools

#endif // VIT_TOOLS_RANKWATCH_H
