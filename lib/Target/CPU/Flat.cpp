//===- Flat.cpp - Row-major values without a batch ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

LogicalResult mlir::vit::cpu::verifyFlat(Operation *op, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.hasStaticShape() && !tensor.getEncoding() &&
      tensor.getElementType().isF32())
    return success();
  return op->emitOpError("needs row-major f32 without a batch where it has ")
         << type;
}

void mlir::vit::cpu::zeroTail(KernelBuilder &b, Value result, Value buffer) {
  int64_t elements = cast<RankedTensorType>(result.getType()).getNumElements();
  auto op = result.getDefiningOp<kernel::KernelOpInterface>();
  DenseI64ArrayAttr ends = op.getEndsAttr();
  unsigned number = cast<OpResult>(result).getResultNumber();
  if (elements == kernel::occupiedElements(elements) ||
      (ends && llvm::is_contained(ends.asArrayRef(), number)))
    return;
  b.ifThen(b.isEqual(b.begin(), b.index(0)), [&] {
    b.loop(elements, kernel::occupiedElements(elements),
           [&](Value i) { b.storeScalar(b.scalar(0), buffer, i); });
  });
}

void mlir::vit::cpu::forChannels(
    KernelBuilder &b, const Channels &channels, Value channelVector,
    function_ref<void(Value channel, int64_t lanes)> body) {
  if (!channels.hasPaddedChannels())
    return body(b.mul(channelVector, kChannelPad), kChannelPad);
  int64_t run = channels.group == 0 ? channels.width : channels.group;
  int64_t vectors = llvm::divideCeil(run, kChannelPad),
          tail = run % kChannelPad;
  Value inRun = b.rem(channelVector, vectors);
  Value channel = b.add(b.mul(b.div(channelVector, vectors), run),
                        b.mul(inRun, kChannelPad));
  if (vectors == 1)
    return body(channel, tail);
  b.ifThen(
      b.isEqual(inRun, b.index(vectors - 1)), [&] { body(channel, tail); },
      [&] { body(channel, kChannelPad); });
}

void mlir::vit::cpu::ifChannel(KernelBuilder &b, const Channels &channels,
                               Value padded,
                               function_ref<void(Value channel)> body) {
  if (!channels.hasPaddedChannels())
    return body(padded);
  int64_t run = channels.group == 0 ? channels.width : channels.group;
  int64_t stride = kernel::padTo(run, kChannelPad);
  Value inRun = b.rem(padded, stride);
  Value channel = b.add(b.mul(b.div(padded, stride), run), inRun);
  b.ifThen(b.isLess(inRun, b.index(run)), [&] { body(channel); });
}

Value mlir::vit::cpu::addPairwise(KernelBuilder &b,
                                  SmallVector<Value> summands) {
  while (summands.size() > 1) {
    SmallVector<Value> pairs;
    for (size_t i = 0; i + 1 < summands.size(); i += 2)
      pairs.push_back(b.addf(summands[i], summands[i + 1]));
    if (summands.size() % 2)
      pairs.push_back(summands.back());
    summands = pairs;
  }
  return summands.front();
}
