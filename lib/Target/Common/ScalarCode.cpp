//===- ScalarCode.cpp - The scalar code of fused kernels ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarCode.h"

#include "Math.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;

/// Returns the expansion of `op` in values of `type`, or null if it has none.
static Value expand(CodeBuilder &b, Operation *op, Type type,
                    ValueRange operands) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](math::ExpOp) { return emitExp(b, operands[0]); })
      .Case([&](math::Exp2Op) { return emitExp2(b, operands[0]); })
      .Case([&](math::ErfOp) { return emitErf(b, operands[0]); })
      .Case([&](math::TanhOp) { return emitTanh(b, operands[0]); })
      .Case([&](kernel::GeluSlopeOp) { return emitGeluSlope(b, operands[0]); })
      .Case([&](kernel::BiasCorrectionOp op) {
        return emitBiasCorrection(b, type, op.getBeta().convertToDouble(),
                                  operands[0]);
      })
      .Case([&](math::FmaOp) {
        return b.fma(operands[0], operands[1], operands[2]);
      })
      .Case([&](math::RsqrtOp) -> Value {
        Value root = math::SqrtOp::create(b, operands[0]);
        return b.divf(b.splat(type, 1), root);
      })
      .Default([](Operation *) { return Value(); });
}

/// Ops that apply to vectors as they are.
static bool isElementwise(Operation *op) {
  return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
             arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp,
             arith::MaxNumFOp, arith::MinNumFOp, arith::CmpFOp, arith::SelectOp,
             math::SqrtOp, math::AbsFOp, math::FloorOp, math::CeilOp,
             math::RoundEvenOp, math::CopySignOp>(op);
}

LogicalResult mlir::vit::verifyRegion(Operation *op, Region &region) {
  for (Operation &inner : region.front().without_terminator()) {
    bool known =
        isElementwise(&inner) ||
        isa<arith::ConstantOp, math::ExpOp, math::Exp2Op, math::ErfOp,
            math::TanhOp, math::FmaOp, math::RsqrtOp, kernel::GeluSlopeOp>(
            inner);
    auto isScalar = [](Type type) { return type.isF32() || type.isInteger(1); };
    if (!known || !llvm::all_of(inner.getResultTypes(), isScalar))
      return op->emitOpError("has scalar code that the targets cannot "
                             "vectorise: ")
             << inner.getName() << "; use f32 arith and math ops";
  }
  return success();
}

LogicalResult mlir::vit::verifyUpdate(kernel::UpdateOp op) {
  if (failed(verifyRegion(op, op.getBody())))
    return failure();
  if (op.getPrologue().empty())
    return success();
  for (Operation &inner : op.getPrologue().front().without_terminator()) {
    bool known = isElementwise(&inner) ||
                 isa<arith::ConstantOp, arith::AddIOp, arith::DivUIOp,
                     math::FmaOp, kernel::BiasCorrectionOp>(inner);
    auto isScalar = [](Type type) {
      return type.isF64() || type.isInteger(32) || type.isInteger(1);
    };
    if (!known || !llvm::all_of(inner.getResultTypes(), isScalar))
      return op.emitOpError("has a prologue that the targets cannot compute: ")
             << inner.getName() << "; use f64 and i32 arith and math ops";
  }
  return success();
}

SmallVector<Value> mlir::vit::inlineRegion(CodeBuilder &b, Region &region,
                                           Type type,
                                           ArrayRef<Value> arguments) {
  IRMapping mapping;
  // Maps the element type of an op's result.
  auto convert = [&](Type element) -> Type {
    if (isa<FloatType>(element))
      return type;
    auto vector = dyn_cast<VectorType>(type);
    return vector ? VectorType::get(vector.getShape(), element) : element;
  };
  Block &block = region.front();
  for (auto [formal, actual] : llvm::zip_equal(block.getArguments(), arguments))
    mapping.map(formal, actual);
  for (Operation &op : block.without_terminator()) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto number = dyn_cast<FloatAttr>(constant.getValue());
      mapping.map(constant.getResult(),
                  number ? b.splat(type, number.getValueAsDouble())
                         : b.constant(constant.getValue()));
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : op.getOperands())
      operands.push_back(mapping.lookup(operand));
    Value result = expand(b, &op, type, operands);
    if (!result) {
      OperationState state(b.getLoc(), op.getName());
      state.addOperands(operands);
      state.addAttributes(op.getAttrs());
      state.addTypes(convert(op.getResult(0).getType()));
      result = b.create(state)->getResult(0);
    }
    mapping.map(op.getResult(0), result);
  }
  return llvm::map_to_vector(
      block.getTerminator()->getOperands(),
      [&](Value yielded) { return mapping.lookup(yielded); });
}

Value mlir::vit::inlineEpilogue(CodeBuilder &b, Region &region,
                                ArrayRef<Value> arguments) {
  return inlineRegion(b, region, arguments.front().getType(), arguments)
      .front();
}

/// Returns whether the region yields zero if all arguments are zero.
static bool makesZeroOfZeros(Region &region) {
  llvm::DenseMap<Value, double> values;
  Block &block = region.front();
  for (BlockArgument argument : block.getArguments())
    values[argument] = 0;
  for (Operation &op : block.without_terminator()) {
    SmallVector<double> x;
    for (Value operand : op.getOperands())
      x.push_back(values.lookup(operand));
    std::optional<double> result =
        TypeSwitch<Operation *, std::optional<double>>(&op)
            .Case([&](arith::ConstantOp constant) {
              return cast<FloatAttr>(constant.getValue()).getValueAsDouble();
            })
            .Case([&](arith::AddFOp) { return x[0] + x[1]; })
            .Case([&](arith::SubFOp) { return x[0] - x[1]; })
            .Case([&](arith::MulFOp) { return x[0] * x[1]; })
            .Case([&](arith::DivFOp) { return x[0] / x[1]; })
            .Case([&](arith::NegFOp) { return -x[0]; })
            .Case<arith::MaximumFOp, arith::MaxNumFOp>(
                [&](auto) { return std::max(x[0], x[1]); })
            .Case<arith::MinimumFOp, arith::MinNumFOp>(
                [&](auto) { return std::min(x[0], x[1]); })
            .Case([&](math::FmaOp) { return x[0] * x[1] + x[2]; })
            .Case([&](math::ExpOp) { return std::exp(x[0]); })
            .Case([&](math::ErfOp) { return std::erf(x[0]); })
            .Case([&](math::TanhOp) { return std::tanh(x[0]); })
            .Case([&](math::SqrtOp) { return std::sqrt(x[0]); })
            .Case([&](math::AbsFOp) { return std::fabs(x[0]); })
            .Default([](Operation *) { return std::nullopt; });
    if (!result)
      return false;
    values[op.getResult(0)] = *result;
  }
  return values.lookup(block.getTerminator()->getOperand(0)) == 0;
}

FailureOr<FusedCode> FusedCode::get(
    Operation *op, ValueRange extras, int64_t group,
    function_ref<FailureOr<int64_t>(RankedTensorType)> getElementGroup) {
  FusedCode code(op->getRegion(0));
  if (failed(verifyRegion(op, *code.region)))
    return failure();
  code.ofZeros = makesZeroOfZeros(*code.region);
  RankedTensorType resultType = tensorOf(op->getResult(0));
  for (Value extra : extras) {
    RankedTensorType type = tensorOf(extra);
    FailureOr<int64_t> extraGroup = 0;
    if (type.getShape() == resultType.getShape()) {
      code.broadcasts.push_back(Broadcast::Element);
      extraGroup = getElementGroup(type);
      if (failed(extraGroup))
        return failure();
    } else if (kernel::isRowExtra(type, resultType)) {
      code.broadcasts.push_back(Broadcast::Row);
      continue;
    } else {
      auto encoding =
          dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
      if (!encoding)
        return op->emitOpError("needs #kernel.channels where an extra has ")
               << type << "; run vit-layout first";
      code.broadcasts.push_back(type.getRank() == 1 ? Broadcast::Channel
                                                    : Broadcast::Token);
      extraGroup = encoding.getGroup();
    }
    if (*extraGroup != group)
      return op->emitOpError("has an extra with channels in groups of ")
             << *extraGroup << " where its result's are in groups of " << group;
  }
  return code;
}

Value FusedCode::apply(CodeBuilder &b, Value element,
                       function_ref<Value(unsigned)> load) const {
  SmallVector<Value> arguments{element};
  for (unsigned i = 0; i < broadcasts.size(); ++i)
    arguments.push_back(load(i));
  return inlineEpilogue(b, *region, arguments);
}
