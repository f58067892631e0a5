//===- Epilogue.cpp - Scalar code fused into a kernel ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

//===----------------------------------------------------------------------===//
// The region on vectors
//===----------------------------------------------------------------------===//

/// The expansion of an op of the math dialect, or null.
static Value expand(KernelBuilder &b, Operation *op, ValueRange operands) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](math::ExpOp) { return emitExp(b, operands[0]); })
      .Case([&](math::Exp2Op) { return emitExp2(b, operands[0]); })
      .Case([&](math::ErfOp) { return emitErf(b, operands[0]); })
      .Case([&](math::TanhOp) { return emitTanh(b, operands[0]); })
      .Case([&](math::FmaOp) {
        return b.fma(operands[0], operands[1], operands[2]);
      })
      .Case([&](math::RsqrtOp) -> Value {
        Value root = math::SqrtOp::create(b, operands[0]);
        return arith::DivFOp::create(b, b.splat(1), root);
      })
      .Default([](Operation *) { return Value(); });
}

/// Ops whose vector form the processor has.
static bool isElementwise(Operation *op) {
  return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
             arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp,
             arith::MaxNumFOp, arith::MinNumFOp, arith::CmpFOp, arith::SelectOp,
             math::SqrtOp, math::AbsFOp, math::FloorOp, math::CeilOp,
             math::RoundEvenOp, math::CopySignOp>(op);
}

LogicalResult mlir::vit::cpu::verifyRegion(Operation *op, Region &region) {
  for (Operation &inner : region.front().without_terminator()) {
    bool known = isElementwise(&inner) ||
                 isa<arith::ConstantOp, math::ExpOp, math::Exp2Op, math::ErfOp,
                     math::TanhOp, math::FmaOp, math::RsqrtOp>(inner);
    auto isScalar = [](Type type) { return type.isF32() || type.isInteger(1); };
    if (!known || !llvm::all_of(inner.getResultTypes(), isScalar))
      return op->emitOpError("has scalar code that the CPU target cannot "
                             "vectorise: ")
             << inner.getName() << "; use f32 arith and math ops";
  }
  return success();
}

Value mlir::vit::cpu::inlineRegion(KernelBuilder &b, Region &region,
                                   ArrayRef<Value> arguments) {
  IRMapping mapping;
  Block &block = region.front();
  for (auto [formal, actual] : llvm::zip_equal(block.getArguments(), arguments))
    mapping.map(formal, actual);
  for (Operation &op : block.without_terminator()) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto value = cast<FloatAttr>(constant.getValue());
      mapping.map(constant.getResult(), b.splat(value.getValueAsDouble()));
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : op.getOperands())
      operands.push_back(mapping.lookup(operand));
    Value result = expand(b, &op, operands);
    if (!result) {
      OperationState state(b.getLoc(), op.getName());
      state.addOperands(operands);
      state.addAttributes(op.getAttrs());
      Type element = op.getResult(0).getType();
      state.addTypes(VectorType::get({kLanes}, element));
      result = b.create(state)->getResult(0);
    }
    mapping.map(op.getResult(0), result);
  }
  return mapping.lookup(block.getTerminator()->getOperand(0));
}

/// Whether the region makes zero of zeros: then padded channels need no mask.
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

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

FailureOr<Epilogue> Epilogue::get(Operation *op, KernelBuilder &b,
                                  OperandRange extraValues, unsigned firstExtra,
                                  const Blocked &result) {
  Epilogue epilogue(op, b, result);
  Region &region = op->getRegion(0);
  if (failed(verifyRegion(op, region)))
    return failure();
  epilogue.keepsZero = makesZeroOfZeros(region);
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  for (auto [i, value] : llvm::enumerate(extraValues)) {
    auto type = cast<RankedTensorType>(value.getType());
    Extra extra;
    extra.buffer = b.argument(firstExtra + i);
    int64_t group = 0;
    if (type.getShape() == resultType.getShape()) {
      FailureOr<Blocked> shape = Blocked::get(op, type);
      if (failed(shape))
        return failure();
      extra.broadcast = Broadcast::Element;
      group = shape->group;
      if (shape->rows != result.rows)
        return op->emitOpError("has an extra in row blocks of ")
               << shape->rows << " where its result's are of " << result.rows;
    } else {
      auto encoding =
          dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
      if (!encoding)
        return op->emitOpError("needs #kernel.channels where an extra has ")
               << type << "; run vit-layout first";
      extra.broadcast =
          type.getRank() == 1 ? Broadcast::Channel : Broadcast::Token;
      group = encoding.getGroup();
    }
    if (group != result.group)
      return op->emitOpError("has an extra with channels in groups of ")
             << group << " where its result's are in groups of "
             << result.group;
    epilogue.extras.push_back(extra);
  }
  return epilogue;
}

bool Epilogue::usesTokens() const {
  return llvm::any_of(
      extras, [](const Extra &e) { return e.broadcast == Broadcast::Token; });
}

SmallVector<Value> Epilogue::loadChannels(Value channelVector) const {
  SmallVector<Value> values;
  for (const Extra &extra : extras)
    values.push_back(extra.broadcast == Broadcast::Channel
                         ? b->load(extra.buffer, b->mul(channelVector, kLanes))
                         : Value());
  return values;
}

Value Epilogue::apply(Value element, ArrayRef<Value> channels,
                      const RowBlock &block, int64_t row, Value channelVector,
                      Value offset) const {
  Value token;
  if (usesTokens()) {
    token = b->add(b->mul(block.local, shape.rows), row);
    // A padded row has no token; what it computes is not kept.
    if (shape.mayBePadding(row))
      token = b->min(token, b->index(shape.tokens - 1));
  }
  return apply(element, channels, token, channelVector, offset);
}

Value Epilogue::apply(Value element, ArrayRef<Value> channels, Value token,
                      Value channelVector, Value offset) const {
  SmallVector<Value> arguments{element};
  for (auto [i, extra] : llvm::enumerate(extras)) {
    switch (extra.broadcast) {
    case Broadcast::Channel:
      arguments.push_back(channels[i]);
      break;
    case Broadcast::Token:
      arguments.push_back(b->load(
          extra.buffer, b->add(b->mul(token, shape.channelBlocks * kLanes),
                               b->mul(channelVector, kLanes))));
      break;
    case Broadcast::Element:
      arguments.push_back(b->load(extra.buffer, offset));
      break;
    }
  }
  Value result = inlineRegion(*b, op->getRegion(0), arguments);
  if (keepsZero || !shape.hasPaddedChannels())
    return result;
  // Compare each lane's number with how many of the vector are channels.
  int64_t group = shape.group == 0 ? shape.width : shape.group;
  int64_t vectors = kernel::padTo(group, kLanes) / kLanes;
  Value last =
      b->isEqual(b->rem(channelVector, vectors), b->index(vectors - 1));
  Value masked = b->select(b->laneMask(group % kLanes), result, b->splat(0));
  return b->select(last, masked, result);
}
