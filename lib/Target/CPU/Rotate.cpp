//===- Rotate.cpp - Rotary positions --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace {
struct Rotate {
  kernel::RotateOp op;
  KernelBuilder &b;
  Blocked input, result;
  int64_t headDim, headVectors;
  int64_t tableRow;   ///< elements of a row of the tables
  int64_t tableHeads; ///< heads in a row of the tables
  Value scratch;      ///< a head between two pads; null if it is not needed

  /// Elements before and after the head in scratch.
  int64_t pad() const { return kernel::padTo(headDim / 2, kChannelPad); }
  bool needsScratch() {
    return op.getPairs() == PairKind::halves && headDim / 2 % kVectorLanes != 0;
  }
  int64_t scratchElements() {
    return needsScratch() ? 2 * pad() + (headVectors + 1) * kVectorLanes : 0;
  }
  /// Returns the other channel of each pair, for the vectors of a head.
  SmallVector<Value> getOthers(ArrayRef<Value> x);
  void rotateHead(Value from, Value to, Value tables);
  void emit();
};
} // namespace

SmallVector<Value> Rotate::getOthers(ArrayRef<Value> x) {
  SmallVector<Value> others;
  int64_t half = headDim / 2;
  if (op.getPairs() == PairKind::neighbours) {
    SmallVector<int64_t> lanes;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      lanes.push_back(lane ^ 1);
    for (Value vector : x)
      others.push_back(b.shuffle(vector, vector, lanes));
    return others;
  }
  if (!needsScratch()) {
    for (int64_t v = 0; v < headVectors; ++v)
      others.push_back(x[(v + headVectors / 2) % headVectors]);
    return others;
  }
  for (int64_t v = 0; v < headVectors; ++v)
    b.store(x[v], scratch, b.index(pad() + v * kVectorLanes));
  for (int64_t v = 0; v < headVectors; ++v) {
    int64_t at = pad() + v * kVectorLanes;
    // Lanes that belong to the first half.
    int64_t lanes =
        std::clamp<int64_t>(half - v * kVectorLanes, 0, kVectorLanes);
    Value above, below;
    if (lanes > 0)
      above = b.load(scratch, b.index(at + half));
    if (lanes < kVectorLanes)
      below = b.load(scratch, b.index(at - half));
    others.push_back(!below   ? above
                     : !above ? below
                              : b.select(b.laneMask(lanes), above, below));
  }
  return others;
}

void Rotate::rotateHead(Value from, Value to, Value tables) {
  SmallVector<Value> x;
  for (int64_t v = 0; v < headVectors; ++v)
    x.push_back(b.load(b.argument(0), b.add(from, v * input.vectorElements())));
  SmallVector<Value> others = getOthers(x);
  for (int64_t v = 0; v < headVectors; ++v) {
    Value at = b.add(tables, v * kVectorLanes);
    Value cosine = b.load(b.argument(1), at), sine = b.load(b.argument(2), at);
    Value rotated = b.fma(others[v], sine, b.mulf(x[v], cosine));
    int64_t lanes = std::min(kVectorLanes, headDim - v * kVectorLanes);
    b.store(b.keepLanes(rotated, lanes), b.argument(3),
            b.add(to, v * result.vectorElements()));
  }
}

void Rotate::emit() {
  forEachRow(
      b, result, b.argument(3), [&](Value image, Value token, Value offset) {
        Value row = getRowOffset(b, input, image, token);
        Value table = b.mul(token, tableRow);
        b.loop(0, op.getHeads(), [&](Value head) {
          Value from =
              getHeadOffset(b, input, row, head, headVectors, op.getOffset());
          Value to = getHeadOffset(b, result, offset, head, headVectors, 0);
          Value inTable =
              b.mul(b.rem(head, tableHeads), headVectors * kVectorLanes);
          rotateHead(from, to, b.add(table, inTable));
        });
      });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::RotateOp op,
                                           KernelBuilder &b) {
  auto layouts = InputAndResult::get(op, /*rows=*/true);
  if (failed(layouts))
    return failure();
  int64_t headDim = op.getHeadDim();
  if (failed(verifyHeads(op, layouts->input, headDim, op.getOffset(),
                         layouts->result.rows)) ||
      failed(
          verifyHeads(op, layouts->result, headDim, 0, layouts->result.rows)))
    return failure();
  auto type = op.getCosine().getType();
  auto encoding = dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
  if (!encoding || op.getSine().getType() != type ||
      !kernel::areHeadsAligned(encoding.getGroup(), headDim, 0))
    return op.emitOpError("needs tables in #kernel.channels, not ")
           << type << "; run vit-layout first";
  int64_t width = type.getDimSize(1);
  Rotate kernel{op,
                b,
                layouts->input,
                layouts->result,
                headDim,
                int64_t(llvm::divideCeil(headDim, kVectorLanes)),
                kernel::paddedChannels(width, encoding.getGroup()),
                width / headDim,
                Value()};
  if (kernel.needsScratch())
    kernel.scratch = b.scratch();
  kernel.emit();
  KernelInfo info = getRowBlockInfo(op.getType());
  info.scratch = kernel.scratchElements() * int64_t(sizeof(float));
  return info;
}
