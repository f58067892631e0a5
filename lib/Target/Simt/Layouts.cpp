//===- Layouts.cpp - Pictures to patches, row-major to padded and back ----===//
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

namespace {
/// The channels of a row, with or without padding.
struct Channels {
  int64_t width;  ///< logical
  int64_t group;  ///< the group, if padded; 0: none
  int64_t padded; ///< elements of a row; `width` if there is no padding

  static Channels get(RankedTensorType type) {
    int64_t width = type.getShape().back();
    auto encoding =
        dyn_cast_if_present<kernel::ChannelsAttr>(type.getEncoding());
    if (!encoding)
      return {width, 0, width};
    return {width, encoding.getGroup(),
            kernel::paddedChannels(width, encoding.getGroup())};
  }
  int64_t run() const { return group == 0 ? width : group; }
  int64_t paddedRun() const {
    return padded == width ? run() : kernel::padTo(run(), kChannelPad);
  }
  /// Returns the position of a logical channel in the row.
  Value place(SimtBuilder &b, Value channel) const {
    if (padded == width || group == 0)
      return channel;
    return b.add(b.mul(b.div(channel, group), paddedRun()),
                 b.rem(channel, group));
  }
};
} // namespace

/// Emits a relayout to f16 or bf16, of which a thread computes a vector at a
/// time. `rows` is the number of rows of all images.
static void relayoutVectors(SimtBuilder &b, const Channels &source,
                            const Channels &target, Value rows) {
  int64_t vectors = target.padded / kVectorLanes;
  Value zero = b.scalar(0);
  forEachItem(
      b, b.mul(rows, vectors), b.threads() * kItemsPerThread, [&](Value item) {
        Value row = b.mul(b.div(item, vectors), source.padded);
        Value first = b.mul(b.rem(item, vectors), kVectorLanes);
        SmallVector<Value> lanes;
        for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
          Value place = b.add(first, lane), exists;
          if (target.padded != target.width) {
            Value inRun = b.rem(place, target.paddedRun());
            exists = b.isLess(inRun, b.index(target.run()));
            place = b.add(b.mul(b.div(place, target.paddedRun()), target.run()),
                          b.min(inRun, b.index(target.run() - 1)));
          }
          Value x = b.load(0, b.add(row, source.place(b, place)));
          lanes.push_back(exists ? b.select(exists, x, zero) : x);
        }
        b.store4(b.fromElements(lanes), 1, item);
      });
}

// A thread computes one element of the result at a time.
FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::RelayoutOp op,
                                            SimtBuilder &b) {
  RankedTensorType from = op.getInput().getType();
  RankedTensorType to = op.getResult().getType();
  for (RankedTensorType type : {from, to})
    if (type.getEncoding() && !isa<kernel::ChannelsAttr>(type.getEncoding()))
      return op.emitOpError("has no GPU code from ") << from << " to " << to;
  bool isNarrow = kernel::isNarrowFloat(to.getElementType());
  if (!isNarrow && !to.getElementType().isF32())
    return op.emitOpError("has no GPU code for elements of ")
           << to.getElementType() << "; use f32, f16 or bf16";
  int64_t rowsPerImage = 1;
  for (int64_t size : to.getShape().drop_front().drop_back())
    rowsPerImage *= size;
  Channels source = Channels::get(from), target = Channels::get(to);
  int64_t perUnit = b.threads() * kItemsPerThread;
  if (isNarrow) {
    if (target.padded % kVectorLanes != 0)
      return op.emitOpError("has no GPU code to ")
             << to << ", whose rows do not begin at a vector";
    relayoutVectors(b, source, target, b.mul(b.batch(), rowsPerImage));
    return KernelInfo{kernel::ExtentAttr::get(
        op.getContext(), 1, rowsPerImage * target.padded / kVectorLanes,
        perUnit)};
  }
  b.useScalars();
  Value total = b.mul(b.batch(), rowsPerImage * target.padded);
  forEachItem(b, total, perUnit, [&](Value item) {
    Value row = b.div(item, target.padded);
    Value place = b.rem(item, target.padded);
    auto copy = [&](Value channel) {
      Value at = b.add(b.mul(row, source.padded), source.place(b, channel));
      b.store(b.load(0, at), 1, item);
    };
    if (target.padded == target.width)
      return copy(place);
    Value inRun = b.rem(place, target.paddedRun());
    b.ifThen(
        b.isLess(inRun, b.index(target.run())),
        [&] {
          copy(b.add(b.mul(b.div(place, target.paddedRun()), target.run()),
                     inRun));
        },
        [&] { b.store(b.scalar(0), 1, item); });
  });
  return KernelInfo{kernel::ExtentAttr::get(
      op.getContext(), 1, rowsPerImage * target.padded, perUnit)};
}

// A thread computes one vector of the patches at a time. Its four elements are
// contiguous and aligned in the image if the lines of the image and of a patch
// are whole vectors. Otherwise they are gathered one by one.
FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::PatchifyOp op,
                                            SimtBuilder &b) {
  FailureOr<Activation> found = Activation::get(op, op.getResult().getType());
  if (failed(found))
    return failure();
  Activation shape = *found;
  RankedTensorType picture = op.getInput().getType();
  if (picture.getEncoding() || shape.group != 0)
    return op.emitOpError("needs a row-major picture and a result without "
                          "groups where it has ")
           << picture << " and " << op.getResult().getType();
  int64_t channels = picture.getDimSize(1), height = picture.getDimSize(2),
          width = picture.getDimSize(3);
  int64_t patchHeight = op.getPatch()[0], patchWidth = op.getPatch()[1];
  int64_t across = width / patchWidth;
  bool channelsFirst = op.getOrder() == PixelOrder::chw;
  bool isWhole = channelsFirst && patchWidth % kVectorLanes == 0 &&
                 width % kVectorLanes == 0;
  if (!isWhole)
    b.useScalars();

  /// Returns the position of element `element` of a patch in the image.
  /// `corner` is the position of the first pixel of the patch in channel 0.
  auto getPixel = [&](Value corner, Value element) {
    Value x, y, channel;
    if (channelsFirst) {
      x = b.rem(element, patchWidth);
      y = b.rem(b.div(element, patchWidth), patchHeight);
      channel = b.div(element, patchWidth * patchHeight);
    } else {
      channel = b.rem(element, channels);
      x = b.rem(b.div(element, channels), patchWidth);
      y = b.div(element, channels * patchWidth);
    }
    return b.add(corner, b.add(b.mul(channel, height * width),
                               b.add(b.mul(y, width), x)));
  };
  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value image = b.div(row, shape.tokens), token = b.rem(row, shape.tokens);
    Value top = b.mul(b.div(token, across), patchHeight);
    Value left = b.mul(b.rem(token, across), patchWidth);
    Value corner = b.add(b.mul(image, channels * height * width),
                         b.add(b.mul(top, width), left));
    // For padding, read the last elements of the patch instead.
    auto bound = [&](Value element, int64_t last) {
      return shape.hasPaddedChannels() ? b.min(element, b.index(last))
                                       : element;
    };
    Value element = b.mul(vector, kVectorLanes), value;
    if (isWhole) {
      element = bound(element, shape.width - kVectorLanes);
      value = b.load4(0, b.div(getPixel(corner, element), kVectorLanes));
    } else {
      SmallVector<Value> lanes;
      for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
        Value bounded = bound(b.add(element, lane), shape.width - 1);
        lanes.push_back(b.load(0, getPixel(corner, bounded)));
      }
      value = b.fromElements(lanes);
    }
    b.store4(maskChannels(b, shape, vector, value), 1, item);
  });
}

//===----------------------------------------------------------------------===//
// Ranges of channels
//===----------------------------------------------------------------------===//

/// Emits a kernel whose result consists of channels of its operands: `begin` is
/// the first one in an operand. A thread computes one vector of the result at a
/// time if all ranges begin and end at vectors, else one element.
static FailureOr<KernelInfo> emitChannels(Operation *op, SimtBuilder &b,
                                          int64_t begin) {
  FailureOr<Activation> shape = Activation::get(op, tensorOf(op->getResult(0)));
  if (failed(shape))
    return failure();
  if (shape->group != 0 || !tensorOf(op->getResult(0)).getElementType().isF32())
    return op->emitOpError("needs a result of f32 without groups where it has ")
           << op->getResult(0).getType();
  SmallVector<Channels> inputs;
  bool isWhole = begin % kVectorLanes == 0 && shape->width % kVectorLanes == 0;
  for (Value operand : op->getOperands()) {
    if (failed(Activation::get(op, tensorOf(operand))))
      return failure();
    Channels input = Channels::get(tensorOf(operand));
    isWhole &= input.group == 0 && input.width % kVectorLanes == 0;
    inputs.push_back(input);
  }
  if (!isWhole)
    b.useScalars();
  unsigned result = op->getNumOperands();
  int64_t step = isWhole ? kVectorLanes : 1;
  int64_t perRow = shape->vectors * kVectorLanes / step;
  int64_t perUnit = b.threads() * kItemsPerThread;
  Value total = b.mul(shape->rows(b), perRow);
  auto copy = [&](unsigned argument, Value at, Value item) {
    if (isWhole)
      b.store4(b.load4(argument, at), result, item);
    else
      b.store(b.load(argument, at), result, item);
  };
  forEachItem(b, total, perUnit, [&](Value item) {
    Value row = b.div(item, perRow), place = b.rem(item, perRow);
    // Emits the cases for operand `i`, whose channels begin at `first`, and all
    // after it.
    auto emitFrom = [&](auto &self, unsigned i, int64_t first) -> void {
      if (first == shape->width) { // padding
        if (isWhole)
          b.store4(b.splat(0), result, item);
        else
          b.store(b.scalar(0), result, item);
        return;
      }
      const Channels &input = inputs[i];
      int64_t end = std::min(first + input.width - begin, shape->width);
      auto take = [&] {
        Value channel =
            b.add(b.sub(place, b.index(first / step)), begin / step);
        Value at = isWhole ? channel : input.place(b, channel);
        copy(i, b.add(b.mul(row, input.padded / step), at), item);
      };
      if (end == perRow * step)
        return take();
      b.ifThen(b.isLess(place, b.index(end / step)), take,
               [&] { self(self, i + 1, end); });
    };
    emitFrom(emitFrom, 0, 0);
  });
  return shape->getInfo(op, perRow, perUnit);
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::ConcatChannelsOp op,
                                            SimtBuilder &b) {
  return emitChannels(op, b, /*begin=*/0);
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::TakeChannelsOp op,
                                            SimtBuilder &b) {
  return emitChannels(op, b, op.getStart());
}
