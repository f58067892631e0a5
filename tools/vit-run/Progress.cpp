//===- Progress.cpp - Reports the progress of long work -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Progress.h"

#include "Support.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace vit::tools {

static constexpr int kLongestBar = 30, kShortestBar = 5;

/// Columns of the terminal on standard error. Asked before each line, since a
/// window may change its size at any time.
static int terminalColumns() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0
             ? size.ws_col
             : 80;
}

std::string progressLine(const ProgressState &state, int columns) {
  char rate[64], left[64];
  std::snprintf(rate, sizeof(rate), "%.1f images/s", state.imagesPerSecond);
  std::snprintf(left, sizeof(left), "%.0f s left", state.secondsLeft);
  std::string count =
      std::to_string(state.done) + "/" + std::to_string(state.total);
  // As shown; `bar` stands between the label and the count.
  enum { Label, Bar, Count, Details, Rate, Left };
  std::string parts[] = {state.label, std::string(kShortestBar, ' '),
                         count,       state.details,
                         rate,        left};
  auto line = [&] {
    std::string result;
    for (int i = Label; i <= Left; ++i) {
      if (parts[i].empty())
        continue;
      const char *gap = i == Count && !parts[Bar].empty() ? " " : "  ";
      result += (result.empty() ? "" : gap) +
                (i == Bar ? "[" + parts[i] + "]" : parts[i]);
    }
    return result;
  };
  int width = std::max(columns - 1, 0);
  auto room = [&] { return width - static_cast<int>(line().size()); };
  for (int part : {Rate, Details, Left, Label, Bar})
    if (room() < 0)
      parts[part].clear();
  if (!parts[Bar].empty()) {
    int length = std::min(kLongestBar, kShortestBar + room());
    int64_t total = std::max<int64_t>(state.total, 1);
    int64_t full = length * std::clamp<int64_t>(state.done, 0, total) / total;
    parts[Bar] = std::string(full, '#') + std::string(length - full, ' ');
  }
  return line().substr(0, width);
}

Progress::Progress(int64_t total, std::string label, int64_t before)
    : total(total), before(before), done(before), label(std::move(label)),
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
  if (isTerminal) {
    std::string line = progressLine({label, details, done, total, rate, left},
                                    terminalColumns());
    std::fprintf(stderr, "\r%s\033[K", line.c_str());
    return;
  }
  std::fprintf(stderr, "%s%lld of %lld images, %s%.1f images/s, %.0f s left\n",
               label.empty() ? "" : (label + "  ").c_str(),
               static_cast<long long>(done), static_cast<long long>(total),
               details.empty() ? "" : (details + ", ").c_str(), rate, left);
}

void Progress::finish() {
  if (isTerminal)
    std::fprintf(stderr, "\r\033[K");
}

} // namespace vit::tools
