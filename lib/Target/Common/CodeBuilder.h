//===- CodeBuilder.h - Base of the kernel builders --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The base of each target's builder: index arithmetic that folds constants,
// floating-point arithmetic on scalars and vectors of any width, and loops.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_CODEBUILDER_H
#define VIT_TARGET_COMMON_CODEBUILDER_H

#include "vit/Kernel/Layout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::vit {

class CodeBuilder : public ImplicitLocOpBuilder {
public:
  /// Starts building at the start of `entry`. All constants are inserted there.
  CodeBuilder(Location loc, Block &entry);

  // Index arithmetic on non-negative values. Constants are folded.
  Value index(int64_t value);
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return add(a, index(b)); }
  Value sub(Value a, Value b);
  Value mul(Value a, int64_t b) { return mul(a, index(b)); }
  Value mul(Value a, Value b);
  Value div(Value a, int64_t b) { return div(a, index(b)); }
  Value div(Value a, Value b);
  Value rem(Value a, int64_t b) { return rem(a, index(b)); }
  Value rem(Value a, Value b);
  Value min(Value a, Value b);
  Value isLess(Value a, Value b);
  Value isEqual(Value a, Value b);
  Value isAtLeast(Value a, Value b);
  Value toInteger(Value index); ///< i32

  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(*this, predicate, a, b);
  }
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) {
    return arith::CmpFOp::create(*this, predicate, a, b);
  }
  Value both(Value a, Value b); ///< a && b

  // Operations on f32 and vectors of f32. The arithmetic also accepts f64.
  Value constant(TypedAttr attribute);
  /// Returns a constant of type `type`, which is f32, a vector of f32, or f64.
  Value splat(Type type, double value);
  /// Returns an i32 constant, or a vector of i32 with as many lanes as `type`.
  Value splatBits(Type type, int32_t value);
  Value scalar(double value) { return splat(getF32Type(), value); }
  Value addf(Value a, Value b) { return arith::AddFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return arith::SubFOp::create(*this, a, b); }
  Value mulf(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
  Value divf(Value a, Value b) { return arith::DivFOp::create(*this, a, b); }
  Value negf(Value a) { return arith::NegFOp::create(*this, a); }
  /// Returns a * b + c with one rounding.
  Value fma(Value a, Value b, Value c);
  /// `condition` is a single i1 or has one i1 per lane.
  virtual Value select(Value condition, Value whenTrue, Value whenFalse);
  /// Returns x < bound ? bound : x, so a NaN in x is kept. Likewise for atMost.
  Value atLeast(Value x, Value bound);
  Value atMost(Value x, Value bound);
  enum class Reduction { Add, Max, Min };
  /// Max and Min keep a NaN in `a`.
  Value combine(Reduction kind, Value a, Value b);

  // Control flow.
  using Body = function_ref<SmallVector<Value>(Value, ValueRange)>;
  /// Emits for (i = from; i < to; i += step). `body` receives i and the
  /// loop-carried values and returns their next values.
  SmallVector<Value> loop(Value from, Value to, int64_t step, ValueRange init,
                          Body body);
  SmallVector<Value> loop(Value from, Value to, Value step, ValueRange init,
                          Body body);
  SmallVector<Value> loop(int64_t count, ValueRange init, Body body) {
    return loop(index(0), index(count), 1, init, body);
  }
  void loop(Value from, Value to, int64_t step, function_ref<void(Value)> body);
  void loop(Value from, Value to, function_ref<void(Value)> body) {
    loop(from, to, 1, body);
  }
  void loop(int64_t from, int64_t to, function_ref<void(Value)> body) {
    loop(index(from), index(to), body);
  }
  /// The loop with one carried value, whose last one it returns.
  Value fold(Value from, Value to, int64_t step, Value init,
             function_ref<Value(Value i, Value carried)> body);
  Value fold(int64_t count, Value init,
             function_ref<Value(Value i, Value carried)> body) {
    return fold(index(0), index(count), 1, init, body);
  }
  void ifThen(Value condition, function_ref<void()> then,
              function_ref<void()> otherwise = nullptr);

private:
  Block *entry;
  llvm::DenseMap<Attribute, Value> constants;
  Operation *lastConstant = nullptr;
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_CODEBUILDER_H
