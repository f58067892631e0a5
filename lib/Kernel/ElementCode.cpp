//===- ElementCode.cpp - The scalar code of element-wise ops --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementCode.h"

#include "KernelUtils.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

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
  Value sub(Value a, Value b) {
    return arith::SubFOp::create(builder, location, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(builder, location, a, b);
  }
  Value div(Value a, Value b) {
    return arith::DivFOp::create(builder, location, a, b);
  }
  Value exp(Value x) { return math::ExpOp::create(builder, location, x); }
  Value tanh(Value x) { return math::TanhOp::create(builder, location, x); }
  /// x / (1 + exp(-scale x)). No intermediate value is NaN for large |x|.
  Value swish(Value x, double scale) {
    Value power = exp(mul(x, constant(-scale)));
    return div(x, add(constant(1.0), power));
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
  Value power = exp(mul(x, constant(-scale)));
  Value sigmoid = div(one, add(one, power));
  Value rest = sub(one, sigmoid);
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
    Value rest = sub(constant(1.0), mul(t, t));
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
    return sub(constant(1.0), mul(t, t));
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

//===----------------------------------------------------------------------===//
// Leaves
//===----------------------------------------------------------------------===//

/// Derives a parameter in the shape of a result that has no batch.
FailureOr<Value> Leaves::reshape(Value leaf) {
  RankedTensorType type = tensorOf(leaf);
  if (!isLoaded(leaf) || (type.getNumElements() != 1 &&
                          type.getNumElements() != result.getNumElements()))
    return user->emitOpError("has no kernel that broadcasts the parameter ")
           << type << " to " << result;
  OpBuilder builder(user);
  return DeriveOp::create(builder, leaf.getLoc(), result, leaf).getResult();
}

/// Derives a parameter in one of the shapes in which extras can be broadcast.
FailureOr<Value> Leaves::broadcast(Value leaf) {
  RankedTensorType type = tensorOf(leaf);
  ArrayRef<int64_t> shape = type.getShape();
  if (type == result)
    return leaf;
  if (isComputed(leaf))
    return user->emitOpError("has no kernel that broadcasts ")
           << type << " to " << result;
  if (result.hasStaticShape())
    return reshape(leaf);
  ArrayRef<int64_t> kept =
      shape.drop_while([](int64_t size) { return size == 1; });
  ArrayRef<int64_t> suffix =
      result.getShape().drop_front().take_back(kept.size());
  SmallVector<int64_t> target(kept);
  if (kept.empty())
    target = {result.getShape().back()}; // one number for all
  else if (kept != suffix)
    return user->emitOpError("has no kernel that broadcasts the parameter ")
           << type << " to " << result << "; use [width] or [tokens, width]";
  auto wanted = RankedTensorType::get(target, type.getElementType());
  if (wanted == type)
    return leaf;
  if (!isLoaded(leaf))
    return user->emitOpError("has no kernel that broadcasts a constant ")
           << type << " to " << result;
  OpBuilder builder(user);
  return DeriveOp::create(builder, leaf.getLoc(), wanted, leaf).getResult();
}

LogicalResult Leaves::add(Value value) {
  if (value == element || extras.contains(value))
    return success();
  if (!isActivation(value) && isElementwise(value.getDefiningOp())) {
    for (Value operand : value.getDefiningOp()->getOperands())
      if (failed(add(operand)))
        return failure();
    return success();
  }
  FailureOr<Value> operand = broadcast(value);
  if (failed(operand))
    return failure();
  extras.insert({value, *operand});
  return success();
}

SmallVector<Value> Leaves::getExtras() const {
  return llvm::map_to_vector(extras,
                             [](const auto &pair) { return pair.second; });
}

Value Leaves::emit(OpBuilder &builder, Block &block, Value value) const {
  if (value == element)
    return block.getArgument(0);
  if (auto found = extras.find(value); found != extras.end())
    return block.getArgument(1 + std::distance(extras.begin(), found));
  Operation *op = value.getDefiningOp();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(emit(builder, block, operand));
  return emitElement(builder, op, operands);
}
