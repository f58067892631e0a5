//===- NarrowVectors.h - Vectors of bf16 on Vulkan --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_NARROWVECTORS_H
#define VIT_TARGET_SIMT_NARROWVECTORS_H

#include "SimtBuilder.h"

namespace mlir::vit::simt {

/// Vulkan: returns a vector<4xf32>, rounded to bf16, as buffers store it:
/// vector<2xi32>, a word for two neighbours, the first in its low half.
Value emitNarrow4(SimtBuilder &b, Value vector);
/// The inverse, which is exact.
Value emitWiden4(SimtBuilder &b, Value words);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_NARROWVECTORS_H
