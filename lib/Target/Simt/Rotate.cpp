//===- Rotate.cpp - Rotary positions --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

/// Returns the other channel of each pair of vector `vector` of the head that
/// begins at vector `base` of argument 0, where `x` is that vector.
static Value getOthers(kernel::RotateOp op, SimtBuilder &b, Value base,
                       Value vector, Value x) {
  SmallVector<Value> lanes;
  if (op.getPairs() == PairKind::neighbours) {
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      lanes.push_back(b.extract(x, lane ^ 1));
    return b.fromElements(lanes);
  }
  int64_t headDim = op.getHeadDim(), half = headDim / 2;
  if (half % kVectorLanes == 0) {
    Value other =
        b.rem(b.add(vector, half / kVectorLanes), headDim / kVectorLanes);
    return b.load4(0, b.add(base, other));
  }
  Value first = b.add(b.mul(vector, kVectorLanes), half);
  for (int64_t lane = 0; lane < kVectorLanes; ++lane)
    lanes.push_back(b.load(0, b.add(b.mul(base, kVectorLanes),
                                    b.rem(b.add(first, lane), headDim))));
  return b.fromElements(lanes);
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::RotateOp op,
                                            SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &input = layouts->input, &shape = layouts->result;
  int64_t headDim = op.getHeadDim();
  auto type = op.getCosine().getType();
  auto encoding = dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
  if (!encoding || op.getSine().getType() != type ||
      !kernel::areHeadsAligned(encoding.getGroup(), headDim, 0) ||
      !kernel::areHeadsAligned(input.group, headDim, op.getOffset()))
    return op.emitOpError("needs tables in #kernel.channels, not ")
           << type << "; run vit-layout first";
  int64_t vectors = kernel::padTo(headDim, kernel::kChannelPad) / kVectorLanes;
  int64_t first =
      kernel::paddedChannel(op.getOffset(), input.group) / kVectorLanes;
  int64_t tableHeads = type.getDimSize(1) / headDim;
  int64_t tableRow =
      kernel::paddedChannels(type.getDimSize(1), encoding.getGroup()) /
      kVectorLanes;
  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value head = b.div(vector, vectors), inHead = b.rem(vector, vectors);
    Value base =
        b.add(b.mul(row, input.vectors), b.add(b.mul(head, vectors), first));
    Value x = b.load4(0, b.add(base, inHead));
    Value others = getOthers(op, b, base, inHead, x);
    Value at = b.add(b.mul(b.rem(row, shape.tokens), tableRow),
                     b.add(b.mul(b.rem(head, tableHeads), vectors), inHead));
    Value rotated = b.fma(others, b.load4(2, at), b.mulf(x, b.load4(1, at)));
    b.store4(maskChannels(b, shape, vector, rotated), 3, item);
  });
}
