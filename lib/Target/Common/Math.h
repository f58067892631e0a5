//===- Math.h - Functions as multiplications and additions ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Expansions of functions that need no math library and are the same on all
// targets. Operands are f32 or vectors of f32 unless stated otherwise.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_MATH_H
#define VIT_TARGET_COMMON_MATH_H

#include "CodeBuilder.h"

namespace mlir::vit {

inline constexpr double kLog2E = 1.44269504088896341;

/// Returns 2^x for x <= 0, and 2^-126 for x < -126. NaN is kept. For softmax.
Value emitExp2OfNegative(CodeBuilder &b, Value x);
Value emitExp(CodeBuilder &b, Value x);
Value emitExp2(CodeBuilder &b, Value x);
Value emitErf(CodeBuilder &b, Value x);
Value emitTanh(CodeBuilder &b, Value x);
/// Expands kernel.gelu_slope.
Value emitGeluSlope(CodeBuilder &b, Value x);
/// Returns ln(x). An f64 x must be at least 1; NaN and infinity give NaN. An
/// f32 x must be positive and normal (relative error 2e-7); NaN is kept.
Value emitLog(CodeBuilder &b, Value x);
/// Expands kernel.bias_correction: 1 - beta^updates for beta in [0, 1) and an
/// unsigned i32 that is at least 1. `type` is f64, or f32 with a relative error
/// of 4e-7.
Value emitBiasCorrection(CodeBuilder &b, Type type, double beta, Value updates);

/// Returns x rounded to the nearest number of bf16, as f32: the low 16 bits are
/// 0. A NaN stays one.
Value emitRoundToBf16(CodeBuilder &b, Value x);

/// Returns the bits of x in f16, as an i32 with zeros above them. Rounds to
/// nearest even, or where the bits of the result are those of a subnormal, as
/// additions of f32 do. A NaN, and what is beyond the range, becomes a NaN, as
/// below.
Value emitF16Bits(CodeBuilder &b, Value x);

/// Returns x, f32, rounded to nearest even in `element`, f16 or bf16. What is
/// beyond the range of f16 becomes a NaN, not an infinity: the latter may be
/// lost in a softmax.
Value emitNarrow(CodeBuilder &b, Type element, Value x);

/// Returns x rounded to nearest even, as i32: what is beyond -127 or 127
/// becomes that, and a NaN -127.
Value emitRoundToInt8(CodeBuilder &b, Value x);

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_MATH_H
