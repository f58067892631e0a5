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
