//===- Update.cpp - Optimizer steps over arenas on a GPU ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One range of each arena, vector by vector; and the factor that clips
// gradients, which one workgroup makes of the sum of all squares.
//
//===----------------------------------------------------------------------===//

#include "../Common/Math.h"
#include "Emitters.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = SimtBuilder::Reduction;

//===----------------------------------------------------------------------===//
// Norm
//===----------------------------------------------------------------------===//

FailureOr<KernelInfo> mlir::vit::simt::emitNorm(kernel::NormOp op,
                                                SimtBuilder &b) {
  b.useScalars();
  Value total = b.splat(0);
  for (auto [i, gradient] : llvm::enumerate(op.getGradients())) {
    FailureOr<Activation> shape = Activation::getFlat(op, gradient.getType());
    if (failed(shape))
      return failure();
    Value squares = sumVectors(b, i, b.index(shape->vectors),
                               [&](Value g) { return b.mulf(g, g); });
    total = b.addf(total, squares);
  }
  Value sum =
      b.reduceWorkgroup(Reduction::Add, b.reduce(Reduction::Add, total));
  b.ifThen(b.isEqual(b.thread(), b.index(0)), [&] {
    Value norm = math::SqrtOp::create(b, sum);
    Value factor = b.divf(b.scalar(op.getMaxNorm().convertToDouble()),
                          b.addf(norm, b.scalar(1e-6)));
    b.store(b.atMost(factor, b.scalar(1)), op->getNumOperands(), b.index(0));
  });
  return KernelInfo{withoutBatch(op.getContext(), 1), noFlop(op.getContext())};
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

namespace {
struct Update {
  kernel::UpdateOp op;
  SimtBuilder &b;
  int64_t vectors;
  // Arguments; -1: none. The states' follow the parameters'.
  int gradient = -1, guard = -1, factor = -1, rate = -1, step = -1,
      parameters = -1;

  // Made once per thread, in all lanes.
  Value times = {};    ///< the factor
  Value stepSize = {}; ///< sgd: the rate; adam: rate / (1 - beta1^t)
  Value rootSize = {}; ///< adam: 1 / sqrt(1 - beta2^t)
  Value keep = {};     ///< adamw: 1 - rate decay

  bool isAdam() {
    return op.getKind() == kernel::UpdateKind::adam ||
           op.getKind() == kernel::UpdateKind::adamw;
  }
  Value splat(const APFloat &value) { return b.splat(value.convertToDouble()); }
  Value loadScalar(int argument) { return b.load(argument, b.index(0)); }
  Value complement(double beta, Value count);
  void prepare();
  void updateVector(Value at);
  void emit();
};
} // namespace

/// 1 - beta^count, relative error 4e-7, for a beta in [0, 1) and a count (f32)
/// from 1 on. With f32 alone beta^count would leave it few digits, so
/// count ln(beta) comes as two numbers and exp minus 1 as a series where it is
/// small.
Value Update::complement(double beta, Value count) {
  if (beta == 0)
    return b.scalar(1);
  double log = std::log(beta);
  auto high = float(log);
  Value x = b.mulf(count, b.scalar(high));
  Value rest = b.fma(count, b.scalar(high), arith::NegFOp::create(b, x));
  rest = b.fma(count, b.scalar(log - high), rest);
  // x (1 + x / 2 + x^2 / 6 + ...); the rest is too small for more than its
  // first order, (1 + rest) exp(x).
  Value sum = b.scalar(1.0 / 362880);
  for (double factorial : {40320.0, 5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0})
    sum = b.fma(sum, x, b.scalar(1 / factorial));
  Value small = b.mulf(sum, x);
  small = b.addf(small, b.fma(small, rest, rest));
  Value power = emitExp(b, x);
  Value large = b.subf(b.fma(power, rest, power), b.scalar(1));
  Value isSmall =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, b.scalar(-0.7));
  return arith::NegFOp::create(b, b.select(isSmall, small, large));
}

void Update::prepare() {
  if (factor >= 0)
    times = b.broadcast(loadScalar(factor));
  if (rate < 0)
    return;
  Value learningRate = loadScalar(rate);
  stepSize = b.broadcast(learningRate);
  if (!isAdam())
    return;
  Value decay = b.scalar(-op.getDecay().convertToDouble());
  keep = b.broadcast(b.fma(learningRate, decay, b.scalar(1)));
  // How many updates there are with this one.
  auto integer = [&](int64_t value) {
    return b.constant(b.getI32IntegerAttr(int32_t(value)));
  };
  Value steps = b.loadInteger(step, b.index(0));
  Value count = arith::AddIOp::create(
      b, arith::DivUIOp::create(b, steps, integer(op.getEvery())), integer(1));
  count = arith::UIToFPOp::create(b, b.getF32Type(), count);
  Value first = complement(op.getBeta1().convertToDouble(), count);
  Value second = complement(op.getBeta2().convertToDouble(), count);
  stepSize = b.broadcast(b.divf(learningRate, first));
  Value root = math::SqrtOp::create(b, second);
  rootSize = b.broadcast(b.divf(b.scalar(1), root));
}

void Update::updateVector(Value at) {
  Value g = gradient >= 0 ? b.load4(gradient, at) : b.splat(0);
  if (op.getKind() == kernel::UpdateKind::assign ||
      op.getKind() == kernel::UpdateKind::zero)
    return b.store4(g, parameters, at);
  if (times)
    g = b.mulf(g, times);
  Value w = b.load4(parameters, at);
  bool hasDecay = !op.getDecay().isZero();
  if (hasDecay && op.getKind() != kernel::UpdateKind::adamw)
    g = b.fma(splat(op.getDecay()), w, g);
  if (!isAdam()) {
    if (op.getStates() && !op.getStates()->empty()) {
      Value momentum = splat(op.getMomentum());
      Value buffer = b.fma(momentum, b.load4(parameters + 1, at), g);
      b.store4(buffer, parameters + 1, at);
      g = op.getNesterov() ? b.fma(momentum, buffer, g) : buffer;
    }
    return b.store4(b.subf(w, b.mulf(stepSize, g)), parameters, at);
  }
  double beta1 = op.getBeta1().convertToDouble();
  double beta2 = op.getBeta2().convertToDouble();
  Value m = b.fma(b.splat(beta1), b.load4(parameters + 1, at),
                  b.mulf(b.splat(1 - beta1), g));
  Value v = b.fma(b.splat(beta2), b.load4(parameters + 2, at),
                  b.mulf(b.mulf(b.splat(1 - beta2), g), g));
  b.store4(m, parameters + 1, at);
  b.store4(v, parameters + 2, at);
  Value divisor =
      b.fma(math::SqrtOp::create(b, v), rootSize, splat(op.getEpsilon()));
  if (hasDecay && op.getKind() == kernel::UpdateKind::adamw)
    w = b.mulf(w, keep);
  b.store4(b.subf(w, b.divf(b.mulf(stepSize, m), divisor)), parameters, at);
}

void Update::emit() {
  auto run = [&] {
    prepare();
    forEachItem(b, b.index(vectors), b.threads() * kItemsPerThread * 4,
                [&](Value item) { updateVector(item); });
  };
  if (guard < 0)
    return run();
  // By its bits: a device may take no number for one.
  Value exponent = b.constant(b.getI32IntegerAttr(0x7f800000));
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), loadScalar(guard));
  Value isFinite =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                            arith::AndIOp::create(b, bits, exponent), exponent);
  b.ifThen(isFinite, run);
}

FailureOr<KernelInfo> mlir::vit::simt::emitUpdate(kernel::UpdateOp op,
                                                  SimtBuilder &b) {
  Update update{op, b, /*vectors=*/0};
  int next = 0;
  auto take = [&](Value operand, int &argument) {
    if (operand)
      argument = next++;
  };
  take(op.getGradient(), update.gradient);
  take(op.getGuard(), update.guard);
  take(op.getFactor(), update.factor);
  take(op.getLearningRate(), update.rate);
  take(op.getStep(), update.step);
  update.parameters = next;
  int64_t elements = b.argumentType(next).getNumElements();
  update.vectors = kernel::padTo(elements, kernel::kLanes) / kWidth;
  if (op.getGradient()) {
    FailureOr<Activation> gradient =
        Activation::getFlat(op, op.getGradient().getType());
    if (failed(gradient))
      return failure();
    if (gradient->vectors != update.vectors)
      return op.emitOpError("changes ")
             << elements << " elements with a gradient of "
             << op.getGradient().getType() << "; run vit-group-updates first";
  }
  if (update.step >= 0)
    b.useIntegers();
  update.emit();
  return KernelInfo{
      withoutBatch(
          op.getContext(),
          llvm::divideCeil(update.vectors, b.threads() * kItemsPerThread * 4)),
      noFlop(op.getContext())};
}
