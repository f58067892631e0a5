//===- Blocked.cpp - Blocked activations, block by block ---===//
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

int64_t Blocked::lanes(int64_t vector) const {
  if (group == 0)
    return std::min(kLanes, width - vector * kLanes);
  int64_t vectors = kernel::padTo(group, kLanes) / kLanes;
  return std::min(kLanes, group - vector % vectors * kLanes);
}

bool Blocked::hasPaddedChannels() const {
  return (group == 0 ? width : group) % kLanes != 0;
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
