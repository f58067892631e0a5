//===- Progress.cpp - How far long work has come --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Progress.h"

#include "Support.h"

#include <cstdio>
#include <unistd.h>

namespace vit::tools {

Progress::Progress(int64_t total)
    : total(total), isTerminal(isatty(STDERR_FILENO) != 0), begin(now()),
      lastReport(begin) {}

double Progress::seconds() const { return now() - begin; }

void Progress::update(int64_t done) {
  double time = now();
  if (time - lastReport < (isTerminal ? 0.1 : 5.0))
    return;
  lastReport = time;
  double rate = done / (time - begin);
  double left = rate > 0 ? (total - done) / rate : 0;
  long long shownDone = done, shownTotal = total;
  if (!isTerminal) {
    std::fprintf(stderr, "%lld of %lld images, %.1f images/s, %.0f s left\n",
                 shownDone, shownTotal, rate, left);
    return;
  }
  char bar[31] = "                              ";
  for (int64_t i = 0; i < 30 * done / total; ++i)
    bar[i] = '#';
  std::fprintf(stderr, "\r[%s] %lld/%lld  %.1f images/s  %.0f s left \033[K",
               bar, shownDone, shownTotal, rate, left);
}

void Progress::finish() {
  if (isTerminal)
    std::fprintf(stderr, "\r\033[K");
}

} // namespace vit::tools
