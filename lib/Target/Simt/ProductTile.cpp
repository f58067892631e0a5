//===- ProductTile.cpp - The tile of a product that a workgroup computes --===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProductEmitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

bool ThreadTile::isWhole(kernel::TileAttr tile, int64_t rowLanes) {
  return tile.getThreadRows() % rowLanes == 0 &&
         tile.getThreadCols() % kVectorLanes == 0 &&
         tile.getRows() % tile.getThreadRows() == 0 &&
         tile.getCols() % tile.getThreadCols() == 0 &&
         tile.getThreads() * tile.getThreadRows() * tile.getThreadCols() ==
             tile.getRows() * tile.getCols();
}

void ThreadTile::place(SimtBuilder &b, kernel::TileAttr tile, Value rowTiles,
                       int64_t rowLanes) {
  across = tile.getCols() / tile.getThreadCols();
  down = tile.getRows() / tile.getThreadRows();
  firstRow = b.mul(b.rem(b.unit(), rowTiles), tile.getRows() / rowLanes);
  firstVector = b.mul(b.div(b.unit(), rowTiles), tile.getCols() / kVectorLanes);
  Value row = b.add(firstRow, b.div(b.thread(), across));
  Value vector = b.add(firstVector, b.rem(b.thread(), across));
  for (int64_t i = 0; i < tile.getThreadRows() / rowLanes; ++i)
    threadRow.push_back(b.add(row, i * down));
  for (int64_t j = 0; j < tile.getThreadCols() / kVectorLanes; ++j)
    threadVector.push_back(b.add(vector, j * across));
}

ProductTile::ProductTile(kernel::GemmOp op, SimtBuilder &b,
                         const Activation &input, const Activation &result,
                         const Epilogue &epilogue)
    : op(op), b(b), input(input), result(result), epilogue(epilogue),
      tile(op.getTile()) {
  threadRows = tile.getThreadRows();
  threadVectors = tile.getThreadCols() / kVectorLanes;
  isRagged = result.vectors * kVectorLanes % tile.getCols() != 0;

  rows = result.rows(b);
  Value rowTiles = b.div(b.add(rows, tile.getRows() - 1), tile.getRows());
  place(b, tile, rowTiles, /*rowLanes=*/1);
}

void ProductTile::store(ArrayRef<Value> sums) const {
  SmallVector<SmallVector<Value>> channels;
  for (Value vector : threadVector)
    channels.push_back(epilogue.loadChannels(clampVector(vector)));
  auto storeRow = [&](Value row, ValueRange values) {
    auto storeVector = [&](int64_t j) {
      Value vector = threadVector[j];
      Value offset = b.add(b.mul(row, result.vectors), vector);
      b.store4(epilogue.apply(values[j], channels[j], row, vector, offset),
               op->getNumOperands(), offset);
    };
    b.ifThen(b.isLess(row, rows), [&] {
      for (int64_t j = 0; j < threadVectors; ++j)
        if (isRagged)
          b.ifThen(b.isLess(threadVector[j], b.index(result.vectors)),
                   [&] { storeVector(j); });
        else
          storeVector(j);
    });
  };
  if (!b.level.isDirect) {
    for (int64_t i = 0; i < threadRows; ++i)
      storeRow(threadRow[i], sums.slice(i * threadVectors, threadVectors));
    return;
  }
  // A loop that stores the sums of the first row, then moves those of all rows
  // up: drivers of CPU devices take long to compile stores, and the moves are
  // cheap.
  b.loop(threadRows, sums, [&](Value i, ValueRange values) {
    storeRow(b.add(threadRow[0], b.mul(i, down)), values);
    SmallVector<Value> next(values);
    std::rotate(next.begin(), next.begin() + threadVectors, next.end());
    return next;
  });
}

Value ProductTile::getItem(Copy &copy, int64_t first) const {
  copy.item.push_back(b.add(b.thread(), first));
  return first + tile.getThreads() > copy.items
             ? b.min(copy.item.back(), b.index(copy.items - 1))
             : copy.item.back();
}

void ProductTile::putShared(const Copy &copy, ArrayRef<Value> values,
                            Value base) const {
  size_t each = copy.offsets.size();
  for (auto [i, target] : llvm::enumerate(copy.target)) {
    auto put = [&, i = i, target = target] {
      for (auto [j, offset] : llvm::enumerate(copy.offsets))
        b.storeShared(values[i * each + j], copy.shared,
                      b.add(b.add(base, target), offset));
    };
    bool isWhole =
        copy.items % tile.getThreads() == 0 || i + 1 < copy.target.size();
    if (isWhole)
      put();
    else
      b.ifThen(b.isLess(copy.item[i], b.index(copy.items)), put);
  }
}

SmallVector<Value> ProductTile::stage(ArrayRef<Copy> copies, int64_t steps,
                                      size_t count, Load load, Loop loop,
                                      Multiply multiply) const {
  auto fetch = [&](Value step) {
    SmallVector<Value> values;
    for (const Copy &copy : copies)
      for (auto [source, stride] : llvm::zip(copy.source, copy.stride))
        llvm::append_range(
            values, load(copy.operand, b.add(source, b.mul(step, stride))));
    return values;
  };
  return loop(steps, fetch(b.index(0)), [&](Value step, ValueRange carried) {
    Value buffer = b.rem(step, 2);
    SmallVector<Value> sums(carried), base;
    ArrayRef<Value> fetched = ArrayRef<Value>(sums).drop_front(count);
    for (const Copy &copy : copies) {
      base.push_back(b.mul(buffer, copy.total()));
      size_t values = copy.target.size() * copy.offsets.size();
      putShared(copy, fetched.take_front(values), base.back());
      fetched = fetched.drop_front(values);
    }
    b.barrier();
    SmallVector<Value> next = fetch(b.min(b.add(step, 1), b.index(steps - 1)));
    sums.resize(count);
    multiply(sums, base[0], base[1]);
    sums.append(next);
    return sums;
  });
}

LogicalResult ProductTile::verify(kernel::GemmOp op, int64_t depth,
                                  int64_t granule) {
  kernel::TileAttr tile = op.getTile();
  if (isWhole(tile, /*rowLanes=*/1) &&
      (tile.getChunk() == 1 ||
       (tile.getChunk() % granule == 0 && depth % tile.getChunk() == 0)))
    return success();
  return op.emitOpError("has a tile that its threads do not cover, or a chunk "
                        "that does not divide the depth: ")
         << tile;
}
