//===- Math.cpp - Functions as multiplications and additions --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The coefficients are weighted least-squares (Lawson) fits, which are close to
// the minimax polynomial or quotient. Errors are those of the f32 evaluation,
// relative to a reference in double. All functions keep NaN.
//
//===----------------------------------------------------------------------===//

#include "Math.h"

#include "format/ElementType.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::vit;

using ::vit::format::kBeyondHalf;

/// Returns a constant of the type of `x`.
static Value like(CodeBuilder &b, Value x, double value) {
  return b.splat(x.getType(), value);
}

/// Evaluates the polynomial with `coefficients`, the constant term first.
static Value evaluate(CodeBuilder &b, Value x, ArrayRef<double> coefficients) {
  Value sum = like(b, x, coefficients.back());
  for (double c : llvm::reverse(coefficients.drop_back()))
    sum = b.fma(sum, x, like(b, x, c));
  return sum;
}

/// 2^x on [-1/2, 1/2], relative error 2e-9 before rounding.
static Value emitExp2Fraction(CodeBuilder &b, Value x) {
  return evaluate(b, x,
                  {1.0, 0.6931471824645996, 0.24022646248340607,
                   0.05550328642129898, 0.009618489071726799,
                   0.0013399930903688073, 0.00015345809515565634});
}

static Value toInteger(CodeBuilder &b, Value x) {
  Type type = b.getI32Type();
  if (auto vector = dyn_cast<VectorType>(x.getType()))
    type = VectorType::get(vector.getShape(), type);
  return arith::FPToSIOp::create(b, type, x);
}

/// 2^n as a float of type `type`, for integers n in [-126, 127].
static Value powerOfTwo(CodeBuilder &b, Type type, Value n) {
  Value biased = arith::AddIOp::create(b, n, b.splatBits(type, 127));
  Value bits = arith::ShLIOp::create(b, biased, b.splatBits(type, 23));
  return arith::BitcastOp::create(b, type, bits);
}

/// Returns `x`, or `bound` if x is less than it or NaN. The result can be
/// converted to an integer.
static Value numberAtLeast(CodeBuilder &b, Value x, Value bound) {
  return b.select(b.compare(arith::CmpFPredicate::OGT, x, bound), x, bound);
}

Value mlir::vit::emitExp2OfNegative(CodeBuilder &b, Value x) {
  Value bound = like(b, x, -126);
  Value whole = math::RoundEvenOp::create(b, numberAtLeast(b, x, bound));
  Value fraction = b.subf(b.atLeast(x, bound), whole);
  return b.mulf(emitExp2Fraction(b, fraction),
                powerOfTwo(b, x.getType(), toInteger(b, whole)));
}

/// Returns 2^(whole + fraction) for whole in [-152, 130]. Multiplies by two
/// factors, so that overflow to infinity and underflow to zero happen by
/// themselves.
static Value scaleByPower(CodeBuilder &b, Value whole, Value fraction) {
  Value n = toInteger(b, whole);
  Value half = arith::ShRSIOp::create(b, n, b.splatBits(whole.getType(), 1));
  Value rest = arith::SubIOp::create(b, n, half);
  Value value = b.mulf(emitExp2Fraction(b, fraction),
                       powerOfTwo(b, whole.getType(), half));
  return b.mulf(value, powerOfTwo(b, whole.getType(), rest));
}

Value mlir::vit::emitExp2(CodeBuilder &b, Value x) {
  Value low = like(b, x, -152), high = like(b, x, 130);
  Value whole =
      math::RoundEvenOp::create(b, b.atMost(numberAtLeast(b, x, low), high));
  Value bounded = b.atMost(b.atLeast(x, low), high);
  return scaleByPower(b, whole, b.subf(bounded, whole));
}

Value mlir::vit::emitExp(CodeBuilder &b, Value x) {
  Value low = like(b, x, -105), high = like(b, x, 90);
  Value log2e = like(b, x, kLog2E);
  Value number = b.atMost(numberAtLeast(b, x, low), high);
  Value bounded = b.atMost(b.atLeast(x, low), high);
  Value whole = math::RoundEvenOp::create(b, b.mulf(number, log2e));
  // Rounding errors in the product are amplified by the exponential, so also
  // add the part of log2(e) that f32 does not represent.
  double remainder = kLog2E - double(float(kLog2E));
  Value fraction = b.fma(bounded, log2e, b.negf(whole));
  fraction = b.fma(bounded, like(b, x, remainder), fraction);
  return scaleByPower(b, whole, fraction);
}

/// x P(x^2) / Q(x^2) for an odd function that is +-1 beyond +-bound.
static Value emitOdd(CodeBuilder &b, Value x, double bound,
                     ArrayRef<double> numerator, ArrayRef<double> denominator) {
  x = b.atMost(b.atLeast(x, like(b, x, -bound)), like(b, x, bound));
  Value square = b.mulf(x, x);
  Value above = b.mulf(evaluate(b, square, numerator), x);
  return b.divf(above, evaluate(b, square, denominator));
}

/// Returns x clamped to +-bound, and P(s) for s = 2 (x / bound)^2 - 1, where x
/// P(s) is the odd function to compute. In this variable the terms do not
/// cancel near the middle of the interval, and no division is needed.
static std::pair<Value, Value> emitQuotient(CodeBuilder &b, Value x,
                                            double bound,
                                            ArrayRef<double> coefficients) {
  x = b.atMost(b.atLeast(x, like(b, x, -bound)), like(b, x, bound));
  Value s =
      b.fma(b.mulf(x, like(b, x, 2 / (bound * bound))), x, like(b, x, -1));
  return {x, evaluate(b, s, coefficients)};
}

/// Absolute error 1.8e-7 (in GELU, 1.4e-7 relative to max(1, |x|)). Beyond
/// +-3.75 the result rounds to +-1 in f32.
Value mlir::vit::emitErf(CodeBuilder &b, Value x) {
  auto [bounded, quotient] = emitQuotient(
      b, x, 3.75,
      {0.37705692648887634, -0.18803009390830994, 0.13926899433135986,
       -0.11193820089101791, 0.09073632210493088, -0.07162351906299591,
       0.05364144220948219, -0.03727582469582558, 0.02490226924419403,
       -0.016800841316580772, 0.009168927557766438, -0.00294799474067986,
       0.001864659134298563, -0.0022397562861442566, 0.0008833336178213358});
  return b.mulf(quotient, bounded);
}

/// Absolute error 2.6e-7.
Value mlir::vit::emitTanh(CodeBuilder &b, Value x) {
  return emitOdd(b, x, 7.9,
                 {1.0, 0.1345064342021942, 0.0035790198016911745,
                  2.2023699784767814e-05, 1.5428600619316057e-08},
                 {1.0, 0.46783971786499023, 0.02619234286248684,
                  0.0003423695743549615, 8.599037073508953e-07});
}

/// Absolute error 2.4e-7. The slope is 1/2 plus an odd function. Beyond +-5.8
/// it rounds to 0 or 1 in f32.
Value mlir::vit::emitGeluSlope(CodeBuilder &b, Value x) {
  auto [bounded, quotient] = emitQuotient(
      b, x, 5.8,
      {0.12199877491080749, -0.0616574710734832, 0.04863595463675788,
       -0.046197036926537594, 0.050160495580124254, -0.05771541754097004,
       0.0650875980625259, -0.0696792380025768, 0.06976230455082648,
       -0.06029718858650321, 0.043732527584199085, -0.036571354309114235,
       0.03496823009561053, -0.017852397437414753, 0.00036495397877353,
       -0.0029430386889747386, 0.007334801079102569, -0.0029255871684796676});
  return b.fma(quotient, bounded, like(b, x, 0.5));
}

/// Returns beta^exponent in f64, by squaring. `exponent` is an unsigned i32.
static Value emitPower(CodeBuilder &b, double beta, Value exponent) {
  Value one = b.splatBits(b.getI32Type(), 1);
  Type f64 = b.getF64Type();
  SmallVector<Value> init = {b.splat(f64, 1), b.splat(f64, beta), exponent};
  return b.loop(32, init, [&](Value, ValueRange carried) {
    Value isOdd = arith::TruncIOp::create(b, b.getI1Type(), carried[2]);
    Value product = b.mulf(carried[0], carried[1]);
    return SmallVector<Value>{b.select(isOdd, product, carried[0]),
                              b.mulf(carried[1], carried[1]),
                              arith::ShRUIOp::create(b, carried[2], one)};
  })[0];
}

Value mlir::vit::emitBiasCorrection(CodeBuilder &b, Type type, double beta,
                                    Value updates) {
  if (type.isF64())
    return b.subf(b.splat(type, 1), emitPower(b, beta, updates));
  if (beta == 0)
    return b.scalar(1);
  // In f32, subtracting beta^updates from 1 would lose most digits. Compute
  // updates * ln(beta) as the sum of two numbers, and exp - 1 as a series if it
  // is small.
  Value count = arith::UIToFPOp::create(b, type, updates);
  double log = std::log(beta);
  auto high = float(log);
  Value x = b.mulf(count, b.scalar(high));
  Value rest = b.fma(count, b.scalar(high), b.negf(x));
  rest = b.fma(count, b.scalar(log - high), rest);
  // exp(x) - 1 = x (1 + x / 2 + x^2 / 6 + ...). `rest` is so small that a
  // first-order term is enough: exp(x + rest) = (1 + rest) exp(x).
  Value sum = b.scalar(1.0 / 362880);
  for (double factorial : {40320.0, 5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0})
    sum = b.fma(sum, x, b.scalar(1 / factorial));
  Value small = b.mulf(sum, x);
  small = b.addf(small, b.fma(small, rest, rest));
  Value power = emitExp(b, x);
  Value large = b.subf(b.fma(power, rest, power), b.scalar(1));
  Value isSmall = b.compare(arith::CmpFPredicate::OGT, x, b.scalar(-0.7));
  return b.negf(b.select(isSmall, small, large));
}

/// Returns ln(x) for an f64 x >= 1. With x = m 2^e, m in [sqrt(1/2), sqrt(2)),
/// and s = (m - 1) / (m + 1), ln(m) is 2 (s + s^3/3 + ...). NaN and infinity
/// give NaN.
static Value emitLogF64(CodeBuilder &b, Value x) {
  Type integer = b.getI64Type(), number = b.getF64Type();
  auto bits = [&](uint64_t value) {
    return b.constant(b.getIntegerAttr(integer, int64_t(value)));
  };
  Value pattern = arith::BitcastOp::create(b, integer, x);
  // Shift the point where the exponent changes from 2 to sqrt(2).
  Value shifted = arith::AddIOp::create(
      b, pattern, bits(0x3ff0000000000000 - 0x3fe6a09e667f3bcd));
  Value exponent = arith::SubIOp::create(
      b, arith::ShRUIOp::create(b, shifted, bits(52)), bits(1023));
  Value m = arith::BitcastOp::create(
      b, number,
      arith::SubIOp::create(b, pattern,
                            arith::ShLIOp::create(b, exponent, bits(52))));
  Value one = b.splat(number, 1);
  Value s = b.divf(b.subf(m, one), b.addf(m, one));
  Value square = b.mulf(s, s);
  Value sum = b.splat(number, 1.0 / 19);
  for (int odd = 17; odd >= 1; odd -= 2)
    sum = b.addf(b.mulf(sum, square), b.splat(number, 1.0 / odd));
  Value log = b.mulf(b.mulf(sum, s), b.splat(number, 2));
  Value whole = b.mulf(arith::SIToFPOp::create(b, number, exponent),
                       b.splat(number, 0.69314718055994530942));
  Value result = b.addf(log, whole);
  Value isFinite =
      b.compare(arith::CmpFPredicate::OLT, x,
                b.splat(number, std::numeric_limits<double>::infinity()));
  return b.select(isFinite, result,
                  b.splat(number, std::numeric_limits<double>::quiet_NaN()));
}

/// Returns ln(x) for a positive normal f32, relative error 2e-7. With x = 2^n
/// m, m in [sqrt(1/2), sqrt(2)), and s = (m - 1) / (m + 1), it is n ln(2) + 2
/// artanh(s). NaN is kept.
static Value emitLogF32(CodeBuilder &b, Value x) {
  Type integer = b.getI32Type();
  auto constant = [&](int32_t value) {
    return b.constant(b.getI32IntegerAttr(value));
  };
  Value bits = arith::BitcastOp::create(b, integer, x);
  // Relative to sqrt(1/2), the exponent bits count whole powers of two.
  Value above = arith::SubIOp::create(b, bits, constant(0x3f3504f3));
  Value power = arith::ShRSIOp::create(b, above, constant(23));
  Value scaled = arith::SubIOp::create(
      b, bits, arith::ShLIOp::create(b, power, constant(23)));
  Value m = arith::BitcastOp::create(b, b.getF32Type(), scaled);
  Value n = arith::SIToFPOp::create(b, b.getF32Type(), power);
  Value s = b.divf(b.subf(m, b.scalar(1)), b.addf(m, b.scalar(1)));
  Value square = b.mulf(s, s), sum = b.scalar(2.0 / 11);
  for (double odd : {9.0, 7.0, 5.0, 3.0})
    sum = b.fma(sum, square, b.scalar(2 / odd));
  Value log = b.fma(b.mulf(sum, square), s, b.mulf(s, b.scalar(2)));
  log = b.fma(n, b.scalar(0.693147180559945309), log);
  return b.select(b.compare(arith::CmpFPredicate::ORD, x, x), log, x);
}

Value mlir::vit::emitLog(CodeBuilder &b, Value x) {
  return x.getType().isF64() ? emitLogF64(b, x) : emitLogF32(b, x);
}

/// The bits of an f32, or of a vector of them, as i32.
static Value bitsOf(CodeBuilder &b, Value x) {
  Type words = b.getI32Type();
  if (auto vector = dyn_cast<VectorType>(x.getType()))
    words = vector.clone(words);
  return arith::BitcastOp::create(b, words, x);
}

Value mlir::vit::emitRoundToBf16(CodeBuilder &b, Value x) {
  Type type = x.getType();
  auto all = [&](uint32_t bits) { return b.splatBits(type, int32_t(bits)); };
  Value bits = bitsOf(b, x);
  // Adds half of the last bit that is kept, less one if that is even.
  Value high = arith::ShRUIOp::create(b, bits, all(16));
  Value odd = arith::AndIOp::create(b, high, all(1));
  Value half = arith::AddIOp::create(b, odd, all(0x7fff));
  Value rounded = arith::AddIOp::create(b, bits, half);
  // A comparison of f32 with itself may be assumed to hold on Vulkan.
  Value magnitude = arith::AndIOp::create(b, bits, all(0x7fffffff));
  Value isNan =
      b.compare(arith::CmpIPredicate::ugt, magnitude, all(0x7f800000));
  Value quiet = arith::OrIOp::create(b, bits, all(0x00400000));
  Value kept = b.select(isNan, quiet, rounded);
  return arith::BitcastOp::create(
      b, type, arith::AndIOp::create(b, kept, all(0xffff0000)));
}

Value mlir::vit::emitF16Bits(CodeBuilder &b, Value x) {
  Type type = x.getType();
  auto all = [&](uint32_t bits) { return b.splatBits(type, int32_t(bits)); };
  constexpr int shift = 23 - 10;            // fraction bits of f32 less of f16
  constexpr uint32_t bias = 127 - 15 << 23; // of exponents
  Value bits = bitsOf(b, x);
  Value magnitude = arith::AndIOp::create(b, bits, all(0x7fffffff));
  // Adds half of the last bit that is kept, less one if that is even.
  Value odd = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, magnitude, all(shift)), all(1));
  Value half = arith::AddIOp::create(b, odd, all((1u << shift - 1) - 1 - bias));
  Value normal = arith::ShRUIOp::create(
      b, arith::AddIOp::create(b, magnitude, half), all(shift));
  // Subnormal halves are the multiples of 2^-24, as are the f32 from 1/2 to 1.
  Value sum =
      b.addf(arith::BitcastOp::create(b, type, magnitude), b.splat(type, 0.5));
  Value subnormal = arith::SubIOp::create(b, bitsOf(b, sum),
                                          all(llvm::bit_cast<uint32_t>(0.5f)));
  auto isLess = [&](float bound) {
    return b.compare(arith::CmpIPredicate::ult, magnitude,
                     all(llvm::bit_cast<uint32_t>(bound)));
  };
  Value kept = b.select(isLess(0x1p-14f), subnormal, normal);
  kept = b.select(isLess(kBeyondHalf), kept, all(0x7e00));
  Value sign = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, bits, all(16)), all(0x8000));
  return arith::OrIOp::create(b, kept, sign);
}

Value mlir::vit::emitNarrow(CodeBuilder &b, Type element, Value x) {
  Type type = x.getType(), narrow = element;
  if (auto vector = dyn_cast<VectorType>(type))
    narrow = vector.clone(narrow);
  if (element.isF16()) {
    Value inRange =
        b.compare(arith::CmpFPredicate::OLT, math::AbsFOp::create(b, x),
                  b.splat(type, kBeyondHalf));
    x = b.select(inRange, x,
                 b.splat(type, std::numeric_limits<double>::quiet_NaN()));
  }
  return arith::TruncFOp::create(b, narrow, x);
}

Value mlir::vit::emitRoundToInt8(CodeBuilder &b, Value x) {
  Type type = x.getType(), integer = b.getI32Type();
  if (auto vector = dyn_cast<VectorType>(type))
    integer = vector.clone(integer);
  Value least = b.splat(type, -127), most = b.splat(type, 127);
  // Neither holds for a NaN.
  x = b.select(b.compare(arith::CmpFPredicate::OGT, x, least), x, least);
  x = b.select(b.compare(arith::CmpFPredicate::OLT, x, most), x, most);
  return arith::FPToSIOp::create(b, integer, math::RoundEvenOp::create(b, x));
}
