//===- Blocked.cpp - Blocked activations, block by block ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

FailureOr<Blocked> Blocked::get(Operation *op, RankedTensorType type) {
  auto encoding = dyn_cast_if_present<kernel::BlockedAttr>(type.getEncoding());
  if (!encoding || (type.getRank() != 2 && type.getRank() != 3)) {
    op->emitOpError("needs #kernel.blocked where it has ")
        << type << "; run vit-tile and vit-layout first";
    return failure();
  }
  if (!type.getElementType().isF32()) {
    op->emitOpError("has no CPU code for elements of ")
        << type.getElementType() << "; use f32";
    return failure();
  }
  Blocked shape;
  static_cast<kernel::BlockedShape &>(shape) = kernel::BlockedShape::get(type);
  shape.width = type.getShape().back();
  shape.group = encoding.getGroup();
  return shape;
}

int64_t Channels::lanes(int64_t vector) const {
  if (group == 0)
    return std::min(kChannelPad, width - vector * kChannelPad);
  int64_t vectors = kernel::padTo(group, kChannelPad) / kChannelPad;
  return std::min(kChannelPad, group - vector % vectors * kChannelPad);
}

bool Channels::hasPaddedChannels() const {
  return (group == 0 ? width : group) % kChannelPad != 0;
}

bool Blocked::mayBePadding(int64_t row) const {
  if (!isPerImage())
    return row > 0;
  int64_t used = tokens % rows;
  return used != 0 && row >= used;
}

RowBlock mlir::vit::cpu::getRowBlock(KernelBuilder &b, const Blocked &shape,
                                     Value block) {
  RowBlock result;
  result.block = block;
  result.base = b.mul(block, shape.blockElements());
  result.local = block;
  if (!shape.isPerImage())
    return result;
  result.local = b.rem(block, shape.blocksPerImage);
  if (shape.tokens % shape.rows != 0)
    result.isShort = b.isEqual(result.local, b.index(shape.blocksPerImage - 1));
  return result;
}

Value mlir::vit::cpu::getRowBlocks(KernelBuilder &b, const Blocked &shape) {
  if (shape.isPerImage())
    return b.mul(b.batch(), shape.blocksPerImage);
  return b.div(b.add(b.batch(), shape.rows - 1), shape.rows);
}

Value mlir::vit::cpu::zeroPaddedRow(KernelBuilder &b, const Blocked &shape,
                                    const RowBlock &block, int64_t row,
                                    Value vector) {
  if (!shape.mayBePadding(row))
    return vector;
  if (shape.isPerImage())
    return b.select(block.isShort, b.splat(0), vector);
  Value image = b.add(b.mul(block.block, shape.rows), row);
  return b.select(b.isLess(image, b.batch()), vector, b.splat(0));
}

Value mlir::vit::cpu::getRowOffset(KernelBuilder &b, const Blocked &shape,
                                   Value image, Value row) {
  Value block = b.div(row, shape.rows);
  if (shape.isPerImage())
    block = b.add(b.mul(image, shape.blocksPerImage), block);
  return b.add(b.mul(block, shape.blockElements()),
               b.mul(b.rem(row, shape.rows), kChannelPad));
}

void mlir::vit::cpu::forEachResultRow(
    KernelBuilder &b, const Blocked &shape, Value result,
    function_ref<void(Value image, Value token, Value offset)> body) {
  b.loop(b.begin(), b.end(), [&](Value i) {
    RowBlock block = getRowBlock(b, shape, i);
    b.loop(0, shape.rows, [&](Value r) {
      Value row = b.add(b.mul(block.local, shape.rows), r);
      Value offset = b.add(block.base, b.mul(r, kChannelPad));
      bool perImage = shape.isPerImage();
      Value rows = perImage ? b.index(shape.tokens) : b.batch();
      b.ifThen(
          b.isLess(row, rows),
          [&] {
            Value image = perImage ? b.div(i, shape.blocksPerImage) : row;
            body(image, perImage ? row : b.index(0), offset);
          },
          [&] {
            b.loop(0, shape.channelBlocks, [&](Value v) {
              b.store(b.splat(0), result,
                      b.add(offset, b.mul(v, shape.vectorElements())));
            });
          });
    });
  });
}

KernelInfo mlir::vit::cpu::getRowBlockInfo(RankedTensorType type) {
  KernelInfo info;
  info.units = kernel::getRowBlocks(type);
  info.flop = kernel::ExtentAttr::get(type.getContext(), 0, 1, 1);
  return info;
}

SmallVector<Value> mlir::vit::cpu::transposeVectors(KernelBuilder &b,
                                                    SmallVector<Value> rows) {
  // For each bit, exchange that bit of the lane number with that of the row
  // number.
  for (int64_t bit = 1; bit < kVectorLanes; bit *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      int64_t other =
          lane & bit ? kVectorLanes : 0; // lanes of the second operand
      low.push_back(other + (lane & ~bit));
      high.push_back(other + (lane | bit));
    }
    SmallVector<Value> next(kVectorLanes);
    for (int64_t row = 0; row < kVectorLanes; ++row) {
      if (row & bit)
        continue;
      next[row] = b.shuffle(rows[row], rows[row | bit], low);
      next[row | bit] = b.shuffle(rows[row], rows[row | bit], high);
    }
    rows = next;
  }
  return rows;
}
