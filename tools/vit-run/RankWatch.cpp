//===- RankWatch.cpp - Notices when another rank is gone ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RankWatch.h"

#include "Support.h"
#include "format/Hash.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vit::tools {

static constexpr double kBeatSeconds = 1;
static constexpr int kTurnMilliseconds = 100;

/// What ranks tell each other outside the exchanges of training.
struct RankWatch::Notice {
  enum Kind : uint32_t { Beat, Failed, Gone, Leaving } kind = Beat;
  /// Beat: whether the sender is in an exchange or has long work.
  uint32_t isExcused = 0;
  uint64_t calls = 0; ///< Beat: exchanges that it has begun.
  char text[VIT_MPI_NOTICE - 16] = "";

  size_t size() const { return offsetof(Notice, text) + std::strlen(text) + 1; }
  void setText(const std::string &value) {
    std::snprintf(text, sizeof(text), "%s", value.c_str());
  }
};

/// An exchange while it lasts.
struct RankWatch::Call {
  explicit Call(void *context) : watch(*static_cast<RankWatch *>(context)) {
    watch.callBegan = now();
    ++watch.calls;
  }
  ~Call() { watch.callBegan = -1; }
  RankWatch &watch;
};

RankWatch::RankWatch(const vit_mpi &mpi, double timeout)
    : mpi(mpi), timeout(timeout), rank(mpi.collective.rank),
      ranks(mpi.collective.ranks), failures(ranks), leftAt(ranks, 0) {}

RankWatch::~RankWatch() { stop(); }

RankWatch::Process RankWatch::self() {
  // Containers on one machine have process numbers of their own.
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  struct stat status = {};
  if (stat("/proc/self/ns/pid", &status) == 0)
    id += std::to_string(status.st_ino);
  return {format::hash64(id.data(), id.size()), getpid()};
}

void RankWatch::start(const std::vector<Process> &processes,
                      std::vector<std::string> rankNames) {
  names = std::move(rankNames);
  processFiles.assign(ranks, -1);
  for (int32_t r = 0; r < ranks; ++r)
    if (r != rank && processes[r].machine == processes[rank].machine)
      processFiles[r] = static_cast<int>(
          syscall(SYS_pidfd_open, static_cast<pid_t>(processes[r].pid), 0));
  lastTurn = heard = stillSince = now();
  thread = std::thread([this] { watch(); });
}

void RankWatch::stop() {
  isStopping = true;
  if (thread.joinable())
    thread.join();
  for (int file : processFiles)
    if (file >= 0)
      close(file);
  processFiles.clear();
}

bool RankWatch::hasLeft(int32_t other) {
  std::lock_guard<std::mutex> lock(mutex);
  return leftAt[other] != 0;
}

bool RankWatch::leave() {
  isLeaving = true;
  Notice notice;
  notice.kind = Notice::Leaving;
  broadcast(notice);
  for (;; usleep(2000)) {
    int32_t left = 0;
    for (int32_t r = 0; r < ranks; ++r)
      left += hasLeft(r);
    if (left == ranks - 1)
      return true;
    if (hasFailed())
      return false;
  }
}

vit_collective RankWatch::counted() {
  vit_collective result = mpi.collective;
  result.context = this;
  result.exchange = [](void *context, const void *send, const size_t *sizes,
                       void *receive, vit_error *error) {
    Call call(context);
    const vit_collective &real = call.watch.mpi.collective;
    return real.exchange(real.context, send, sizes, receive, error);
  };
  result.all_gather = [](void *context, void *data, const size_t *sizes,
                         vit_error *error) {
    Call call(context);
    const vit_collective &real = call.watch.mpi.collective;
    return real.all_gather(real.context, data, sizes, error);
  };
  result.all_reduce = [](void *context, float *data, size_t count,
                         vit_error *error) {
    Call call(context);
    const vit_collective &real = call.watch.mpi.collective;
    return real.all_reduce(real.context, data, count, error);
  };
  result.abort = [](void *context, const char *message) {
    const vit_mpi &real = static_cast<RankWatch *>(context)->mpi;
    real.give_up(real.context, message);
  };
  return result;
}

void RankWatch::setAdvice(const std::string &text) {
  std::lock_guard<std::mutex> lock(mutex);
  advice = text;
}

std::string RankWatch::getAdvice() {
  std::lock_guard<std::mutex> lock(mutex);
  return advice;
}

void RankWatch::broadcast(const Notice &notice) {
  for (int32_t r = 0; r < ranks; ++r)
    if (r != rank)
      mpi.send(mpi.context, r, &notice, notice.size(), nullptr);
}

bool RankWatch::tellFailure(const std::string &message, bool &isCommon) {
  Notice notice;
  notice.kind = Notice::Failed;
  notice.setText(message);
  broadcast(notice);
  // Those that fail in the same way do so now.
  std::string sent = notice.text;
  auto same = [&](int32_t end) {
    std::lock_guard<std::mutex> lock(mutex);
    return std::count(failures.begin(), failures.begin() + end, sent);
  };
  for (double until = now() + 0.5; now() < until;) {
    isCommon = same(ranks) == ranks - 1;
    if (same(rank) > 0 || isCommon)
      break;
    usleep(10000);
  }
  return same(rank) > 0;
}

bool RankWatch::hasFailed() {
  std::lock_guard<std::mutex> lock(mutex);
  return std::any_of(failures.begin(), failures.end(),
                     [](const std::string &text) { return !text.empty(); });
}

vit_status RankWatch::checkOthers(vit_error *error) {
  std::lock_guard<std::mutex> lock(mutex);
  for (const std::string &text : failures)
    if (!text.empty()) {
      std::snprintf(error->message, sizeof(error->message), "%s", text.c_str());
      return VIT_CANCELLED;
    }
  return VIT_OK;
}

void RankWatch::handle(int32_t from, const Notice &notice) {
  if (notice.kind == Notice::Beat) {
    if (notice.isExcused || notice.calls != previousCalls)
      stillSince = now();
    previousCalls = notice.calls;
  } else if (notice.kind == Notice::Leaving) {
    std::lock_guard<std::mutex> lock(mutex);
    leftAt[from] = now();
  } else if (notice.kind == Notice::Gone) {
    // The sender prints the error and ends all ranks, this one, too.
    usleep(500000);
    mpi.abort(mpi.context, 1);
  } else {
    {
      std::lock_guard<std::mutex> lock(mutex);
      failures[from] = *notice.text ? notice.text : "failed";
    }
    mpi.give_up(mpi.context, notice.text);
  }
  if (from == (rank + ranks - 1) % ranks)
    heard = now();
}

void RankWatch::sendBeat() {
  if (isLeaving || now() - lastBeat < kBeatSeconds)
    return;
  lastBeat = now();
  Notice notice;
  notice.isExcused = callBegan >= 0 || hasLongWork;
  notice.calls = calls;
  mpi.send(mpi.context, (rank + 1) % ranks, &notice, notice.size(), nullptr);
}

void RankWatch::end(int32_t gone, const std::string &what) {
  std::string text = names[gone] + " " + what;
  std::string added = getAdvice();
  if (!added.empty())
    text += "; " + added;
  std::fflush(stdout);
  std::fprintf(stderr, "error: %s\n", text.c_str());
  Notice notice;
  notice.kind = Notice::Gone;
  notice.setText(text);
  broadcast(notice);
  usleep(200000);
  mpi.abort(mpi.context, 1);
  _exit(1);
}

/// An exchange that begins or lasts after a rank has left cannot end. One whose
/// last message is on its way ends by itself.
void RankWatch::checkLeft() {
  double began = callBegan;
  for (int32_t r = 0; began >= 0 && r < ranks; ++r) {
    std::lock_guard<std::mutex> lock(mutex);
    if (leftAt[r] != 0 && now() - std::max(began, leftAt[r]) > 3)
      mpi.give_up(mpi.context, (names[r] + " has left the run").c_str());
  }
}

void RankWatch::checkPrevious() {
  int32_t previous = (rank + ranks - 1) % ranks;
  if (hasLeft(previous))
    return;
  char seconds[32];
  std::snprintf(seconds, sizeof(seconds), "%.0f", timeout);
  if (now() - heard > timeout)
    end(previous, "has not answered for " + std::string(seconds) +
                      " seconds: it, its machine or the network is stopped");
  double began = callBegan;
  if (began >= 0 && now() - began > timeout && now() - stillSince > timeout)
    end(previous, "lives, but has computed or waited for data for " +
                      std::string(seconds) +
                      " seconds while others wait for it (--rank-timeout)");
}

void RankWatch::checkProcesses() {
  std::vector<pollfd> files;
  for (int file : processFiles)
    files.push_back({file, POLLIN, 0});
  poll(files.data(), files.size(), kTurnMilliseconds);
  for (int32_t r = 0; r < ranks; ++r) {
    if (!(files[r].revents & POLLIN))
      continue;
    // It may have said why before it ended, or this run ends, too.
    Notice notice;
    int32_t from = 0;
    for (double until = now() + 0.3; now() < until; usleep(10000))
      while (mpi.receive(mpi.context, &from, &notice, sizeof(notice)))
        handle(from, notice);
    close(processFiles[r]);
    processFiles[r] = -1;
    if (isStopping || hasFailed() || hasLeft(r))
      return;
    // One of those that see it says so.
    bool isFirst =
        std::none_of(processFiles.begin(), processFiles.begin() + rank,
                     [](int file) { return file >= 0; });
    if (!isFirst)
      sleep(2);
    end(r, "has died (killed, or out of memory)");
  }
}

void RankWatch::watch() {
  while (!isStopping) {
    checkProcesses();
    // All that was sent while this process was stopped is not read yet.
    double turn = now();
    if (turn - lastTurn > std::min(3.0, timeout / 2))
      heard = stillSince = turn;
    lastTurn = turn;
    Notice notice;
    int32_t from = 0;
    while (mpi.receive(mpi.context, &from, &notice, sizeof(notice)))
      handle(from, notice);
    sendBeat();
    if (!isStopping && !hasFailed()) {
      checkPrevious();
      checkLeft();
    }
  }
}

} // namespace vit::tools
