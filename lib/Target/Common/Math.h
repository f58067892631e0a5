//===- Math.h - Functions as multiplications and additions ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Expansions that need no library, the same on all targets; of f32 or vectors
// of it.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_MATH_H
#define VIT_TARGET_COMMON_MATH_H

#include "CodeBuilder.h"

namespace mlir::vit {

/// 2^x for x <= 0 (below -126: 2^-126), a NaN stays. What softmax needs.
Value emitExp2OfNegative(CodeBuilder &b, Value x);
Value emitExp(CodeBuilder &b, Value x);
Value emitExp2(CodeBuilder &b, Value x);
Value emitErf(CodeBuilder &b, Value x);
Value emitTanh(CodeBuilder &b, Value x);
/// Of kernel.gelu_slope.
Value emitGeluSlope(CodeBuilder &b, Value x);
/// ln(x). An f64 must be at least 1; a NaN or infinity gives a NaN. An f32 must
/// be positive and normal (relative error 2e-7); a NaN stays.
Value emitLog(CodeBuilder &b, Value x);
/// Of kernel.bias_correction: 1 - beta^updates, for a beta in [0, 1) and an
/// i32, unsigned, from 1 on. In `type`: f64, or f32 with a relative error of
/// 4e-7.
Value emitBiasCorrection(CodeBuilder &b, Type type, double beta, Value updates);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_MATH_H
