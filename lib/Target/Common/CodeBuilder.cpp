//===- CodeBuilder.cpp - Base of the kernel builders ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CodeBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::vit;

CodeBuilder::CodeBuilder(Location loc, Block &entry)
    : ImplicitLocOpBuilder(loc, loc.getContext()), entry(&entry) {
  setInsertionPointToStart(&entry);
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value CodeBuilder::constant(TypedAttr attribute) {
  Value &value = constants[attribute];
  if (value)
    return value;
  OpBuilder::InsertionGuard guard(*this);
  if (lastConstant)
    setInsertionPointAfter(lastConstant);
  else
    setInsertionPointToStart(entry);
  auto op = arith::ConstantOp::create(*this, attribute);
  lastConstant = op;
  return value = op;
}

static std::optional<int64_t> getConstant(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

Value CodeBuilder::index(int64_t value) {
  return constant(getIndexAttr(value));
}

Value CodeBuilder::add(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x + *y);
  if (x && *x == 0)
    return b;
  if (y && *y == 0)
    return a;
  return arith::AddIOp::create(*this, a, b);
}

Value CodeBuilder::sub(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x - *y);
  if (y && *y == 0)
    return a;
  return arith::SubIOp::create(*this, a, b);
}

Value CodeBuilder::mul(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x * *y);
  if ((x && *x == 0) || (y && *y == 1))
    return a;
  if ((y && *y == 0) || (x && *x == 1))
    return b;
  return arith::MulIOp::create(*this, a, b);
}

Value CodeBuilder::div(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x / *y);
  if (y && *y == 1)
    return a;
  return arith::DivUIOp::create(*this, a, b);
}

Value CodeBuilder::rem(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x % *y);
  if (y && *y == 1)
    return index(0);
  return arith::RemUIOp::create(*this, a, b);
}

Value CodeBuilder::min(Value a, Value b) {
  return arith::MinSIOp::create(*this, a, b);
}
Value CodeBuilder::isLess(Value a, Value b) {
  return compare(arith::CmpIPredicate::slt, a, b);
}
Value CodeBuilder::isEqual(Value a, Value b) {
  return compare(arith::CmpIPredicate::eq, a, b);
}
Value CodeBuilder::isAtLeast(Value a, Value b) {
  return compare(arith::CmpIPredicate::sge, a, b);
}
Value CodeBuilder::toInteger(Value index) {
  return arith::IndexCastOp::create(*this, getI32Type(), index);
}
Value CodeBuilder::both(Value a, Value b) {
  return arith::AndIOp::create(*this, a, b);
}

//===----------------------------------------------------------------------===//
// Scalars and vectors
//===----------------------------------------------------------------------===//

Value CodeBuilder::splat(Type type, double value) {
  if (auto vector = dyn_cast<VectorType>(type))
    return constant(DenseElementsAttr::get(vector, float(value)));
  if (type.isF64())
    return constant(getF64FloatAttr(value));
  return constant(getF32FloatAttr(float(value)));
}

Value CodeBuilder::splatBits(Type type, int32_t value) {
  if (auto vector = dyn_cast<VectorType>(type))
    return constant(DenseElementsAttr::get(
        VectorType::get(vector.getShape(), getI32Type()), value));
  return constant(getI32IntegerAttr(value));
}

Value CodeBuilder::fma(Value a, Value b, Value c) {
  if (isa<VectorType>(a.getType()))
    return vector::FMAOp::create(*this, a, b, c);
  return math::FmaOp::create(*this, a, b, c);
}

Value CodeBuilder::select(Value condition, Value whenTrue, Value whenFalse) {
  return arith::SelectOp::create(*this, condition, whenTrue, whenFalse);
}
// On x86 each of these becomes a single vmaxps or vminps, which return the
// second operand, x, if either operand is NaN.
Value CodeBuilder::atLeast(Value x, Value bound) {
  return select(compare(arith::CmpFPredicate::OLT, x, bound), bound, x);
}
Value CodeBuilder::atMost(Value x, Value bound) {
  return select(compare(arith::CmpFPredicate::OGT, x, bound), bound, x);
}

Value CodeBuilder::combine(Reduction kind, Value a, Value b) {
  switch (kind) {
  case Reduction::Add:
    return addf(a, b);
  case Reduction::Max:
    return atLeast(a, b);
  case Reduction::Min:
    return atMost(a, b);
  }
  llvm_unreachable("a reduction");
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

SmallVector<Value> CodeBuilder::loop(Value from, Value to, int64_t step,
                                     ValueRange init, Body body) {
  return loop(from, to, index(step), init, body);
}

SmallVector<Value> CodeBuilder::loop(Value from, Value to, Value step,
                                     ValueRange init, Body body) {
  auto op = scf::ForOp::create(
      *this, from, to, step, init,
      [&](OpBuilder &, Location, Value i, ValueRange carried) {
        OpBuilder::InsertionGuard guard(*this);
        setInsertionPointToEnd(i.getParentBlock());
        SmallVector<Value> yielded = body(i, carried);
        scf::YieldOp::create(*this, yielded);
      });
  return SmallVector<Value>(op.getResults());
}

void CodeBuilder::loop(Value from, Value to, int64_t step,
                       function_ref<void(Value)> body) {
  loop(from, to, step, {}, [&](Value i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

Value CodeBuilder::fold(Value from, Value to, int64_t step, Value init,
                        function_ref<Value(Value, Value)> body) {
  return loop(from, to, step, init, [&](Value i, ValueRange carried) {
    return SmallVector<Value>{body(i, carried[0])};
  })[0];
}

void CodeBuilder::ifThen(Value condition, function_ref<void()> then,
                         function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(*this, condition, bool(otherwise));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  then();
  if (otherwise) {
    setInsertionPointToStart(op.elseBlock());
    otherwise();
  }
}
