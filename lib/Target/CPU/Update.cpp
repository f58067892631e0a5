//===- Update.cpp - Optimizer steps over ranges of arenas -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A work unit is a run of elements: of the gradient and, at the same place, of
// the parameters and each state. All is read once and written once, so memory
// is the bound, and what counts is to ask for it early.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "vit/Kernel/Variables.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

/// Elements of a work unit.
static constexpr int64_t kRun = 8192;
/// How far ahead of the work memory is asked for, in elements.
static constexpr int64_t kAhead = 512;

namespace {
struct Update {
  kernel::UpdateOp op;
  KernelBuilder &b;
  int64_t elements;
  Value gradient, guard, factor, rate, step; ///< arguments, or null
  SmallVector<Value> variables;              ///< parameters, then states

  // Computed once per call, in all lanes.
  Value times;    ///< the factor
  Value stepSize; ///< sgd: the rate; adam: rate / (1 - beta1^t)
  Value rootSize; ///< adam: 1 / sqrt(1 - beta2^t)
  Value keep;     ///< adamw: 1 - rate decay

  bool isAdam() {
    return op.getKind() == kernel::UpdateKind::adam ||
           op.getKind() == kernel::UpdateKind::adamw;
  }
  Value load(Value buffer) { return b.loadScalar(buffer, b.index(0)); }
  Value toDouble(Value x) {
    return arith::ExtFOp::create(b, b.getF64Type(), x);
  }
  Value number(double value) { return b.constant(b.getF64FloatAttr(value)); }
  Value inAllLanes(Value x) {
    return b.broadcast(arith::TruncFOp::create(b, b.getF32Type(), x));
  }
  Value splat(const APFloat &value) { return b.splat(value.convertToDouble()); }
  Value power(double beta, Value count);
  void prepare();
  void prefetch(Value at);
  void updateVector(Value at);
  void emit();
};
} // namespace

/// beta^count, count an unsigned i32, by squaring in f64: 1 - beta^t loses all
/// its digits in f32.
Value Update::power(double beta, Value count) {
  auto bit = [&](int64_t value) {
    return b.constant(b.getI32IntegerAttr(int32_t(value)));
  };
  SmallVector<Value> init = {number(1), number(beta), count};
  return b.loop(
      b.index(0), b.index(32), 1, init, [&](Value, ValueRange carried) {
        Value isOdd = arith::TruncIOp::create(b, b.getI1Type(), carried[2]);
        Value product = b.mulf(carried[0], carried[1]);
        return SmallVector<Value>{
            b.select(isOdd, product, carried[0]),
            b.mulf(carried[1], carried[1]),
            arith::ShRUIOp::create(b, carried[2], bit(1))};
      })[0];
}

void Update::prepare() {
  if (factor)
    times = b.broadcast(load(factor));
  if (!rate)
    return;
  Value wide = toDouble(load(rate));
  stepSize = inAllLanes(wide);
  if (!isAdam())
    return;
  keep = inAllLanes(
      b.subf(number(1), b.mulf(wide, number(op.getDecay().convertToDouble()))));
  // How many updates there are with this one.
  Value every = b.constant(b.getI32IntegerAttr(int32_t(op.getEvery())));
  Value count =
      arith::AddIOp::create(b, arith::DivUIOp::create(b, load(step), every),
                            b.constant(b.getI32IntegerAttr(1)));
  Value first =
      b.subf(number(1), power(op.getBeta1().convertToDouble(), count));
  Value second =
      b.subf(number(1), power(op.getBeta2().convertToDouble(), count));
  stepSize = inAllLanes(b.divf(wide, first));
  rootSize = inAllLanes(b.divf(number(1), math::SqrtOp::create(b, second)));
}

void Update::prefetch(Value at) {
  auto ask = [&](Value buffer, bool isWrite) {
    memref::PrefetchOp::create(b, buffer, ValueRange{b.add(at, kAhead)},
                               isWrite, /*localityHint=*/3,
                               /*isDataCache=*/true);
  };
  if (gradient)
    ask(gradient, false);
  for (Value variable : variables)
    ask(variable, true);
}

void Update::updateVector(Value at) {
  Value g = gradient ? b.load(gradient, at) : b.splat(0);
  if (op.getKind() == kernel::UpdateKind::assign ||
      op.getKind() == kernel::UpdateKind::zero)
    return b.store(g, variables[0], at);
  if (times)
    g = b.mulf(g, times);
  Value w = b.load(variables[0], at);
  bool hasDecay = !op.getDecay().isZero();
  if (hasDecay && op.getKind() != kernel::UpdateKind::adamw)
    g = b.fma(splat(op.getDecay()), w, g);
  if (!isAdam()) {
    if (variables.size() > 1) {
      Value momentum = splat(op.getMomentum());
      Value buffer = b.fma(momentum, b.load(variables[1], at), g);
      b.store(buffer, variables[1], at);
      g = op.getNesterov() ? b.fma(momentum, buffer, g) : buffer;
    }
    b.store(b.subf(w, b.mulf(stepSize, g)), variables[0], at);
    return;
  }
  double beta1 = op.getBeta1().convertToDouble();
  double beta2 = op.getBeta2().convertToDouble();
  Value m = b.fma(b.splat(beta1), b.load(variables[1], at),
                  b.mulf(b.splat(1 - beta1), g));
  Value v = b.fma(b.splat(beta2), b.load(variables[2], at),
                  b.mulf(b.mulf(b.splat(1 - beta2), g), g));
  b.store(m, variables[1], at);
  b.store(v, variables[2], at);
  Value divisor =
      b.fma(math::SqrtOp::create(b, v), rootSize, splat(op.getEpsilon()));
  if (hasDecay && op.getKind() == kernel::UpdateKind::adamw)
    w = b.mulf(w, keep);
  b.store(b.subf(w, b.divf(b.mulf(stepSize, m), divisor)), variables[0], at);
}

void Update::emit() {
  prepare();
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value first = b.mul(unit, kRun);
    Value last = b.min(b.add(first, kRun), b.index(elements));
    // Two vectors at a time, then perhaps one.
    Value pairs =
        b.add(first, b.mul(b.div(b.sub(last, first), 2 * kLanes), 2 * kLanes));
    b.loop(first, pairs, 2 * kLanes, {}, [&](Value at, ValueRange) {
      Value next = b.add(at, kLanes);
      prefetch(at);
      prefetch(next);
      updateVector(at);
      updateVector(next);
      return SmallVector<Value>();
    });
    b.ifThen(b.isLess(pairs, last), [&] { updateVector(pairs); });
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emitUpdate(kernel::UpdateOp op,
                                                 KernelBuilder &b) {
  Update update{op, b};
  update.elements = kernel::getUpdatedElements(op);
  if (op.getGradient()) {
    RankedTensorType type = op.getGradient().getType();
    if (failed(verifyFlat(op, type)))
      return failure();
    if (kernel::padTo(type.getNumElements(), kLanes) != update.elements)
      return op.emitOpError("has a gradient ")
             << type << " for variables that take " << update.elements
             << " elements";
  }
  unsigned next = 0;
  auto take = [&](Value operand) {
    return operand ? b.argument(next++) : Value();
  };
  update.gradient = take(op.getGradient());
  update.guard = take(op.getGuard());
  update.factor = take(op.getFactor());
  update.rate = take(op.getLearningRate());
  update.step = take(op.getStep());
  int64_t states = op.getStates() ? op.getStates()->size() : 0;
  for (int64_t i = 0; i <= states; ++i)
    update.variables.push_back(b.argument(next++));

  if (update.guard) {
    Value size = math::AbsFOp::create(b, update.load(update.guard));
    Value isFinite = arith::CmpFOp::create(
        b, arith::CmpFPredicate::OLT, size,
        b.scalar(std::numeric_limits<double>::infinity()));
    b.ifThen(isFinite, [&] { update.emit(); });
  } else {
    update.emit();
  }
  KernelInfo info;
  info.units = kernel::ExtentAttr::get(op.getContext(),
                                       llvm::divideCeil(update.elements, kRun),
                                       1, kernel::kNoBatch);
  info.flop = kernel::ExtentAttr::get(op.getContext(), 0, 1, 1);
  return info;
}
