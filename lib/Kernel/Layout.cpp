//===- Layout.cpp - Where a tensor's elements are in memory ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Kernel/Layout.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace mlir::vit::kernel;

BlockedShape BlockedShape::get(RankedTensorType type) {
  auto blocked = cast<BlockedAttr>(type.getEncoding());
  BlockedShape shape;
  shape.rows = blocked.getRows();
  shape.tokens = type.getRank() == 3 ? type.getDimSize(1) : 0;
  shape.line = lineChannels(type);
  shape.channelBlocks =
      paddedChannels(type.getShape().back(), blocked.getGroup(), shape.line) /
      kChannelPad;
  shape.blocksPerImage = (shape.tokens + shape.rows - 1) / shape.rows;
  return shape;
}

/// Elements, padding included, of a value that is not blocked.
static int64_t getElements(ArrayRef<int64_t> shape, Type element,
                           Attribute encoding) {
  if (shape.empty())
    return 1;
  int64_t leading = 1;
  for (int64_t size : shape.drop_back())
    leading *= size;
  if (auto panels = dyn_cast_or_null<PanelsAttr>(encoding)) {
    int64_t columns = leading, depth = shape.back();
    int64_t columnGroup = panels.getOutGroup(),
            depthGroup = panels.getInGroup();
    if (panels.getTransposed()) {
      std::swap(columns, depth);
      std::swap(columnGroup, depthGroup);
    }
    // As a row of the other operand; panels of one column are for GPUs.
    int64_t pad = panels.getCols() == 1 ? kChannelPad : lineElements(element);
    return paddedChannels(columns, columnGroup) *
           (paddedChannels(depth, depthGroup, pad) +
            (panels.getInterleave() == 1 ? 0 : extraDepth(element)));
  }
  if (auto channels = dyn_cast_or_null<ChannelsAttr>(encoding))
    return leading * paddedChannels(shape.back(), channels.getGroup());
  return leading * shape.back();
}

ExtentAttr vit::kernel::getBytes(RankedTensorType type) {
  MLIRContext *context = type.getContext();
  int64_t elementBytes = type.getElementTypeBitWidth() / 8;
  if (isa_and_nonnull<BlockedAttr>(type.getEncoding())) {
    BlockedShape shape = BlockedShape::get(type);
    int64_t blockBytes = shape.blockElements() * elementBytes;
    if (shape.tokens == 0)
      return ExtentAttr::get(context, blockBytes, 1, shape.rows);
    return ExtentAttr::get(context, blockBytes * shape.blocksPerImage, 1, 1);
  }
  ArrayRef<int64_t> shape = type.getShape();
  bool hasBatch = !type.hasStaticShape();
  int64_t elements = getElements(hasBatch ? shape.drop_front() : shape,
                                 type.getElementType(), type.getEncoding());
  if (!hasBatch && !type.getEncoding() && type.getRank() > 0)
    elements = occupiedElements(elements);
  return ExtentAttr::get(context, elements * elementBytes, 1,
                         hasBatch ? 1 : kNoBatch);
}

ExtentAttr vit::kernel::getRowBlocks(RankedTensorType type) {
  BlockedShape shape = BlockedShape::get(type);
  if (shape.tokens == 0)
    return ExtentAttr::get(type.getContext(), 1, 1, shape.rows);
  return ExtentAttr::get(type.getContext(), shape.blocksPerImage, 1, 1);
}
