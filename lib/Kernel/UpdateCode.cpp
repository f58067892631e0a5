//===- UpdateCode.cpp - The scalar code of updates ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UpdateCode.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
/// Builds one region of an update.
struct Code : ImplicitLocOpBuilder {
  Code(UpdateOp update, Region &region, TypeRange arguments)
      : ImplicitLocOpBuilder(update.getLoc(), update.getContext()),
        block(region.emplaceBlock()) {
    for (Type type : arguments)
      block.addArgument(type, getLoc());
    setInsertionPointToStart(&block);
  }
  Value argument(unsigned i) { return block.getArgument(i); }
  /// A constant of the type of `like`.
  Value number(Value like, double value) {
    return arith::ConstantOp::create(*this,
                                     getFloatAttr(like.getType(), value));
  }
  Value integer(int64_t value) {
    return arith::ConstantOp::create(*this, getI32IntegerAttr(int32_t(value)));
  }
  Value sub(Value x, Value y) { return arith::SubFOp::create(*this, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(*this, x, y); }
  Value mul(double x, Value y) { return mul(number(y, x), y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(*this, x, y); }
  Value sqrt(Value x) { return math::SqrtOp::create(*this, x); }
  Value fma(Value x, Value y, Value z) {
    return math::FmaOp::create(*this, x, y, z);
  }
  Value fma(double x, Value y, Value z) { return fma(number(y, x), y, z); }
  void yield(ValueRange values) { kernel::YieldOp::create(*this, values); }

  Block &block;
};

/// The body of an update whose scalars are [factor], then others.
struct Body : Code {
  Body(UpdateOp update, size_t scalars, bool hasFactor)
      : Code(update, update.getBody(),
             SmallVector<Type>(update.getVariableCount() + 1 + scalars,
                               Float32Type::get(update.getContext()))),
        gradient(argument(update.getVariableCount())),
        firstScalar(update.getVariableCount() + 1 + hasFactor) {
    if (hasFactor)
      gradient = mul(gradient, argument(firstScalar - 1));
  }
  /// Scalar `i`, counted after the factor.
  Value scalar(unsigned i) { return argument(firstScalar + i); }

  Value gradient; ///< scaled by the factor
  unsigned firstScalar;
};
} // namespace

void kernel::addAssignCode(UpdateOp update) {
  Type f32 = Float32Type::get(update.getContext());
  bool hasGradient = !!update.getGradient();
  Code code(update, update.getBody(), SmallVector<Type>(1 + hasGradient, f32));
  code.yield(hasGradient ? code.argument(1)
                         : code.number(code.argument(0), 0.0));
}

void kernel::addSgdCode(UpdateOp update, const SgdNumbers &numbers) {
  size_t scalars = update.getScalars().size();
  Body code(update, scalars, /*hasFactor=*/scalars == 2);
  Value w = code.argument(0), rate = code.scalar(0), g = code.gradient;
  if (numbers.decay != 0.0)
    g = code.fma(numbers.decay, w, g);
  SmallVector<Value> results(1);
  if (update.getStates()) {
    Value buffer = code.fma(numbers.momentum, code.argument(1), g);
    g = numbers.nesterov ? code.fma(numbers.momentum, buffer, g) : buffer;
    results.push_back(buffer);
  }
  results[0] = code.sub(w, code.mul(rate, g));
  code.yield(results);
}

/// Yields [factor], rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t) and, where
/// `hasDecay`, 1 - rate decay, t being the number of updates with this one.
/// Returns how many that are.
static size_t addAdamPrologue(UpdateOp update, const AdamNumbers &numbers,
                              bool hasFactor, bool hasDecay) {
  MLIRContext *context = update.getContext();
  SmallVector<Type> types(hasFactor + 1, Float64Type::get(context));
  types.push_back(IntegerType::get(context, 32));
  Code code(update, update.getPrologue(), types);
  Value rate = code.argument(hasFactor), step = code.argument(hasFactor + 1);
  Value before =
      arith::DivUIOp::create(code, step, code.integer(numbers.every));
  Value updates = arith::AddIOp::create(code, before, code.integer(1));
  auto correction = [&](double beta) -> Value {
    return BiasCorrectionOp::create(code, code.getF64Type(), updates,
                                    llvm::APFloat(beta));
  };
  Value first = correction(numbers.beta1), second = correction(numbers.beta2);
  SmallVector<Value> results;
  if (hasFactor)
    results.push_back(code.argument(0));
  results.push_back(code.div(rate, first));
  Value one = code.number(rate, 1.0);
  results.push_back(code.div(one, code.sqrt(second)));
  if (hasDecay)
    results.push_back(code.fma(-numbers.decay, rate, one));
  code.yield(results);
  return results.size();
}

void kernel::addAdamCode(UpdateOp update, const AdamNumbers &numbers) {
  bool hasFactor = update.getScalars().size() == 3;
  bool hasDecay = numbers.decoupled && numbers.decay != 0.0;
  size_t scalars = addAdamPrologue(update, numbers, hasFactor, hasDecay);
  Body code(update, scalars, hasFactor);
  Value w = code.argument(0), g = code.gradient;
  Value stepSize = code.scalar(0), rootSize = code.scalar(1);
  if (!numbers.decoupled && numbers.decay != 0.0)
    g = code.fma(numbers.decay, w, g);
  Value m =
      code.fma(numbers.beta1, code.argument(1), code.mul(1 - numbers.beta1, g));
  Value v = code.fma(numbers.beta2, code.argument(2),
                     code.mul(code.mul(1 - numbers.beta2, g), g));
  Value divisor =
      code.fma(code.sqrt(v), rootSize, code.number(v, numbers.epsilon));
  if (hasDecay)
    w = code.mul(w, code.scalar(2));
  code.yield({code.sub(w, code.div(code.mul(stepSize, m), divisor)), m, v});
}
