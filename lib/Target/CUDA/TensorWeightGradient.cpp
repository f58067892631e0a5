//===- TensorWeightGradient.cpp - dy^T x by tensor cores ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of [out, in], computed for `chunk` rows
// of the operands at a time; warps share it as in TensorGemm.cpp. Both operands
// lie in workgroup memory as in memory and are transposed when they are loaded
// (TensorBuilder::planTransposed). If the
// gradient of the bias is wanted, the warps that have the first column multiply
// dy^T by ones, too. Rows beyond the last are zero. If the rows are split into
// parts, the units of one part follow those of the part before.
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Simt/ProductEmitters.h"
#include "TensorBuilder.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

/// Buffers of each operand.
static constexpr int64_t kStages = 3;

namespace {
class TensorWeightGradient : WeightGradientArguments {
public:
  TensorWeightGradient(kernel::WeightGradientOp op, SimtBuilder &b,
                       const Activation &gradient, const Activation &input);
  void emit();
  int64_t units() const { return parts * rowTiles * columnTiles; }

private:
  /// Starts the copies of step `step` of one operand, whose tile begins at
  /// channel `first`.
  void startCopies(unsigned argument, Value step, Value buffer);
  /// Adds the products of the buffer with number `buffer`; the last kSums of
  /// each block of rows are those of the bias.
  SmallVector<Value> multiply(Value buffer, ValueRange carried);
  void planLoads();
  void store(ArrayRef<Value> sums);
  /// The row of a channel of dy in the results.
  Value getRow(const Channel &out) {
    return b.add(b.mul(part, shapes[Gradient].width), out.number);
  }
  /// Stores two columns of a row.
  void storePair(Value row, Value column, ArrayRef<Value> pair);
  void storeBias(ArrayRef<Value> sums);

  kernel::WeightGradientOp op;
  SimtBuilder &b;
  TensorBuilder t;
  Activation shapes[2];
  kernel::TileAttr tile;
  bool hasBias;
  int64_t parts, rowTiles, columnTiles;
  int64_t rowBlocks, columnBlocks; ///< of a warp
  Value rows;                      ///< rows of all images
  Value part, firstStep, steps;    ///< those of the unit
  Value first[2];                  ///< channel of each operand
  Value warpRow, warpColumn;       ///< those of the warp in the tile
  CopyShare shares[2];
  TransposedOperand left, right;
  Value sumsBias; ///< i1: this warp has the first column
};
} // namespace

TensorWeightGradient::TensorWeightGradient(kernel::WeightGradientOp op,
                                           SimtBuilder &b,
                                           const Activation &gradient,
                                           const Activation &input)
    : op(op), b(b), t(b, Operands::of(op)), shapes{gradient, input},
      tile(op.getTile()), hasBias(op.getBias() != nullptr),
      parts(op.getResult().getType().getDimSize(0) / gradient.width),
      rowTiles(
          llvm::divideCeil(gradient.vectors * kVectorLanes, tile.getRows())),
      columnTiles(
          llvm::divideCeil(input.vectors * kVectorLanes, tile.getCols())),
      rowBlocks(tile.getThreadRows() * 8 / kMmaRows),
      columnBlocks(tile.getThreadCols() * 4 / kMmaColumns) {
  rows = gradient.rows(b);
  Value column = b.div(b.unit(), rowTiles);
  first[Gradient] = b.mul(b.rem(b.unit(), rowTiles), tile.getRows());
  first[Input] =
      b.mul(parts == 1 ? column : b.rem(column, columnTiles), tile.getCols());
  steps = b.div(b.add(rows, tile.getChunk() - 1), tile.getChunk());
  part = firstStep = b.index(0);
  if (parts > 1) {
    part = b.div(column, columnTiles);
    Value perPart = b.div(b.add(steps, parts - 1), parts);
    firstStep = b.min(b.mul(part, perPart), steps);
    steps = b.min(perPart, b.sub(steps, firstStep));
  }
  int64_t across = tile.getCols() / (columnBlocks * kMmaColumns);
  warpRow = b.mul(b.div(t.warp(), across), rowBlocks * kMmaRows);
  warpColumn = b.mul(b.rem(t.warp(), across), columnBlocks * kMmaColumns);
  sumsBias = b.isEqual(b.add(first[Input], warpColumn), b.index(0));
  int64_t widths[] = {tile.getRows(), tile.getCols()};
  for (unsigned operand : {Gradient, Input})
    shares[operand] = t.share(t.allocate(kStages, tile.getChunk(),
                                         widths[operand] / t.operands.chunk()));
}

void TensorWeightGradient::startCopies(unsigned argument, Value step,
                                       Value buffer) {
  const CopyShare &share = shares[argument];
  t.copyTile(argument, share, b.mul(buffer, share.matrix.bufferElements()),
             b.mul(b.add(firstStep, step), tile.getChunk()), rows,
             first[argument], shapes[argument].vectors * kVectorLanes);
}

void TensorWeightGradient::planLoads() {
  left = t.planTransposed(shares[Gradient].matrix, warpRow, rowBlocks,
                          /*isLeft=*/true);
  right = t.planTransposed(shares[Input].matrix, warpColumn, columnBlocks / 2,
                           /*isLeft=*/false);
}

SmallVector<Value> TensorWeightGradient::multiply(Value buffer,
                                                  ValueRange carried) {
  SmallVector<Value> sums(carried);
  int64_t products = rowBlocks * columnBlocks * kSums;
  for (int64_t row = 0; row < tile.getChunk(); row += t.operands.depth()) {
    // With the row in the base, ptxas needs fewer instructions for addresses.
    auto base = [&](const SharedMatrix &matrix) {
      return b.add(b.mul(buffer, matrix.bufferElements()),
                   row * matrix.rowElements());
    };
    Value leftBase = base(left.matrix), rightBase = base(right.matrix);
    SmallVector<SmallVector<Value>> columns;
    for (int64_t j = 0; j < columnBlocks / 2; ++j) {
      SmallVector<Value> words =
          t.loadTransposed(right, rightBase, /*row=*/0, j);
      columns.push_back({words[0], words[1]});
      columns.push_back({words[2], words[3]});
    }
    for (int64_t i = 0; i < rowBlocks; ++i) {
      SmallVector<Value> words = t.loadTransposed(left, leftBase, /*row=*/0, i);
      for (int64_t j = 0; j < columnBlocks; ++j) {
        auto own = MutableArrayRef<Value>(sums).slice(
            (i * columnBlocks + j) * kSums, kSums);
        llvm::copy(t.multiply(words, columns[j], own), own.begin());
      }
      if (hasBias) {
        auto own =
            MutableArrayRef<Value>(sums).slice(products + i * kSums, kSums);
        SmallVector<Value> next = t.ifElse(
            sumsBias,
            [&] { return t.multiply(words, {t.ones(), t.ones()}, own); },
            [&] { return SmallVector<Value>(own); });
        llvm::copy(next, own.begin());
      }
    }
  }
  return sums;
}

void TensorWeightGradient::storePair(Value row, Value column,
                                     ArrayRef<Value> pair) {
  const Activation &input = shapes[Input];
  if (!input.hasPaddedChannels()) {
    Value to = b.add(b.mul(row, input.width), column);
    if (input.width % tile.getCols() == 0)
      return t.storePair(pair, Result, to);
    b.ifThen(b.isLess(column, b.index(input.width)),
             [&] { t.storePair(pair, Result, to); });
    return;
  }
  for (int64_t i : {0, 1}) {
    Channel in = input.getChannel(b, b.add(column, i));
    b.ifThen(in.exists, [&] {
      b.store(pair[i], Result, b.add(b.mul(row, input.width), in.number));
    });
  }
}

void TensorWeightGradient::store(ArrayRef<Value> sums) {
  Value row = b.add(b.add(first[Gradient], warpRow), b.div(t.lane(), 4));
  Value column =
      b.add(b.add(first[Input], warpColumn), b.mul(b.rem(t.lane(), 4), 2));
  for (int64_t i = 0; i < 2 * rowBlocks; ++i) {
    Channel out = shapes[Gradient].getChannel(b, b.add(row, i * 8));
    b.ifThen(out.exists, [&] {
      for (int64_t j = 0; j < columnBlocks; ++j) {
        int64_t block = i / 2 * columnBlocks + j;
        storePair(getRow(out), b.add(column, j * kMmaColumns),
                  sums.slice(block * kSums + i % 2 * 2, 2));
      }
    });
  }
}

void TensorWeightGradient::storeBias(ArrayRef<Value> sums) {
  Value row = b.add(b.add(first[Gradient], warpRow), b.div(t.lane(), 4));
  // All columns of the products with ones are equal.
  Value isFirst = b.isEqual(b.rem(t.lane(), 4), b.index(0));
  b.ifThen(b.both(sumsBias, isFirst), [&] {
    for (int64_t i = 0; i < 2 * rowBlocks; ++i) {
      Channel out = shapes[Gradient].getChannel(b, b.add(row, i * 8));
      b.ifThen(out.exists, [&] {
        b.store(sums[i / 2 * kSums + i % 2 * 2], Bias, getRow(out));
      });
    }
  });
}

void TensorWeightGradient::emit() {
  b.useScalars();
  planLoads();
  int64_t products = rowBlocks * columnBlocks * kSums;
  SmallVector<Value> zeros(products + (hasBias ? rowBlocks * kSums : 0),
                           b.scalar(0));
  SmallVector<Value> sums = t.pipeline(
      kStages, steps, zeros,
      [&](Value step, Value buffer) {
        startCopies(Gradient, step, buffer);
        startCopies(Input, step, buffer);
      },
      [&](Value, Value buffer, ValueRange carried) {
        return multiply(buffer, carried);
      });
  store(ArrayRef<Value>(sums).take_front(products));
  int64_t outs = parts * shapes[Gradient].width;
  storeZeroTail(b, Result, outs * shapes[Input].width);
  if (!hasBias)
    return;
  storeBias(ArrayRef<Value>(sums).drop_front(products));
  storeZeroTail(b, Bias, outs);
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(kernel::WeightGradientOp op) {
  kernel::TileAttr tile = op.getTile();
  int64_t rows = 8 * tile.getThreadRows(), cols = 4 * tile.getThreadCols();
  Operands operands = Operands::of(op);
  int64_t chunk = operands.chunk();
  if (rows % kMmaRows == 0 && cols % (2 * kMmaColumns) == 0 &&
      tile.getRows() % rows == 0 && tile.getCols() % cols == 0 &&
      tile.getRows() * tile.getCols() * kWarp ==
          rows * cols * tile.getThreads() &&
      tile.getChunk() % operands.depth() == 0 &&
      canShare(tile.getThreads(), tile.getChunk(), tile.getRows() / chunk,
               /*run=*/2) &&
      canShare(tile.getThreads(), tile.getChunk(), tile.getCols() / chunk,
               /*run=*/2))
    return success();
  return op.emitOpError("has a tile that its warps do not cover: ") << tile;
}

FailureOr<KernelInfo>
mlir::vit::cuda::emitTensorWeightGradient(kernel::WeightGradientOp op,
                                          SimtBuilder &b) {
  return emitWeightGradient<TensorWeightGradient>(
      op, b, [&] { return verifyTile(op); });
}
