//===- Progress.h - Reports the progress of long work -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PROGRESS_H
#define VIT_TOOLS_PROGRESS_H

#include <cstdint>
#include <string>

namespace vit::tools {

/// What a progress line shows.
struct ProgressState {
  std::string label;   ///< such as "epoch 3/10"; may be empty
  std::string details; ///< such as "loss 0.31"; may be empty
  int64_t done = 0, total = 0;
  double imagesPerSecond = 0, secondsLeft = 0;
};

/// The line with its bar, of at most `columns` - 1 characters: some terminals
/// begin a new row once the last column is written. Where it is too narrow, the
/// bar becomes shorter first; then the rate, the details, the remaining time,
/// the label and the bar are left out, in this order.
std::string progressLine(const ProgressState &state, int columns);

/// Reports progress on standard error: a bar on a terminal, otherwise a line
/// every few seconds, each with images/s and the remaining time.
class Progress {
public:
  /// `label` comes first ("epoch 3/10"). `before` images were done earlier and
  /// do not count for images/s.
  explicit Progress(int64_t total, std::string label = "", int64_t before = 0);
  /// Reports `done` finished images; `details` is such as "loss 0.31".
  void update(int64_t done, const std::string &details = "");
  /// Clears the bar.
  void finish();
  double seconds() const;
  double imagesPerSecond() const;

private:
  int64_t total, before, done;
  std::string label;
  bool isTerminal;
  double begin, lastReport;
};

} // namespace vit::tools

#endif // VIT_TOOLS_PROGRESS_H
