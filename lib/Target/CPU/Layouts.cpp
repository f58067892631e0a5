//===- Layouts.cpp - Pictures to patches, row-major to blocked and back ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The row-major buffer may be the user's memory. It need not be aligned, and no
// element outside of it is read or written. A work unit is one row block of the
// blocked buffer.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

/// Calls `body` for each channel vector of a row with its number, its first
/// logical channel, and how many of its lanes are channels.
static void forEachChannelVector(
    KernelBuilder &b, const Blocked &shape,
    function_ref<void(Value vector, Value channel, int64_t lanes)> body) {
  int64_t run = shape.group == 0 ? shape.width : shape.group;
  int64_t vectors = llvm::divideCeil(run, kChannelPad);
  auto visitRun = [&](Value firstVector, Value firstChannel) {
    forEachVector(b, run, {}, [&](Value i, int64_t lanes, Carried) {
      body(b.add(firstVector, i), b.add(firstChannel, b.mul(i, kChannelPad)),
           lanes);
      return Carried();
    });
  };
  if (shape.group == 0)
    return visitRun(b.index(0), b.index(0));
  b.loop(0, shape.width / shape.group, [&](Value group) {
    visitRun(b.mul(group, vectors), b.mul(group, run));
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::RelayoutOp op,
                                           KernelBuilder &b) {
  RankedTensorType from = op.getInput().getType();
  RankedTensorType to = op.getResult().getType();
  bool fromBlocked = isa_and_present<kernel::BlockedAttr>(from.getEncoding());
  bool toBlocked = isa_and_present<kernel::BlockedAttr>(to.getEncoding());
  if ((fromBlocked && to.getEncoding() && !toBlocked) ||
      (toBlocked && from.getEncoding() && !fromBlocked) ||
      (!fromBlocked && !toBlocked))
    return op.emitOpError("has no code from ") << from << " to " << to;
  bool onlyF32 = fromBlocked && toBlocked;
  FailureOr<Blocked> shape = Blocked::get(
      op, toBlocked ? to : from, onlyF32 ? Elements::F32 : Elements::Narrow);
  if (failed(shape))
    return failure();
  Value source = b.argument(0), target = b.argument(1);
  auto getRowMajor = [&](Value image, Value token) {
    Value row =
        shape->isPerImage() ? b.add(b.mul(image, shape->tokens), token) : image;
    return b.mul(row, shape->width);
  };

  if (fromBlocked && toBlocked) {
    // The groups or row blocks differ: copy element by element.
    FailureOr<Blocked> old = Blocked::get(op, from);
    if (failed(old))
      return failure();
    forEachRow(b, *shape, target, [&](Value image, Value token, Value offset) {
      storeZeroRow(b, *shape, target, offset);
      Value base =
          getRowOffset(b, *old, image, shape->isPerImage() ? token : image);
      b.loop(0, shape->width, [&](Value channel) {
        Value x = b.loadScalar(source,
                               b.add(base, getChannelOffset(b, *old, channel)));
        b.storeScalar(x, target,
                      b.add(offset, getChannelOffset(b, *shape, channel)));
      });
    });
  } else {
    forEachRow(b, *shape, toBlocked ? target : Value(),
               [&](Value image, Value token, Value offset) {
                 Value base = getRowMajor(image, token);
                 forEachChannelVector(
                     b, *shape, [&](Value v, Value channel, int64_t lanes) {
                       Value place = b.add(base, channel);
                       if (toBlocked)
                         return storeVector(b, *shape,
                                            b.loadLanes(source, place, lanes),
                                            target, offset, /*row=*/0, v);
                       Value at = b.add(offset, shape->vectorOffset(b, v));
                       b.storeLanes(b.load(source, at), target, place, lanes);
                     });
               });
  }
  return getRowBlockInfo(toBlocked ? to : from);
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::PatchifyOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(shape))
    return failure();
  RankedTensorType picture = op.getInput().getType();
  if (picture.getEncoding() || shape->group != 0)
    return op.emitOpError("needs a row-major picture and a result without "
                          "groups where it has ")
           << picture << " and " << op.getResult().getType();
  int64_t channels = picture.getShape()[1], height = picture.getShape()[2],
          width = picture.getShape()[3];
  int64_t patchHeight = op.getPatch()[0], patchWidth = op.getPatch()[1];
  int64_t across = width / patchWidth;
  bool channelsFirst = op.getOrder() == PixelOrder::chw;
  Value source = b.argument(0), target = b.argument(1);

  // Returns the offset of element `element` of a patch in the row at `offset`.
  auto getTarget = [&](Value offset, Value element) {
    Value vector = b.mul(b.div(element, kChannelPad), shape->vectorElements());
    return b.add(offset, b.add(vector, b.rem(element, kChannelPad)));
  };
  auto visit = [&](Value image, Value token, Value offset) {
    Value top = b.mul(b.div(token, across), patchHeight);
    Value left = b.mul(b.rem(token, across), patchWidth);
    Value corner = b.add(b.mul(image, channels * height * width),
                         b.add(b.mul(top, width), left));
    if (shape->hasPaddedChannels())
      b.store(
          b.splat(0), target,
          b.add(offset, (shape->channelBlocks - 1) * shape->vectorElements()));
    auto forEachLine =
        [&](function_ref<void(Value c, Value y, Value from)> body) {
          b.loop(0, channels, [&](Value c) {
            b.loop(0, patchHeight, [&](Value y) {
              body(c, y,
                   b.add(corner,
                         b.add(b.mul(c, height * width), b.mul(y, width))));
            });
          });
        };
    if (channelsFirst && patchWidth % kVectorLanes == 0) {
      // Copy whole vectors along a line of the image.
      forEachLine([&](Value c, Value y, Value from) {
        Value first =
            b.mul(b.add(b.mul(c, patchHeight), y), patchWidth / kChannelPad);
        for (int64_t x = 0; x < patchWidth / kChannelPad; ++x)
          b.store(
              b.load(source, b.add(from, x * kVectorLanes)), target,
              b.add(offset, b.mul(b.add(first, x), shape->vectorElements())));
      });
      return;
    }
    forEachLine([&](Value c, Value y, Value from) {
      Value first = channelsFirst
                        ? b.mul(b.add(b.mul(c, patchHeight), y), patchWidth)
                        : b.add(b.mul(y, patchWidth * channels), c);
      b.loop(0, patchWidth, [&](Value x) {
        Value element = b.add(first, channelsFirst ? x : b.mul(x, channels));
        b.storeScalar(b.loadScalar(source, b.add(from, x)), target,
                      getTarget(offset, element));
      });
    });
  };
  forEachRow(b, *shape, target, visit);
  return getRowBlockInfo(op.getResult().getType());
}

//===----------------------------------------------------------------------===//
// Ranges of channels
//===----------------------------------------------------------------------===//

namespace {
/// Channels of a row, from logical channel `first` on.
struct ChannelRange {
  const Blocked &shape;
  Value buffer;
  Value row; ///< offset of the row
  int64_t first;

  bool beginsAtVector() const {
    return shape.group == 0 && first % kChannelPad == 0;
  }
  /// Returns the offset of vector `vector` of the range, if it begins at one.
  Value getVector(KernelBuilder &b, Value vector) const {
    return b.add(
        row, b.mul(b.add(vector, first / kChannelPad), shape.vectorElements()));
  }
  Value getElement(KernelBuilder &b, Value channel) const {
    return b.add(row, getChannelOffset(b, shape, b.add(channel, first)));
  }
};
} // namespace

/// Copies `count` channels. The last vector of `to` gets zeros after them if
/// vectors are copied.
static void copyChannels(KernelBuilder &b, const ChannelRange &from,
                         const ChannelRange &to, int64_t count) {
  if (!from.beginsAtVector() || !to.beginsAtVector())
    return b.loop(0, count, [&](Value channel) {
      b.storeScalar(b.loadScalar(from.buffer, from.getElement(b, channel)),
                    to.buffer, to.getElement(b, channel));
    });
  forEachVector(b, count, {}, [&](Value vector, int64_t lanes, Carried) {
    Value channels = b.load(from.buffer, from.getVector(b, vector));
    b.store(b.keepLanes(channels, lanes), to.buffer, to.getVector(b, vector));
    return Carried();
  });
}

/// Emits a kernel whose result, which has no groups, consists of channels of
/// its operands: `begin` is the first one in an operand.
static FailureOr<KernelInfo> emitChannels(Operation *op, KernelBuilder &b,
                                          int64_t begin) {
  RankedTensorType type = tensorOf(op->getResult(0));
  FailureOr<Blocked> shape = Blocked::get(op, type);
  if (failed(shape))
    return failure();
  if (shape->group != 0)
    return op->emitOpError("needs a result without groups where it has ")
           << type;
  SmallVector<Blocked> inputs;
  for (Value operand : op->getOperands()) {
    FailureOr<Blocked> input = Blocked::get(op, tensorOf(operand));
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  Value result = b.argument(op->getNumOperands());
  forEachRow(b, *shape, result, [&](Value image, Value token, Value offset) {
    if (shape->hasPaddedChannels())
      b.store(
          b.splat(0), result,
          b.add(offset, (shape->channelBlocks - 1) * shape->vectorElements()));
    int64_t first = 0;
    for (auto [i, input] : llvm::enumerate(inputs)) {
      Value row =
          getRowOffset(b, input, image, input.isPerImage() ? token : image);
      int64_t count = std::min(input.width - begin, shape->width - first);
      copyChannels(b, {input, b.argument(i), row, begin},
                   {*shape, result, offset, first}, count);
      first += count;
    }
  });
  return getRowBlockInfo(type);
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::ConcatChannelsOp op,
                                           KernelBuilder &b) {
  return emitChannels(op, b, /*begin=*/0);
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::TakeChannelsOp op,
                                           KernelBuilder &b) {
  return emitChannels(op, b, op.getStart());
}
