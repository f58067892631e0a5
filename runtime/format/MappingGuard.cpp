//===- MappingGuard.cpp - Mappings of files that may shrink ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/MappingGuard.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace vit::format {

/// The addresses of a guarded mapping. Read by the handler, so without locks.
struct Range {
  std::atomic<uintptr_t> begin{0}; ///< kFree, kTaken or an address
  std::atomic<uintptr_t> end{0};   ///< a multiple of the page size
  std::atomic<bool> wasCut{false};
};

namespace {

constexpr uintptr_t kFree = 0, kTaken = 1;
/// A module has one file or, with shards, some dozens.
constexpr size_t kMostRanges = 1024;

Range ranges[kMostRanges];
uintptr_t pageSize;
struct sigaction before;

/// Replaces the lost pages from `address` on; false if it is not guarded.
bool replacePages(uintptr_t address) {
  for (Range &range : ranges) {
    uintptr_t begin = range.begin.load(std::memory_order_acquire);
    uintptr_t end = range.end.load(std::memory_order_acquire);
    if (begin <= kTaken || address < begin || address >= end)
      continue;
    uintptr_t page = address & ~(pageSize - 1);
    // Writable, as pages of weights may be.
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the signal has an address.
    auto *at = reinterpret_cast<void *>(page);
    void *zeros =
        mmap(at, end - page, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    range.wasCut.store(true, std::memory_order_release);
    return zeros != MAP_FAILED;
  }
  return false;
}

/// Does what would have happened without this handler.
void passOn(int signal, siginfo_t *info, void *context) {
  if (before.sa_flags & SA_SIGINFO)
    return before.sa_sigaction(signal, info, context);
  bool isSent = info->si_code <= 0; // By kill or the like.
  if (before.sa_handler == SIG_IGN && isSent)
    return;
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    return before.sa_handler(signal);
  // What caused the signal is done again, and now ends the process.
  struct sigaction none = {};
  none.sa_handler = SIG_DFL;
  sigaction(signal, &none, nullptr);
  if (isSent)
    raise(signal);
}

void handle(int signal, siginfo_t *info, void *context) {
  int code = errno;
  if (info->si_code != BUS_ADRERR ||
      !replacePages(reinterpret_cast<uintptr_t>(info->si_addr)))
    passOn(signal, info, context);
  errno = code;
}

void install() {
  pageSize = uintptr_t(sysconf(_SC_PAGESIZE));
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigaction(SIGBUS, nullptr, &before);
  sigaction(SIGBUS, &action, nullptr);
}

/// The library may be unloaded.
[[gnu::destructor]] void uninstall() {
  struct sigaction now = {};
  if (pageSize != 0 && sigaction(SIGBUS, nullptr, &now) == 0 &&
      (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handle)
    sigaction(SIGBUS, &before, nullptr);
}

} // namespace

void MappingGuard::start(const void *data, uint64_t size) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  stop();
  for (Range &candidate : ranges) {
    uintptr_t expected = kFree;
    if (!candidate.begin.compare_exchange_strong(expected, kTaken))
      continue;
    auto begin = reinterpret_cast<uintptr_t>(data);
    candidate.wasCut.store(false);
    candidate.end.store((begin + size + pageSize - 1) & ~(pageSize - 1));
    candidate.begin.store(begin, std::memory_order_release);
    range = &candidate;
    return;
  }
}

void MappingGuard::stop() {
  if (range)
    range->begin.store(kFree, std::memory_order_release);
  range = nullptr;
}

bool MappingGuard::wasCut() const {
  return range && range->wasCut.load(std::memory_order_acquire);
}

} // namespace vit::format
