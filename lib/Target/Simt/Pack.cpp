//===- Pack.cpp - Forms of variables, made in each step -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Does in each step what the runtime's derivation of stored forms does at load.
// A thread takes one element of the result at a time, or of 16 bits a vector,
// and finds out which element of the stacked sources it is, if any.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

/// A dimension of `width` channels, padded.
static Activation getDimension(int64_t width, int64_t group) {
  return Activation{1, width, group,
                    kernel::paddedChannels(width, group) / kVectorLanes};
}

/// Returns the row-major element of [out, in] that is at position `item` in
/// panels.
static Channel getInPanels(SimtBuilder &b, RankedTensorType type,
                           kernel::PanelsAttr panels, Value item) {
  Activation out = getDimension(type.getDimSize(0), panels.getOutGroup());
  Activation in = getDimension(type.getDimSize(1), panels.getInGroup());
  bool transposed = panels.getTransposed();
  const Activation &across = transposed ? in : out;
  int64_t depth = (transposed ? out : in).vectors * kVectorLanes;
  int64_t total = across.vectors * kVectorLanes;
  int64_t columns = std::min<int64_t>(panels.getCols(), total);

  Value panel = b.div(item, columns * depth);
  Value inPanel = b.rem(item, columns * depth);
  Value width = b.index(columns); // of this panel; the last may be narrower
  if (int64_t last = total % columns)
    width = b.select(b.isLess(panel, b.index(total / columns)), width,
                     b.index(last));
  Value column = b.add(b.mul(panel, columns), b.rem(inPanel, width));
  Value row = b.div(inPanel, width);
  Channel o = out.getChannel(b, transposed ? row : column);
  Channel i = in.getChannel(b, transposed ? column : row);
  return {b.add(b.mul(o.number, in.width), i.number),
          b.both(o.exists, i.exists)};
}

/// As above, for rows of padded channels.
static Channel getInRows(SimtBuilder &b, const Activation &row, Value item) {
  Value number = b.div(item, row.vectors * kVectorLanes);
  Channel channel = row.getChannel(b, b.rem(item, row.vectors * kVectorLanes));
  return {b.add(b.mul(number, row.width), channel.number), channel.exists};
}

/// As above, without a layout.
static Channel getInFlat(SimtBuilder &b, RankedTensorType type, Value item) {
  return {item, b.isLess(item, b.index(type.getNumElements()))};
}

/// Returns the value of `element` of the stacked sources, 0 if there is none.
static Value loadStacked(kernel::PackOp op, SimtBuilder &b,
                         const Channel &element) {
  Value value = b.scalar(0);
  int64_t start = 0;
  for (auto [i, source] : llvm::enumerate(op.getSources())) {
    int64_t count = tensorOf(source).getNumElements();
    Value isHere =
        b.both(element.exists,
               b.both(b.isAtLeast(element.number, b.index(start)),
                      b.isLess(element.number, b.index(start + count))));
    Value at =
        b.select(isHere, b.sub(element.number, b.index(start)), b.index(0));
    value = b.select(isHere, b.load(i, at), value);
    start += count;
  }
  return value;
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::PackOp op, SimtBuilder &b) {
  RankedTensorType type = op.getResult().getType();
  Attribute layout = type.getEncoding();
  auto panels = dyn_cast_if_present<kernel::PanelsAttr>(layout);
  auto channels = dyn_cast_if_present<kernel::ChannelsAttr>(layout);
  bool isNarrow = kernel::isNarrowFloat(type.getElementType());
  if ((layout && !panels && !channels) || (isNarrow && !panels) ||
      (!isNarrow && !type.getElementType().isF32()))
    return op.emitOpError("has no GPU code to make ") << type;
  for (Value source : op.getSources())
    if (failed(Activation::getFlat(op, source.getType())))
      return failure();
  int64_t total =
      kernel::getBytes(type).getTimes() * 8 / type.getElementTypeBitWidth();
  Activation row{};
  if (channels)
    row = getDimension(type.getShape().back(), channels.getGroup());
  unsigned result = op->getNumOperands();
  if (isNarrow)
    return emitPerItem(op, b, total / kVectorLanes, [&](Value item) {
      Value first = b.mul(item, kVectorLanes);
      SmallVector<Value> lanes;
      for (int64_t lane = 0; lane < kVectorLanes; ++lane)
        lanes.push_back(loadStacked(
            op, b, getInPanels(b, type, panels, b.add(first, lane))));
      b.store4(b.fromElements(lanes), result, item);
    });

  b.useScalars();
  return emitPerItem(op, b, total, [&](Value item) {
    Channel element = panels     ? getInPanels(b, type, panels, item)
                      : channels ? getInRows(b, row, item)
                                 : getInFlat(b, type, item);
    auto copy = [&] {
      int64_t start = 0;
      for (auto [i, source] : llvm::enumerate(op.getSources())) {
        int64_t count = tensorOf(source).getNumElements();
        auto copyFrom = [&, i = i] {
          // A source of one element stands for a whole vector.
          Value at =
              count == 1 ? b.index(0) : b.sub(element.number, b.index(start));
          b.store(b.load(i, at), result, item);
        };
        if (op.getSources().size() == 1) {
          copyFrom();
        } else {
          Value isHere =
              b.both(b.isAtLeast(element.number, b.index(start)),
                     b.isLess(element.number, b.index(start + count)));
          b.ifThen(isHere, copyFrom);
        }
        start += count;
      }
    };
    b.ifThen(element.exists, copy, [&] { b.store(b.scalar(0), result, item); });
  });
}
