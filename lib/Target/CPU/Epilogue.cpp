//===- Epilogue.cpp - Scalar code fused into a kernel ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

FailureOr<Epilogue> Epilogue::get(Operation *op, KernelBuilder &b,
                                  OperandRange extras, unsigned firstExtra,
                                  const Blocked &result) {
  FailureOr<FusedCode> code = FusedCode::get(
      op, extras, result.group,
      [&](RankedTensorType type) -> FailureOr<int64_t> {
        FailureOr<Blocked> shape = Blocked::get(op, type);
        if (failed(shape))
          return failure();
        if (shape->rows != result.rows)
          return op->emitOpError("has an extra in row blocks of ")
                 << shape->rows << " where its result's are of " << result.rows;
        return shape->group;
      });
  if (failed(code))
    return failure();
  // Extras are f32.
  return Epilogue(*code, b, firstExtra, result.widened());
}

bool Epilogue::usesTokens() const {
  return llvm::is_contained(code.getBroadcasts(), Broadcast::Token);
}

SmallVector<Value> Epilogue::elementExtras() const {
  SmallVector<Value> buffers;
  for (auto [i, broadcast] : llvm::enumerate(code.getBroadcasts()))
    if (broadcast == Broadcast::Element)
      buffers.push_back(buffer(i));
  return buffers;
}

SmallVector<Value> Epilogue::loadChannels(Value channelVector) const {
  SmallVector<Value> values;
  for (auto [i, broadcast] : llvm::enumerate(code.getBroadcasts()))
    values.push_back(
        broadcast == Broadcast::Channel
            ? b->load(buffer(i), b->mul(channelVector, kChannelPad))
            : Value());
  return values;
}

Value Epilogue::apply(Value element, ArrayRef<Value> channels,
                      const RowBlock &block, int64_t row, Value channelVector,
                      Value offset) const {
  Value token;
  if (usesTokens()) {
    token = getRow(*b, shape, block, row);
    // A padded row has no token. Its result is discarded.
    if (block.firstRow || shape.mayBePadding(row))
      token = b->min(token, b->index(shape.tokens - 1));
  }
  // The line of the row in an activation of one channel.
  Value rowOffset = b->mul(block.block, shape.rows * kChannelPad);
  if (block.firstRow)
    rowOffset = b->add(rowOffset, b->mul(block.firstRow, kChannelPad));
  return apply(element, channels, token, channelVector, offset,
               b->add(rowOffset, row * kChannelPad));
}

Value Epilogue::apply(Value element, ArrayRef<Value> channels, Value token,
                      Value channelVector, Value offset,
                      Value rowOffset) const {
  Value result = code.apply(*b, element, [&](unsigned i) {
    switch (code.getBroadcasts()[i]) {
    case Broadcast::Channel:
      return channels[i];
    case Broadcast::Token:
      return b->load(buffer(i),
                     b->add(b->mul(token, shape.channelBlocks * kChannelPad),
                            b->mul(channelVector, kChannelPad)));
    case Broadcast::Element:
      return b->load(buffer(i), offset);
    case Broadcast::Row:
      return b->broadcast(b->loadScalar(buffer(i), rowOffset));
    }
    llvm_unreachable("every broadcast is above");
  });
  if (code.keepsZero() || !shape.hasPaddedChannels())
    return result;
  // The last vector of a group has padding.
  int64_t group = shape.group == 0 ? shape.width : shape.group;
  int64_t vectors = kernel::padTo(group, kChannelPad) / kChannelPad;
  Value last =
      b->isEqual(b->rem(channelVector, vectors), b->index(vectors - 1));
  return b->select(last, b->keepLanes(result, group % kChannelPad), result);
}
