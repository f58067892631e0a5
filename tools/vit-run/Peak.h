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

/// f32 multiply-adds in flop/s that `threads` threads reach at once on CPU
/// level `level` with twelve independent chains of vfmadd231ps and no memory
/// access; the best of a few short runs. 0 where the level is unknown.
double measurePeakFlops(const std::string &level, int threads);

} // namespace vit::tools

#endif // VIT_TOOLS_PEAK_H
