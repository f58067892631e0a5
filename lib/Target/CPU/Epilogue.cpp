//===- Epilogue.cpp - Scalar code fused into a kernel ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

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

SmallVector<Value> Epilogue::elementExtras() const {
  SmallVector<Value> buffers;
  for (const Extra &extra : extras)
    if (extra.broadcast == Broadcast::Element)
      buffers.push_back(extra.buffer);
  return buffers;
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
  Value result = inlineEpilogue(*b, op->getRegion(0), arguments);
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
