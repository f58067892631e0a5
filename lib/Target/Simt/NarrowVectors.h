//===- NarrowVectors.h - Vectors of 16 bits on Vulkan ------------*- C++
//-*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_NARROWVECTORS_H
#define VIT_TARGET_SIMT_NARROWVECTORS_H

#include "SimtBuilder.h"

namespace mlir::vit::simt {

/// Vulkan: returns a vector<4xf32>, rounded to `element`, f16 or bf16, as
/// buffers store it: vector<2xi32>, a word for two neighbours, the first in its
/// low half.
Value emitNarrow4(SimtBuilder &b, Type element, Value vector);
/// The inverse. It is exact, but that a device may replace subnormals of f16 by
/// zero.
Value emitWiden4(SimtBuilder &b, Type element, Value words);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_NARROWVECTORS_H
