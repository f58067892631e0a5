//===- CodeBuilder.h - Short hands for building any target's code ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the builders of all targets share: index arithmetic whose constants
// fold, f32 arithmetic on scalars or vectors of any width, loops.
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
  /// Builds at the start of `entry`; constants gather at its beginning.
  CodeBuilder(Location loc, Block &entry);

  // Index arithmetic, of values not negative; constants fold.
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

  // f32 or vectors of f32; arithmetic of f64, too.
  Value constant(TypedAttr attribute);
  /// `value` as a constant of type `type`: f32, a vector of it, or f64.
  Value splat(Type type, double value);
  /// `value` as an i32 or a vector of as many i32 as `type` has f32.
  Value splatBits(Type type, int32_t value);
  Value scalar(double value) { return splat(getF32Type(), value); }
  Value addf(Value a, Value b) { return arith::AddFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return arith::SubFOp::create(*this, a, b); }
  Value mulf(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
  Value divf(Value a, Value b) { return arith::DivFOp::create(*this, a, b); }
  Value negf(Value a) { return arith::NegFOp::create(*this, a); }
  /// a * b + c, rounded once.
  Value fma(Value a, Value b, Value c);
  /// `condition` is one i1, or one per lane.
  virtual Value select(Value condition, Value whenTrue, Value whenFalse);
  /// x < bound ? bound : x, a NaN of x stays (and so for atMost).
  Value atLeast(Value x, Value bound);
  Value atMost(Value x, Value bound);
  enum class Reduction { Add, Max, Min };
  /// A maximum or minimum keeps a NaN of `a`.
  Value combine(Reduction kind, Value a, Value b);

  // Control.
  using Body = function_ref<SmallVector<Value>(Value, ValueRange)>;
  /// for (i = from; i < to; i += step); `body` gets i and the carried values
  /// and returns their next ones.
  SmallVector<Value> loop(Value from, Value to, int64_t step, ValueRange init,
                          Body body);
  SmallVector<Value> loop(Value from, Value to, Value step, ValueRange init,
                          Body body);
  void loop(Value from, Value to, function_ref<void(Value)> body);
  void loop(int64_t from, int64_t to, function_ref<void(Value)> body) {
    loop(index(from), index(to), body);
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
