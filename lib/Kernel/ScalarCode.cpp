//===- ScalarCode.cpp - Formulas of element-wise ops ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarCode.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;

namespace {
/// Short names for the arithmetic of a formula.
struct Formula {
  OpBuilder &builder;
  Location location;

  Value constant(double value) {
    return arith::ConstantOp::create(builder, location,
                                     builder.getF32FloatAttr(value));
  }
  Value add(Value a, Value b) {
    return arith::AddFOp::create(builder, location, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(builder, location, a, b);
  }
  Value tanh(Value x) { return math::TanhOp::create(builder, location, x); }
  /// x / (1 + exp(-scale x)); tends to x and to 0 without a NaN on the way.
  Value swish(Value x, double scale) {
    Value power = mul(x, constant(-scale));
    Value exp = math::ExpOp::create(builder, location, power);
    return arith::DivFOp::create(builder, location, x, add(constant(1.0), exp));
  }
  Value gelu(Value x, GeluKind kind);
};
} // namespace

Value Formula::gelu(Value x, GeluKind kind) {
  switch (kind) {
  case GeluKind::erf: {
    Value erf = math::ErfOp::create(builder, location,
                                    mul(x, constant(0.70710678118654752)));
    return mul(mul(x, constant(0.5)), add(erf, constant(1.0)));
  }
  case GeluKind::tanh: {
    // sqrt(2 / pi) (x + 0.044715 x^3)
    Value cube = mul(mul(x, x), mul(x, constant(0.044715)));
    Value inner = mul(add(x, cube), constant(0.79788456080286536));
    return mul(mul(x, constant(0.5)), add(tanh(inner), constant(1.0)));
  }
  case GeluKind::quick:
    return swish(x, 1.702);
  }
  llvm_unreachable("no such GELU");
}

bool vit::kernel::isElementwise(Operation *op) {
  if (isa_and_nonnull<DropoutOp, DropPathOp>(op))
    return op->getNumOperands() == 1; // else a random mask, not a formula
  return isa_and_nonnull<GeluOp, ReluOp, SiluOp, TanhOp, AddOp, MulOp, ScaleOp,
                         LayerScaleOp>(op);
}

Value vit::kernel::emitElement(OpBuilder &builder, Operation *op,
                               ArrayRef<Value> operands) {
  Formula f{builder, op->getLoc()};
  Value x = operands.front();
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](GeluOp gelu) { return f.gelu(x, gelu.getKind()); })
      // maximumf, unlike maxnumf, does not hide a NaN.
      .Case([&](ReluOp) -> Value {
        return arith::MaximumFOp::create(builder, f.location, x,
                                         f.constant(0.0));
      })
      .Case([&](SiluOp) { return f.swish(x, 1.0); })
      .Case([&](TanhOp) { return f.tanh(x); })
      .Case([&](AddOp) { return f.add(x, operands[1]); })
      .Case<MulOp, LayerScaleOp>([&](auto) { return f.mul(x, operands[1]); })
      .Case([&](ScaleOp scale) {
        return f.mul(x, f.constant(scale.getFactor().convertToDouble()));
      })
      .Case<DropoutOp, DropPathOp>([&](auto) { return x; });
}
