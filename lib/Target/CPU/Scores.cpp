//===- Scores.cpp - Products of two operands' heads -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

Scores::Scores(KernelBuilder &b, const Blocked &rows, const Blocked &others,
               int64_t headVectors)
    : b(b), rows(rows), others(others), headVectors(headVectors),
      vectors(llvm::divideCeil(others.blocksPerImage * others.rows,
                               kVectorLanes)) {}

SmallVector<std::pair<int64_t, int64_t>>
mlir::vit::cpu::divideEvenly(KernelBuilder &b, int64_t rows, int64_t vectors) {
  // A narrow strip has too few accumulators to hide the latency of FMA.
  int64_t wide = 1;
  while (wide < vectors && wide < 4 &&
         b.stripVectors(rows, wide + 1) == wide + 1)
    ++wide;
  int64_t count = llvm::divideCeil(vectors, wide);
  int64_t narrow = vectors / count, wider = vectors % count;
  SmallVector<std::pair<int64_t, int64_t>> strips;
  if (wider > 0)
    strips.push_back({narrow + 1, wider});
  strips.push_back({narrow, count - wider});
  return strips;
}

void Scores::transpose(Value source, Value base, Value transposed) const {
  Value lastRow = b.index(others.blocksPerImage * others.rows - 1);
  auto transposeVector = [&](Value vector, Value target, int64_t stride) {
    // Repeat the last row after the end. Those scores are not used.
    SmallVector<Value> offsets;
    for (int64_t i = 0; i < kVectorLanes; ++i) {
      Value row = b.min(b.add(b.mul(vector, kVectorLanes), i), lastRow);
      offsets.push_back(b.add(
          base, b.add(b.mul(b.div(row, others.rows), others.blockElements()),
                      b.mul(b.rem(row, others.rows), kChannelPad))));
    }
    b.loop(0, headVectors, [&](Value v) {
      SmallVector<Value> loaded;
      Value from = b.mul(v, others.vectorElements());
      for (Value offset : offsets)
        loaded.push_back(b.load(source, b.add(offset, from)));
      Value to = b.add(target, b.mul(v, kChannelPad * stride));
      for (auto [i, row] : llvm::enumerate(transposeVectors(b, loaded)))
        b.store(row, transposed, b.add(to, i * stride));
    });
  };
  int64_t first = 0;
  for (auto [width, count] : getPanels()) {
    int64_t begin = first, panelWidth = width;
    b.loop(0, count * width, [&](Value i) {
      Value panel = b.div(i, panelWidth), v = b.rem(i, panelWidth);
      Value target = b.add(b.mul(panel, panelWidth * kVectorLanes * depth()),
                           b.mul(v, kVectorLanes));
      transposeVector(b.add(i, begin),
                      b.add(target, begin * kVectorLanes * depth()),
                      panelWidth * kVectorLanes);
    });
    first += count * width;
  }
}

void Scores::multiply(Value source, Value base, Value transposed, Value target,
                      Value targetBase, Value blocks) const {
  int64_t first = 0;
  for (auto [width, count] : getPanels()) {
    int64_t begin = first, panelWidth = width;
    b.loop(0, count, [&](Value panel) {
      auto multiplyBlock = [&](Value base, Value targetBase) {
        Tile tile;
        tile.rows = rows.rows;
        tile.vectors = panelWidth;
        tile.steps = headVectors;
        tile.unroll = kChannelPad;
        tile.left = source;
        tile.leftBase = base;
        tile.leftRow = kChannelPad;
        tile.leftStep = rows.vectorElements();
        tile.right = transposed;
        tile.rightBase =
            b.add(b.mul(panel, panelWidth * kVectorLanes * depth()),
                  begin * kVectorLanes * depth());
        tile.rightDepth = panelWidth * kVectorLanes;
        tile.rightStep = tile.rightDepth * kChannelPad;
        tile.rightVector = kVectorLanes;
        // The next row block is not in the cache: prefetch its lines while the
        // first panel is multiplied.
        auto fetch = [&](Value step) {
          if (begin > 0)
            return;
          Value next = b.add(base, b.mul(step, rows.vectorElements()));
          prefetch(b, source, b.add(next, rows.blockElements()), rows.rows,
                   /*hint=*/3);
        };
        SmallVector<Value> sums = emitTile(b, tile, fetch);
        Value to =
            b.add(targetBase, b.add(b.mul(panel, panelWidth * kVectorLanes),
                                    begin * kVectorLanes));
        for (int64_t row = 0; row < tile.rows; ++row)
          for (int64_t v = 0; v < panelWidth; ++v)
            b.store(sums[row * panelWidth + v], target,
                    b.add(to, row * rowElements() + v * kVectorLanes));
      };
      if (!blocks)
        return multiplyBlock(base, targetBase);
      b.loop(b.index(0), blocks, [&](Value i) {
        multiplyBlock(b.add(base, b.mul(i, rows.blockElements())),
                      b.add(targetBase, b.mul(i, rows.rows * rowElements())));
      });
    });
    first += count * width;
  }
}

LogicalResult mlir::vit::cpu::verifyHeads(Operation *op, const Blocked &shape,
                                          int64_t headDim, int64_t offset,
                                          int64_t rows) {
  if (kernel::areHeadsAligned(shape.group, headDim, offset, shape.line) &&
      shape.rows == rows && shape.isPerImage())
    return success();
  return op->emitOpError("has heads of ")
         << headDim << " channels that do not begin at a vector, or "
         << "unequal row blocks; run vit-layout first";
}

Value mlir::vit::cpu::getHeadOffset(KernelBuilder &b, const Blocked &shape,
                                    Value base, Value head, int64_t headLines,
                                    int64_t offset) {
  int64_t first =
      kernel::paddedChannel(offset, shape.group, shape.line) / shape.line;
  Value line = b.add(b.mul(head, headLines), first);
  return b.add(base, b.mul(line, shape.lineElements()));
}
