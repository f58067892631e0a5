//===- Peak.h - Measures the peak of the processor --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PEAK_H
#define VIT_TOOLS_PEAK_H

#include <string>

namespace vit::tools {

/// Multiply-adds in flop/s that `threads` threads reach at once on CPU level
/// `level` with independent chains of its instruction for products in
/// `precision` and no memory access; the best of a few short runs. 0 where
/// level or precision is unknown.
double measurePeakFlops(const std::string &level, const std::string &precision,
                        int threads);

/// Bytes/s, read and written, that `threads` threads reach at once when they
/// copy 64 MiB, which a third-level cache of common size does not hold; the
/// best of a few short runs. 0 where the memory for it is missing.
double measureBandwidth(int threads);

} // namespace vit::tools

#endif // VIT_TOOLS_PEAK_H
