//===- TiledGemm.cpp - Panels of a product in tile registers --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The sums of a tile go to one of two buffers. In the steps of the next tile,
// the epilogue is applied to the other buffer, some rows in each step. The sums
// of the whole depth stay in registers: a tile of 32 rows by 32 columns takes
// as long as the second-level cache needs to deliver its operands.
//
//===----------------------------------------------------------------------===//

#include "TiledGemm.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

static constexpr int64_t kVectors = 2; ///< of columns of a tile
static constexpr int64_t kColumns = kVectors * kVectorLanes;
static constexpr int64_t kRows = 2 * kTileRows; ///< of a tile, at most
static constexpr int64_t kBufferElements = kRows * kColumns;

/// The elements of `state`: the tile to which no epilogue has been applied yet.
enum State : int64_t {
  kBuffer,  ///< 0 or 1: where its sums are
  kWaiting, ///< its rows; 0: there is none
  kBlock,   ///< its first row block
  kVector,  ///< its first vector of the result's channels
  kWidth,   ///< its vectors
  kStates
};

TiledGemm::TiledGemm(kernel::GemmOp op, KernelBuilder &b, const Blocked &input,
                     const Blocked &result, const Epilogue &epilogue,
                     int64_t chunk)
    : op(op), b(b), input(input), result(result), epilogue(epilogue),
      tiles(b, result.rows), chunk(chunk), steps(input.lines()) {
  ScratchLayout layout(b);
  sums = layout.take(2 * kBufferElements, b.getF32Type());
  state = layout.take(kStates, b.getI64Type());
  scratch = layout.getBytes();
  setState(kWaiting, b.index(0));
  setState(kBuffer, b.index(0));
}

Value TiledGemm::getState(int64_t index) {
  return arith::IndexCastOp::create(b, b.getIndexType(),
                                    b.loadScalar(state, b.index(index)));
}
void TiledGemm::setState(int64_t index, Value value) {
  b.storeScalar(arith::IndexCastOp::create(b, b.getI64Type(), value), state,
                b.index(index));
}

/// Applies the epilogue to row `row` of the waiting tile.
void TiledGemm::applyRow(Value row) {
  Blocked wide = result.widened();
  RowBlock strip =
      getRowBlock(b, result, b.add(getState(kBlock), b.div(row, result.rows)));
  strip.firstRow = b.rem(row, result.rows);
  strip.base = getStripBase(b, result, strip);
  Value wideBase = getStripBase(b, wide, strip);
  Value from =
      b.add(b.mul(getState(kBuffer), kBufferElements), b.mul(row, kColumns));
  Value first = getState(kVector);
  auto applyVector = [&](int64_t v) {
    Value channel = b.add(first, v);
    Value sum = b.load(sums, b.add(from, v * kVectorLanes));
    if (op.getInput().getType().getElementType().isInteger(8))
      sum = arith::SIToFPOp::create(b, b.vectorType,
                                    b.bitcast(sum, b.getI32Type()));
    Value offset = b.add(wideBase, b.mul(channel, wide.vectorElements()));
    Value value = epilogue.apply(sum, epilogue.loadChannels(channel), strip,
                                 /*row=*/0, channel, offset);
    storeVector(b, result, zeroPaddedRow(b, result, strip, 0, value),
                b.argument(op->getNumOperands()), strip.base, 0, channel);
  };
  applyVector(0);
  b.ifThen(b.isLess(b.index(1), getState(kWidth)), [&] { applyVector(1); });
}

/// The share of step `step` in the epilogue of the waiting tile.
void TiledGemm::applyRows(Value step) {
  int64_t share = llvm::divideCeil(kRows, steps);
  Value rows = getState(kWaiting);
  for (int64_t i = 0; i < share; ++i) {
    Value row = b.add(b.mul(step, share), i);
    b.ifThen(b.isLess(row, rows), [&] { applyRow(row); });
  }
}

void TiledGemm::finish() {
  b.loop(b.index(0), getState(kWaiting), [&](Value row) { applyRow(row); });
  tiles.release();
}

/// Prefetches the share of step `step` of what the epilogue of this tile will
/// read and write.
void TiledGemm::prefetchResult(const Panel &panel, const Place &place,
                               Value step) {
  SmallVector<Value> buffers;
  if (!result.isNarrow())
    buffers = epilogue.elementExtras();
  buffers.push_back(b.argument(op->getNumOperands()));
  Value base =
      b.add(b.mul(place.block, result.blockElements()),
            result.vectorOffset(b, b.add(panel.firstVector, place.vector)));
  int64_t perVector =
      std::max<int64_t>(1, place.width * kVectorLanes / result.line);
  int64_t rows = result.rows, lines = perVector * place.height * rows;
  int64_t share = llvm::divideCeil(lines, steps);
  for (int64_t i = 0; i < share; ++i) {
    Value number = b.min(b.add(b.mul(step, share), i), b.index(lines - 1));
    // By block, then line of channels, then row.
    Value block = b.div(number, perVector * rows);
    Value inBlock = b.rem(number, perVector * rows);
    Value at = b.add(b.add(base, b.mul(block, result.blockElements())),
                     b.mul(inBlock, result.line));
    for (Value buffer : buffers)
      prefetch(b, buffer, at, /*lines=*/1, /*hint=*/3);
  }
}

/// Prefetches the share of step `step` of this tile in the next panel.
void TiledGemm::prefetchWeights(const Panel &panel, const Place &place,
                                Value step) {
  if (panel.isOnly)
    return;
  int64_t vectors = panel.columns / kVectorLanes;
  int64_t stripes = llvm::divideCeil(vectors, kVectors);
  int64_t tiles = stripes * llvm::divideCeil(chunk, 2);
  int64_t lines =
      std::min<int64_t>(8, llvm::divideCeil(vectors * kVectorLanes, tiles));
  Value tile =
      b.add(b.mul(b.div(b.sub(place.block, panel.chunkBegin), 2), stripes),
            b.div(place.vector, kVectors));
  Type element = op.getInput().getType().getElementType();
  Value next =
      b.add(panel.base,
            (steps * input.line + kernel::extraDepth(element)) * panel.columns);
  Value line = b.mul(b.add(b.mul(tile, steps), step), lines);
  prefetch(b, b.argument(1), b.add(next, b.mul(line, input.line)), lines,
           /*hint=*/2);
}

void TiledGemm::emitTile(const Panel &panel, const Place &place) {
  int64_t line = input.line;
  Value left = b.mul(place.block, input.blockElements());
  Value right = b.add(panel.base, b.mul(place.vector, line));
  Tiles::Shape shape{place.height, place.width};
  tiles.zeroSums(shape);
  b.loop(0, steps, [&](Value step) {
    prefetchWeights(panel, place, step);
    prefetchResult(panel, place, step);
    tiles.multiply(shape, b.argument(0),
                   b.add(left, b.mul(step, input.lineElements())), line,
                   input.blockElements(), b.argument(1),
                   b.add(right, b.mul(step, panel.columns * line)),
                   panel.columns * line / kVectorLanes, line);
    applyRows(step);
  });
  Value other = b.sub(b.index(1), getState(kBuffer));
  tiles.storeSums(shape, sums, b.mul(other, kBufferElements), kColumns);
  setState(kBuffer, other);
  setState(kWaiting, b.index(place.height * result.rows));
  setState(kBlock, place.block);
  setState(kVector, b.add(panel.firstVector, place.vector));
  setState(kWidth, b.index(place.width));
}

/// All row blocks by one or two vectors of columns.
void TiledGemm::emitStripe(const Panel &panel, Value vector, int64_t width) {
  Value blocks = b.sub(panel.to, panel.from);
  Value pairs = b.div(blocks, 2);
  b.loop(b.index(0), pairs, [&](Value pair) {
    emitTile(panel, {b.add(panel.from, b.mul(pair, 2)), vector, 2, width});
  });
  b.ifThen(b.isLess(b.mul(pairs, 2), blocks), [&] {
    emitTile(panel, {b.sub(panel.to, b.index(1)), vector, 1, width});
  });
}

void TiledGemm::emitPanel(const Panel &panel) {
  int64_t vectors = panel.columns / kVectorLanes;
  if (vectors >= kVectors)
    b.loop(0, vectors / kVectors, [&](Value stripe) {
      emitStripe(panel, b.mul(stripe, kVectors), kVectors);
    });
  if (vectors % kVectors)
    emitStripe(panel, b.index(vectors - 1), 1);
}
