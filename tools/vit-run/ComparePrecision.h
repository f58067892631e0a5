//===- ComparePrecision.h - A precision beside f32 --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_COMPAREPRECISION_H
#define VIT_TOOLS_COMPAREPRECISION_H

#include "Options.h"

namespace vit::tools {

struct PrecisionOptions : CommonOptions, DataOptions {
  int64_t images = 0;    ///< Evenly spread over the data; 0: all.
  std::string svg;       ///< File for a picture; empty: none.
  bool isolated = false; ///< Also each product alone in `precision`.
  bool json = false;
};

/// Runs a model in f32 and in `precision` on the pictures of a data set and
/// prints how close the results of its products and its outputs are.
void comparePrecision(const PrecisionOptions &options);

} // namespace vit::tools

#endif // VIT_TOOLS_COMPAREPRECISION_H
