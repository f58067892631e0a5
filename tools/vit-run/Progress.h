//===- Progress.h - How far long work has come ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PROGRESS_H
#define VIT_TOOLS_PROGRESS_H

#include <cstdint>

namespace vit::tools {

/// Reports on standard error: a bar on a terminal, a plain line every few
/// seconds elsewhere, each with images/s and the time left.
class Progress {
public:
  explicit Progress(int64_t total);
  /// `done` images of the total are finished.
  void update(int64_t done);
  /// Clears the bar.
  void finish();
  double seconds() const;

private:
  int64_t total;
  bool isTerminal;
  double begin, lastReport;
};

} // namespace vit::tools

#endif // VIT_TOOLS_PROGRESS_H
