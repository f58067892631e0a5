//===- KernelBuilder.cpp - Short hands for building a kernel's body ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::vit::cpu;

int64_t Level::stripVectors(int64_t rows, int64_t vectors,
                            int64_t limit) const {
  // Sums, one row of the right operand, one broadcast element.
  auto fits = [&](int64_t n) {
    return (rows * n + n + 1) * parts <= registers + (parts - 1);
  };
  for (int64_t n = std::min(vectors, limit); n > 1; --n)
    if (vectors % n == 0 && fits(n))
      return n;
  return 1;
}

FailureOr<Level> mlir::vit::cpu::getLevel(StringRef name) {
  if (name == "avx2")
    return Level{16, 2};
  if (name == "avx512")
    return Level{32, 1};
  return failure();
}

KernelBuilder::KernelBuilder(func::FuncOp function, const Level &level)
    : ImplicitLocOpBuilder(function.getLoc(), function.getContext()),
      level(level),
      vectorType(VectorType::get({kLanes}, Float32Type::get(getContext()))),
      function(function) {
  setInsertionPointToStart(&function.getBody().front());
}

//===----------------------------------------------------------------------===//
// The calling convention
//===----------------------------------------------------------------------===//

Value KernelBuilder::argument(unsigned i) { return function.getArgument(i); }
Value KernelBuilder::batch() {
  return argument(function.getNumArguments() - 4);
}
Value KernelBuilder::begin() {
  return argument(function.getNumArguments() - 3);
}
Value KernelBuilder::end() { return argument(function.getNumArguments() - 2); }
Value KernelBuilder::scratch(int64_t byteOffset) {
  Value bytes = argument(function.getNumArguments() - 1);
  auto type = MemRefType::get({ShapedType::kDynamic}, getF32Type());
  // The length is never looked at.
  return memref::ViewOp::create(*this, type, bytes, index(byteOffset),
                                ValueRange{index(1)});
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::constant(TypedAttr attribute) {
  Value &value = constants[attribute];
  if (value)
    return value;
  OpBuilder::InsertionGuard guard(*this);
  if (lastConstant)
    setInsertionPointAfter(lastConstant);
  else
    setInsertionPointToStart(&function.getBody().front());
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

Value KernelBuilder::index(int64_t value) {
  return constant(getIndexAttr(value));
}

Value KernelBuilder::add(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x + *y);
  if (x && *x == 0)
    return b;
  if (y && *y == 0)
    return a;
  return arith::AddIOp::create(*this, a, b);
}

Value KernelBuilder::sub(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x - *y);
  if (y && *y == 0)
    return a;
  return arith::SubIOp::create(*this, a, b);
}

Value KernelBuilder::mul(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x * *y);
  if ((x && *x == 0) || (y && *y == 1))
    return a;
  if ((y && *y == 0) || (x && *x == 1))
    return b;
  return arith::MulIOp::create(*this, a, b);
}
Value KernelBuilder::mul(Value a, int64_t b) { return mul(a, index(b)); }

Value KernelBuilder::div(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x / *y);
  if (y && *y == 1)
    return a;
  return arith::DivUIOp::create(*this, a, b);
}
Value KernelBuilder::div(Value a, int64_t b) { return div(a, index(b)); }

Value KernelBuilder::rem(Value a, Value b) {
  std::optional<int64_t> x = getConstant(a), y = getConstant(b);
  if (x && y)
    return index(*x % *y);
  if (y && *y == 1)
    return index(0);
  return arith::RemUIOp::create(*this, a, b);
}
Value KernelBuilder::rem(Value a, int64_t b) { return rem(a, index(b)); }

Value KernelBuilder::min(Value a, Value b) {
  return arith::MinSIOp::create(*this, a, b);
}
Value KernelBuilder::isLess(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b);
}
Value KernelBuilder::isEqual(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, a, b);
}
Value KernelBuilder::isAtLeast(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::sge, a, b);
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

Value KernelBuilder::splat(double value) {
  return constant(DenseElementsAttr::get(vectorType, float(value)));
}
Value KernelBuilder::splatBits(int32_t value) {
  auto type = VectorType::get({kLanes}, getI32Type());
  return constant(DenseElementsAttr::get(type, value));
}

Value KernelBuilder::load(Value buffer, Value offset) {
  return vector::LoadOp::create(*this, vectorType, buffer, ValueRange{offset});
}
void KernelBuilder::store(Value vector, Value buffer, Value offset) {
  vector::StoreOp::create(*this, vector, buffer, ValueRange{offset});
}

Value KernelBuilder::laneMask(int64_t lanes) {
  SmallVector<bool> mask(kLanes, false);
  std::fill_n(mask.begin(), lanes, true);
  auto type = VectorType::get({kLanes}, getI1Type());
  return constant(DenseElementsAttr::get(type, ArrayRef<bool>(mask)));
}

Value KernelBuilder::loadLanes(Value buffer, Value offset, int64_t lanes) {
  if (lanes == kLanes)
    return load(buffer, offset);
  return vector::MaskedLoadOp::create(
      *this, vectorType, buffer, ValueRange{offset}, laneMask(lanes), splat(0));
}
void KernelBuilder::storeLanes(Value vector, Value buffer, Value offset,
                               int64_t lanes) {
  if (lanes == kLanes)
    return store(vector, buffer, offset);
  vector::MaskedStoreOp::create(*this, buffer, ValueRange{offset},
                                laneMask(lanes), vector);
}

Value KernelBuilder::loadScalar(Value buffer, Value offset) {
  return memref::LoadOp::create(*this, buffer, ValueRange{offset});
}
void KernelBuilder::storeScalar(Value scalar, Value buffer, Value offset) {
  memref::StoreOp::create(*this, scalar, buffer, ValueRange{offset});
}
Value KernelBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(*this, vectorType, scalar);
}
Value KernelBuilder::fma(Value a, Value b, Value c) {
  return vector::FMAOp::create(*this, a, b, c);
}
Value KernelBuilder::shuffle(Value a, Value b, ArrayRef<int64_t> lanes) {
  return vector::ShuffleOp::create(*this, a, b, lanes);
}

Value KernelBuilder::select(Value condition, Value whenTrue, Value whenFalse) {
  return arith::SelectOp::create(*this, condition, whenTrue, whenFalse);
}
// These two become one vmaxps or vminps each, which return their second
// operand, x, where either is a NaN.
Value KernelBuilder::atLeast(Value x, Value bound) {
  Value below =
      arith::CmpFOp::create(*this, arith::CmpFPredicate::OLT, x, bound);
  return select(below, bound, x);
}
Value KernelBuilder::atMost(Value x, Value bound) {
  Value above =
      arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, x, bound);
  return select(above, bound, x);
}

Value KernelBuilder::combine(Reduction kind, Value a, Value b) {
  switch (kind) {
  case Reduction::Add:
    return arith::AddFOp::create(*this, a, b);
  case Reduction::Max:
    return atLeast(a, b);
  case Reduction::Min:
    return atMost(a, b);
  }
  llvm_unreachable("a reduction");
}

Value KernelBuilder::reduce(Reduction kind, Value vector) {
  for (int64_t half = kLanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < half; ++lane) {
      low.push_back(lane);
      high.push_back(half + lane);
    }
    vector = combine(kind, shuffle(vector, vector, low),
                     shuffle(vector, vector, high));
  }
  return vector::ExtractOp::create(*this, vector, ArrayRef<int64_t>{0});
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

SmallVector<Value> KernelBuilder::loop(Value from, Value to, int64_t step,
                                       ValueRange init, Body body) {
  auto op = scf::ForOp::create(
      *this, from, to, index(step), init,
      [&](OpBuilder &, Location, Value i, ValueRange carried) {
        OpBuilder::InsertionGuard guard(*this);
        setInsertionPointToEnd(i.getParentBlock());
        SmallVector<Value> yielded = body(i, carried);
        scf::YieldOp::create(*this, yielded);
      });
  return SmallVector<Value>(op.getResults());
}

void KernelBuilder::loop(Value from, Value to, function_ref<void(Value)> body) {
  loop(from, to, 1, {}, [&](Value i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> then,
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
