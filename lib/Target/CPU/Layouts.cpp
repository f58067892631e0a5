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

static KernelInfo getInfo(Operation *op, RankedTensorType blocked) {
  KernelInfo info;
  info.units = kernel::getRowBlocks(blocked);
  info.flop = kernel::ExtentAttr::get(op->getContext(), 0, 1, 1);
  return info;
}

/// Calls `body` for each channel vector of a row with its number, its first
/// logical channel, and how many of its lanes are channels.
static void forEachVector(
    KernelBuilder &b, const Blocked &shape,
    function_ref<void(Value vector, Value channel, int64_t lanes)> body) {
  int64_t run = shape.group == 0 ? shape.width : shape.group;
  int64_t whole = run / kChannelPad,
          vectors = llvm::divideCeil(run, kChannelPad);
  auto visitRun = [&](Value firstVector, Value firstChannel) {
    if (whole > 0)
      b.loop(0, whole, [&](Value i) {
        body(b.add(firstVector, i), b.add(firstChannel, b.mul(i, kChannelPad)),
             kChannelPad);
      });
    if (run % kChannelPad != 0)
      body(b.add(firstVector, whole), b.add(firstChannel, whole * kChannelPad),
           run % kChannelPad);
  };
  if (shape.group == 0)
    return visitRun(b.index(0), b.index(0));
  b.loop(0, shape.width / shape.group, [&](Value group) {
    visitRun(b.mul(group, vectors), b.mul(group, run));
  });
}

/// Calls `body` for each row of the blocks [begin, end) with its number in the
/// row-major buffer and its offset in the blocked one. Calls `padding` for
/// padded rows.
static void
forEachRow(KernelBuilder &b, const Blocked &shape,
           function_ref<void(Value image, Value token, Value offset)> body,
           function_ref<void(Value offset)> padding) {
  b.loop(b.begin(), b.end(), [&](Value i) {
    RowBlock block = getRowBlock(b, shape, i);
    b.loop(0, shape.rows, [&](Value r) {
      Value row = b.add(b.mul(block.local, shape.rows), r);
      Value offset = b.add(block.base, b.mul(r, kChannelPad));
      bool perImage = shape.isPerImage();
      auto visit = [&] {
        Value image = perImage ? b.div(i, shape.blocksPerImage) : row;
        body(image, perImage ? row : b.index(0), offset);
      };
      Value inside =
          b.isLess(row, perImage ? b.index(shape.tokens) : b.batch());
      if (padding)
        b.ifThen(inside, visit, [&] { padding(offset); });
      else
        b.ifThen(inside, visit);
    });
  });
}

static void storeZeroRow(KernelBuilder &b, const Blocked &shape, Value buffer,
                         Value offset) {
  b.loop(0, shape.channelBlocks, [&](Value v) {
    b.store(b.splat(0), buffer,
            b.add(offset, b.mul(v, shape.vectorElements())));
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
  FailureOr<Blocked> shape = Blocked::get(op, toBlocked ? to : from);
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
    auto getChannelOffset = [&](const Blocked &s, Value channel) {
      if (s.group != 0)
        channel = b.add(
            b.mul(b.div(channel, s.group), kernel::padTo(s.group, kChannelPad)),
            b.rem(channel, s.group));
      return b.add(b.mul(b.div(channel, kChannelPad), s.vectorElements()),
                   b.rem(channel, kChannelPad));
    };
    forEachRow(
        b, *shape,
        [&](Value image, Value token, Value offset) {
          storeZeroRow(b, *shape, target, offset);
          Value row = shape->isPerImage() ? token : image;
          Value block = b.div(row, old->rows);
          if (shape->isPerImage())
            block = b.add(b.mul(image, old->blocksPerImage), block);
          Value base = b.add(b.mul(block, old->blockElements()),
                             b.mul(b.rem(row, old->rows), kChannelPad));
          b.loop(0, shape->width, [&](Value channel) {
            Value x = b.loadScalar(
                source, b.add(base, getChannelOffset(*old, channel)));
            b.storeScalar(x, target,
                          b.add(offset, getChannelOffset(*shape, channel)));
          });
        },
        [&](Value offset) { storeZeroRow(b, *shape, target, offset); });
  } else if (toBlocked) {
    forEachRow(
        b, *shape,
        [&](Value image, Value token, Value offset) {
          Value base = getRowMajor(image, token);
          forEachVector(b, *shape, [&](Value v, Value channel, int64_t lanes) {
            b.store(b.loadLanes(source, b.add(base, channel), lanes), target,
                    b.add(offset, b.mul(v, shape->vectorElements())));
          });
        },
        [&](Value offset) { storeZeroRow(b, *shape, target, offset); });
  } else {
    forEachRow(
        b, *shape,
        [&](Value image, Value token, Value offset) {
          Value base = getRowMajor(image, token);
          forEachVector(b, *shape, [&](Value v, Value channel, int64_t lanes) {
            Value x = b.load(source,
                             b.add(offset, b.mul(v, shape->vectorElements())));
            b.storeLanes(x, target, b.add(base, channel), lanes);
          });
        },
        nullptr);
  }
  return getInfo(op, toBlocked ? to : from);
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
  forEachRow(b, *shape, visit,
             [&](Value offset) { storeZeroRow(b, *shape, target, offset); });
  return getInfo(op, op.getResult().getType());
}
