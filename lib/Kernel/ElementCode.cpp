//===- ElementCode.cpp - The scalar code of element-wise ops --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementCode.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;

namespace {
/// Builds arithmetic ops with short names.
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
  /// x / (1 + exp(-scale x)). No intermediate value is NaN for large |x|.
  Value swish(Value x, double scale) {
    Value power = mul(x, constant(-scale));
    Value exp = math::ExpOp::create(builder, location, power);
    return arith::DivFOp::create(builder, location, x, add(constant(1.0), exp));
  }
  Value gelu(Value x, GeluKind kind);
  Value swishDerivative(Value x, double scale);
  Value derivative(Value x, ActivationKind activation);
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

/// d/dx x s with s = 1 / (1 + exp(-scale x)): s (1 + scale x (1 - s)).
Value Formula::swishDerivative(Value x, double scale) {
  Value one = constant(1.0);
  Value exp = math::ExpOp::create(builder, location, mul(x, constant(-scale)));
  Value sigmoid = arith::DivFOp::create(builder, location, one, add(one, exp));
  Value rest = arith::SubFOp::create(builder, location, one, sigmoid);
  return mul(sigmoid, add(mul(mul(x, constant(scale)), rest), one));
}

Value Formula::derivative(Value x, ActivationKind activation) {
  switch (activation) {
  case ActivationKind::gelu_erf:
    return kernel::GeluSlopeOp::create(builder, location, x.getType(), x);
  case ActivationKind::gelu_tanh: {
    // With t the tanh of GELU and u its argument:
    // (1 + t) / 2 + x (1 - t^2) u' / 2
    Value square = mul(x, x);
    Value inner = add(mul(square, constant(0.79788456080286536 * 0.044715)),
                      constant(0.79788456080286536));
    Value t = tanh(mul(x, inner));
    Value slope =
        add(mul(square, constant(0.79788456080286536 * 3.0 * 0.044715)),
            constant(0.79788456080286536));
    Value rest =
        arith::SubFOp::create(builder, location, constant(1.0), mul(t, t));
    Value sum = add(t, mul(mul(x, rest), slope));
    return mul(add(sum, constant(1.0)), constant(0.5));
  }
  case ActivationKind::gelu_quick:
    return swishDerivative(x, 1.702);
  case ActivationKind::relu: {
    Value zero = constant(0.0);
    Value isPositive = arith::CmpFOp::create(
        builder, location, arith::CmpFPredicate::OGT, x, zero);
    return arith::SelectOp::create(builder, location, isPositive, constant(1.0),
                                   zero);
  }
  case ActivationKind::silu:
    return swishDerivative(x, 1.0);
  case ActivationKind::tanh: {
    Value t = tanh(x);
    return arith::SubFOp::create(builder, location, constant(1.0), mul(t, t));
  }
  }
  llvm_unreachable("no such activation");
}

bool vit::kernel::isElementwise(Operation *op) {
  if (isa_and_nonnull<vit::DropoutOp, DropPathOp>(op))
    return op->getNumOperands() == 1; // else a random mask, not a formula
  return isa_and_nonnull<GeluOp, ReluOp, SiluOp, TanhOp, AddOp, MulOp, ScaleOp,
                         LayerScaleOp, DerivativeOp>(op);
}

Value vit::kernel::emitElement(OpBuilder &builder, Operation *op,
                               ArrayRef<Value> operands) {
  Formula f{builder, op->getLoc()};
  Value x = operands.front();
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](GeluOp gelu) { return f.gelu(x, gelu.getKind()); })
      // maximumf returns NaN for NaN; maxnumf would not.
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
      .Case([&](DerivativeOp derivative) {
        return f.derivative(x, derivative.getOf());
      })
      .Case<vit::DropoutOp, DropPathOp>([&](auto) { return x; });
}
