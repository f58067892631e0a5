//===- Progress.cpp - Reports the progress of long work -------------------===//
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

Progress::Progress(int64_t total, std::string label, int64_t before)
    : total(total), before(before), done(before),
      label(label.empty() ? "" : label + "  "),
      isTerminal(isatty(STDERR_FILENO) != 0), begin(now()), lastReport(begin) {}

double Progress::seconds() const { return now() - begin; }

double Progress::imagesPerSecond() const {
  double time = seconds();
  return time > 0 ? double(done - before) / time : 0;
}

void Progress::update(int64_t nowDone, const std::string &details) {
  done = nowDone;
  double time = now();
  if (time - lastReport < (isTerminal ? 0.1 : 5.0))
    return;
  lastReport = time;
  double rate = imagesPerSecond();
  double left = rate > 0 ? double(total - done) / rate : 0;
  long long shownDone = done, shownTotal = total;
  std::string shown = details.empty() ? "" : details + "  ";
  if (!isTerminal) {
    std::fprintf(stderr,
                 "%s%lld of %lld images, %s%.1f images/s, %.0f s left\n",
                 label.c_str(), shownDone, shownTotal,
                 details.empty() ? "" : (details + ", ").c_str(), rate, left);
    return;
  }
  char bar[31] = "                              ";
  for (int64_t i = 0; i < 30 * done / total; ++i)
    bar[i] = '#';
  std::fprintf(
      stderr, "\r%s[%s] %lld/%lld  %s%.1f images/s  %.0f s left \033[K",
      label.c_str(), bar, shownDone, shownTotal, shown.c_str(), rate, left);
}

void Progress::finish() {
  if (isTerminal)
    std::fprintf(stderr, "\r\033[K");
}

} // namespace vit::tools
