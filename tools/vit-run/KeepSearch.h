//===- KeepSearch.h - Products that stay wide for accuracy ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_KEEPSEARCH_H
#define VIT_TOOLS_KEEPSEARCH_H

#include "PrecisionTrials.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

/// What a model in a narrow precision must hold on data.
struct AccuracyBound {
  /// Top-1 accuracy in f32 minus that of the module, in percentage points.
  std::optional<double> maxDrop;
  /// Mean over the pictures of the cosine of the default output with that in
  /// f32.
  std::optional<double> minCosine;

  bool isGiven() const { return maxDrop || minCosine; }
  bool holds(const Trial &exact, const Trial &trial) const;
};

/// Finds products of a model to keep in wider precisions so that `bound` holds
/// on the data of `trials`, and prints what it tries and finds. Returns them as
/// NAME=PRECISION; none if all can be in `precision`, not f32 or tf32.
/// Throws if the bound cannot be measured with the data.
///
/// The products are ranked by the noise of the model's output where one of them
/// alone is narrow; the worst are kept, in the next wider precision if that is
/// enough for all of them, else in the one after it. Their number is the least
/// that bisection finds.
std::vector<std::string> searchKept(PrecisionTrials &trials,
                                    const std::string &precision,
                                    const AccuracyBound &bound);

/// The least n of 1..`count` with `holds(n)`, if it holds for all larger
/// numbers; else some n that holds where n - 1 does not. `holds(count)` is
/// taken for granted. Doubles n, then bisects.
size_t findLeast(size_t count, const std::function<bool(size_t)> &holds);

} // namespace vit::tools

#endif // VIT_TOOLS_KEEPSEARCH_H
