//===- Packed.cpp - Products of bf16 packed in scratch --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Packed.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

bool mlir::vit::cpu::hasTiles(KernelBuilder &b, Type element) {
  return b.getProduct(element).m > 1;
}

std::pair<Value, Value>
mlir::vit::cpu::interleaveLines(KernelBuilder &b, Value first, Value second) {
  SmallVector<int64_t> lanes[2];
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t i = 0; i < kStepWords; ++i)
      for (int64_t line : {int64_t(0), kStepDepth})
        lanes[half].push_back(line + half * kStepWords + i);
  // As i16: LLVM takes vectors of bf16 apart on levels without bf16.
  auto shuffle = [&](ArrayRef<int64_t> lanes) {
    Value mixed = b.shuffle(b.bitcast(first, b.getI16Type()),
                            b.bitcast(second, b.getI16Type()), lanes);
    return b.bitcast(mixed, b.getBF16Type());
  };
  return {shuffle(lanes[0]), shuffle(lanes[1])};
}

void mlir::vit::cpu::storeTransposed(KernelBuilder &b, ArrayRef<Value> lines,
                                     Value buffer, Value target, Value base) {
  // Two squares of words of two lines each, transposed in a loop: LLVM takes
  // minutes to combine the shuffles of both steps.
  constexpr int64_t half = kStepWords * kStepDepth;
  for (int64_t i = 0; i < kStepWords; ++i) {
    auto [low, high] = interleaveLines(b, lines[2 * i], lines[2 * i + 1]);
    b.storeLine(low, buffer, b.index(i * kStepDepth));
    b.storeLine(high, buffer, b.index(half + i * kStepDepth));
  }
  b.loop(0, 2, [&](Value square) {
    Value offset = b.mul(square, half);
    SmallVector<Value> words;
    for (int64_t i = 0; i < kStepWords; ++i)
      words.push_back(b.bitcast(
          b.loadLine(buffer, b.add(offset, i * kStepDepth)), b.getF32Type()));
    for (auto [i, line] : llvm::enumerate(transposeVectors(b, words)))
      b.storeLine(b.bitcast(line, b.getBF16Type()), target,
                  b.add(base, b.add(offset, int64_t(i) * kStepDepth)));
  });
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

Value PackedHead::getToken(Value token) const {
  token = b.min(token, b.index(shape.tokens - 1));
  return getHeadOffset(b, shape, getRowOffset(b, shape, image, token), head,
                       lines, offset);
}

void PackedHead::storeColumns(Value target, int64_t vectors) const {
  b.loop(0, vectors, [&](Value vector) {
    SmallVector<Value> offsets;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      offsets.push_back(getToken(b.add(b.mul(vector, kVectorLanes), lane)));
    b.loop(0, lines, [&](Value part) {
      Value from = b.mul(part, shape.lineElements());
      SmallVector<Value> words;
      for (Value offset : offsets)
        words.push_back(
            b.bitcast(b.loadLine(buffer, b.add(offset, from)), b.getF32Type()));
      Value to = b.add(b.mul(part, kStepWords * vectors * kStepDepth),
                       b.mul(vector, kStepDepth));
      for (auto [word, line] : llvm::enumerate(transposeVectors(b, words)))
        b.storeLine(b.bitcast(line, b.getBF16Type()), target,
                    b.add(to, int64_t(word) * vectors * kStepDepth));
    });
  });
}

void PackedHead::storeWords(Value target, Value firstToken,
                            int64_t steps) const {
  b.loop(0, steps * kStepWords, [&](Value word) {
    Value token = b.add(firstToken, b.mul(word, 2));
    Value first = getToken(token), second = getToken(b.add(token, 1));
    Value to = b.mul(word, 2 * lines * kStepDepth);
    for (int64_t part = 0; part < lines; ++part) {
      int64_t from = part * shape.lineElements();
      auto [low, high] =
          interleaveLines(b, b.loadLine(buffer, b.add(first, from)),
                          b.loadLine(buffer, b.add(second, from)));
      b.storeLine(low, target, b.add(to, 2 * part * kStepDepth));
      b.storeLine(high, target, b.add(to, (2 * part + 1) * kStepDepth));
    }
  });
}

void PackedHead::storeRows(Value target, Value firstToken,
                           int64_t steps) const {
  constexpr int64_t square = kStepDepth * kStepDepth;
  b.loop(0, steps, [&](Value step) {
    b.loop(0, kStepDepth, [&](Value row) {
      Value from =
          getToken(b.add(b.add(firstToken, b.mul(step, kStepDepth)), row));
      Value to = b.add(b.mul(step, lines * square), b.mul(row, kStepDepth));
      for (int64_t part = 0; part < lines; ++part)
        b.storeLine(
            b.loadLine(buffer, b.add(from, part * shape.lineElements())),
            target, b.add(to, part * square));
    });
  });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {
struct PackedProduct {
  KernelBuilder &b;
  Tiles *tiles;
  const PackedRows &left;
  const PackedColumns &right;
  int64_t steps;
  Value target, base;
  int64_t row;
  bool adds;

  /// Offset in the target.
  Value at(Value firstRow, Value vector) {
    return b.add(base,
                 b.add(b.mul(firstRow, row), b.mul(vector, kVectorLanes)));
  }
  void emitTiles(Value tile, Value vector, Tiles::Shape shape);
  void emitTileRow(Value tile, int64_t height);
  void emitStrip(Value firstRow, int64_t rows, Value vector, int64_t width);
  void emit();
};
} // namespace

void PackedProduct::emitTiles(Value tile, Value vector, Tiles::Shape shape) {
  Value firstRow = b.mul(tile, kTileRows);
  if (adds)
    tiles->loadSums(shape, target, at(firstRow, vector), row);
  else
    tiles->zeroSums(shape);
  Value rows = b.add(left.base, b.mul(firstRow, kStepDepth));
  Value columns = b.add(right.base, b.mul(vector, kStepDepth));
  b.loop(0, steps, [&](Value step) {
    tiles->multiply(shape, left.buffer,
                    b.add(rows, b.mul(step, left.elements())), kStepDepth,
                    kTileRows * kStepDepth, right.buffer,
                    b.add(columns, b.mul(step, right.elements())),
                    right.wordElements(), kStepDepth);
  });
  tiles->storeSums(shape, target, at(firstRow, vector), row);
}

/// One or two tiles of rows by all columns.
void PackedProduct::emitTileRow(Value tile, int64_t height) {
  int64_t most = height == 1 ? 4 : 2;
  b.loop(0, right.vectors / most, [&](Value group) {
    emitTiles(tile, b.mul(group, most), {height, most});
  });
  if (int64_t rest = right.vectors % most)
    emitTiles(tile, b.index(right.vectors - rest), {height, rest});
}

void PackedProduct::emitStrip(Value firstRow, int64_t rows, Value vector,
                              int64_t width) {
  Tile tile;
  tile.rows = rows;
  tile.vectors = width;
  tile.steps = steps;
  tile.unroll = kStepWords;
  tile.left = left.buffer;
  tile.leftBase = b.add(left.base, b.mul(firstRow, kStepDepth));
  tile.leftRow = kStepDepth;
  tile.leftDepth = 2;
  tile.leftStep = left.elements();
  tile.right = right.buffer;
  tile.rightBase = b.add(right.base, b.mul(vector, kStepDepth));
  tile.rightDepth = right.wordElements();
  tile.rightStep = right.elements();
  tile.rightVector = kStepDepth;
  Value to = at(firstRow, vector);
  auto forEach = [&](function_ref<void(Value at, int64_t i)> body) {
    for (int64_t i = 0; i < rows * width; ++i)
      body(b.add(to, i / width * row + i % width * kVectorLanes), i);
  };
  SmallVector<Value> start;
  if (adds)
    forEach([&](Value at, int64_t) { start.push_back(b.load(target, at)); });
  SmallVector<Value> sums = emitTile(b, tile, nullptr, start);
  forEach([&](Value at, int64_t i) { b.store(sums[i], target, at); });
}

void PackedProduct::emit() {
  if (tiles) {
    int64_t count = left.rows / kTileRows;
    b.loop(0, count / 2, [&](Value pair) { emitTileRow(b.mul(pair, 2), 2); });
    if (count % 2)
      emitTileRow(b.index(count - 1), 1);
    return;
  }
  int64_t rows = b.level.registers >= 32 ? 8 : 4;
  b.loop(0, left.rows / rows, [&](Value strip) {
    int64_t first = 0;
    for (auto [width, count] : divideEvenly(b, rows, right.vectors)) {
      int64_t begin = first, vectors = width;
      b.loop(0, count, [&](Value i) {
        emitStrip(b.mul(strip, rows), rows, b.add(b.mul(i, vectors), begin),
                  vectors);
      });
      first += count * width;
    }
  });
}

void mlir::vit::cpu::multiplyPacked(KernelBuilder &b, Tiles *tiles,
                                    const PackedRows &left,
                                    const PackedColumns &right, int64_t steps,
                                    Value target, Value base, int64_t row,
                                    bool adds) {
  PackedProduct{b, tiles, left, right, steps, target, base, row, adds}.emit();
}
