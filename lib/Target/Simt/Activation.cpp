//===- Activation.cpp - Activations on a GPU ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using kernel::kChannelPad;

FailureOr<Activation> Activation::get(Operation *op, RankedTensorType type) {
  if (!type.getElementType().isF32()) {
    op->emitOpError("has no GPU code for elements of ")
        << type.getElementType() << "; use f32";
    return failure();
  }
  auto channels = dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
  bool isWhole = !type.getEncoding() && type.getRank() > 0 &&
                 type.getShape().back() % kChannelPad == 0;
  if ((type.getRank() != 2 && type.getRank() != 3) || !(channels || isWhole)) {
    op->emitOpError("needs #kernel.channels where it has ")
        << type << "; run vit-tile and vit-layout for a GPU first";
    return failure();
  }
  Activation shape;
  shape.tokens = type.getRank() == 3 ? type.getDimSize(1) : 1;
  shape.width = type.getShape().back();
  shape.group = channels ? channels.getGroup() : 0;
  shape.vectors =
      kernel::paddedChannels(shape.width, shape.group) / kVectorLanes;
  return shape;
}

FailureOr<Activation> Activation::getFlat(Operation *op, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (!tensor.hasStaticShape() || tensor.getEncoding() ||
      !tensor.getElementType().isF32()) {
    op->emitOpError("needs row-major f32 without a batch where it has ")
        << type;
    return failure();
  }
  Activation shape;
  shape.tokens = 1;
  shape.width = tensor.getNumElements();
  shape.group = 0;
  shape.vectors = kernel::occupiedElements(shape.width) / kVectorLanes;
  return shape;
}

Channel Activation::getChannel(SimtBuilder &b, Value padded) const {
  Value exists = b.isLess(padded, b.index(vectors * kVectorLanes));
  if (!hasPaddedChannels())
    return {padded, exists};
  int64_t run = group == 0 ? width : group;
  int64_t paddedRun = kernel::padTo(run, kChannelPad);
  Value inRun = b.rem(padded, paddedRun);
  return {b.add(b.mul(b.div(padded, paddedRun), run), inRun),
          b.both(exists, b.isLess(inRun, b.index(run)))};
}

kernel::ExtentAttr Activation::units(MLIRContext *context, int64_t itemsPerRow,
                                     int64_t itemsPerUnit,
                                     int64_t times) const {
  return kernel::ExtentAttr::get(context, times, tokens * itemsPerRow,
                                 itemsPerUnit);
}

kernel::ExtentAttr mlir::vit::simt::withoutBatch(MLIRContext *context,
                                                 int64_t times) {
  return kernel::ExtentAttr::get(context, times, 1, kernel::kNoBatch);
}

void mlir::vit::simt::storeZeroTail(SimtBuilder &b, unsigned argument,
                                    int64_t count) {
  int64_t end = kernel::occupiedElements(count);
  if (count == end)
    return;
  b.ifThen(b.isEqual(b.unit(), b.index(0)), [&] {
    b.loop(b.add(b.thread(), count), b.index(end), b.threads(), {},
           [&](Value item, ValueRange) {
             b.store(b.scalar(0), argument, item);
             return SmallVector<Value>();
           });
  });
}

kernel::ExtentAttr mlir::vit::simt::noFlop(MLIRContext *context) {
  return kernel::ExtentAttr::get(context, 0, 1, 1);
}

void mlir::vit::simt::forEachItem(SimtBuilder &b, Value total, int64_t perUnit,
                                  function_ref<void(Value item)> body) {
  Value begin = b.mul(b.unit(), perUnit);
  Value end = b.min(b.add(begin, perUnit), total);
  b.loop(b.add(begin, b.thread()), end, b.threads(), {},
         [&](Value item, ValueRange) {
           body(item);
           return SmallVector<Value>();
         });
}

Value mlir::vit::simt::maskChannels(SimtBuilder &b, const Activation &shape,
                                    Value vector, Value value, double other) {
  if (!shape.hasPaddedChannels())
    return value;
  int64_t run = shape.group == 0 ? shape.width : shape.group;
  if (shape.group != 0)
    vector = b.rem(vector, kernel::padTo(run, kChannelPad) / kVectorLanes);
  int64_t whole = run / kVectorLanes, rest = run % kVectorLanes;
  Value padding = b.splat(other), last = padding;
  if (rest != 0) {
    SmallVector<bool> lanes;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      lanes.push_back(lane < rest);
    Value mask = b.constant(DenseElementsAttr::get(
        VectorType::get({kVectorLanes}, b.getI1Type()), ArrayRef<bool>(lanes)));
    last = b.select(b.isEqual(vector, b.index(whole)),
                    b.select(mask, value, padding), padding);
  }
  return b.select(b.isLess(vector, b.index(whole)), value, last);
}
