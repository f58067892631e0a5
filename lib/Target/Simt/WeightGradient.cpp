//===- WeightGradient.cpp - dy^T x on a GPU -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As in Gemm.cpp, but sums are over the rows of both operands, in order over
// all images. A work unit is one tile, rows x cols of [out, in], computed for
// `chunk` rows of the operands at a time. The rows of a thread are vectors of
// four. If the gradient of the bias is wanted, the units of the first column
// tile also sum the rows of dy.
//
//===----------------------------------------------------------------------===//

#include "ProductEmitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

namespace {
class WeightGradient : WeightGradientArguments, ThreadTile {
public:
  WeightGradient(kernel::WeightGradientOp op, SimtBuilder &b,
                 const Activation &gradient, const Activation &input);
  void emit();
  int64_t units() const { return rowTiles * columnTiles; }

private:
  Value clamp(Value vector, const Activation &shape) {
    return b.min(vector, b.index(shape.vectors - 1));
  }
  /// Adds the products of one row, and the row itself to the bias.
  SmallVector<Value> addRow(ValueRange carried, ArrayRef<Value> gradient,
                            ArrayRef<Value> input);
  SmallVector<Value> sumDirect(ArrayRef<Value> start);
  SmallVector<Value> sumStaged(ArrayRef<Value> start);
  void storeRow(Value row, ValueRange sums);
  void store(ArrayRef<Value> sums);
  void storeBias(ArrayRef<Value> sums);

  kernel::WeightGradientOp op;
  SimtBuilder &b;
  Activation gradient, input;
  kernel::TileAttr tile;
  int64_t rowTiles, columnTiles;
  int64_t rowVectors, columnVectors; ///< of a thread
  Value rows;                        ///< rows of all images
};
} // namespace

WeightGradient::WeightGradient(kernel::WeightGradientOp op, SimtBuilder &b,
                               const Activation &gradient,
                               const Activation &input)
    : op(op), b(b), gradient(gradient), input(input), tile(op.getTile()) {
  rowTiles = llvm::divideCeil(gradient.vectors * kVectorLanes, tile.getRows());
  columnTiles = llvm::divideCeil(input.vectors * kVectorLanes, tile.getCols());
  rowVectors = tile.getThreadRows() / kVectorLanes;
  columnVectors = tile.getThreadCols() / kVectorLanes;
  rows = gradient.rows(b);
  place(b, tile, b.index(rowTiles), /*rowLanes=*/kVectorLanes);
}

SmallVector<Value> WeightGradient::addRow(ValueRange carried,
                                          ArrayRef<Value> gradient,
                                          ArrayRef<Value> input) {
  SmallVector<Value> sums(carried);
  for (auto [i, four] : llvm::enumerate(gradient))
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Value factor = b.broadcast(b.extract(four, lane));
      for (auto [j, x] : llvm::enumerate(input)) {
        Value &sum = sums[(i * kVectorLanes + lane) * columnVectors + j];
        sum = b.fma(factor, x, sum);
      }
    }
  int64_t products = rowVectors * kVectorLanes * columnVectors;
  for (size_t i = products; i < sums.size(); ++i)
    sums[i] = b.addf(sums[i], gradient[i - products]);
  return sums;
}

SmallVector<Value> WeightGradient::sumDirect(ArrayRef<Value> start) {
  SmallVector<Value> left, right;
  for (Value vector : threadRow)
    left.push_back(clamp(vector, gradient));
  for (Value vector : threadVector)
    right.push_back(clamp(vector, input));
  // Several rows per iteration, because lavapipe stops invocations whose loops
  // run for more than 65,535 iterations in total.
  constexpr int64_t atOnce = 4;
  Value lastRow = b.sub(rows, b.index(1));
  return b.loop(
      b.index(0), rows, atOnce, start, [&](Value first, ValueRange carried) {
        SmallVector<Value> sums(carried);
        for (int64_t i = 0; i < atOnce; ++i) {
          Value row = b.add(first, i), known = b.min(row, lastRow);
          SmallVector<Value> dy, x;
          Value from = b.mul(known, gradient.vectors);
          // Rows past the end count as zero.
          for (Value vector : left) {
            Value value = b.load4(Gradient, b.add(from, vector));
            dy.push_back(b.select(b.isLess(row, rows), value, b.splat(0)));
          }
          from = b.mul(known, input.vectors);
          for (Value vector : right)
            x.push_back(b.load4(Input, b.add(from, vector)));
          sums = addRow(sums, dy, x);
        }
        return sums;
      });
}

SmallVector<Value> WeightGradient::sumStaged(ArrayRef<Value> start) {
  int64_t chunk = tile.getChunk(), threads = tile.getThreads();
  const Activation shapes[] = {gradient, input};
  int64_t widths[] = {tile.getRows() / kVectorLanes,
                      tile.getCols() / kVectorLanes};
  Value first[] = {firstRow, firstVector};
  Value shared[] = {b.allocateShared4(chunk * widths[0]),
                    b.allocateShared4(chunk * widths[1])};
  Value steps = b.div(b.add(rows, chunk - 1), chunk);
  Value lastRow = b.sub(rows, b.index(1));
  Value left = b.div(b.thread(), across), right = b.rem(b.thread(), across);
  return b.loop(
      b.index(0), steps, 1, start, [&](Value step, ValueRange carried) {
        b.barrier();
        Value begin = b.mul(step, chunk);
        for (unsigned operand : {Gradient, Input}) {
          const Activation &shape = shapes[operand];
          int64_t width = widths[operand];
          b.loop(b.thread(), b.index(chunk * width), threads, [&](Value item) {
            Value row = b.add(begin, b.div(item, width));
            Value vector =
                clamp(b.add(first[operand], b.rem(item, width)), shape);
            Value at = b.add(b.mul(b.min(row, lastRow), shape.vectors), vector);
            Value value = b.load4(operand, at);
            // Rows past the end count as zero.
            value = b.select(b.isLess(row, rows), value, b.splat(0));
            b.storeShared(value, shared[operand], item);
          });
        }
        b.barrier();
        return b.loop(chunk, carried, [&](Value row, ValueRange sums) {
          SmallVector<Value> dy, x;
          Value from = b.add(b.mul(row, widths[0]), left);
          for (int64_t i = 0; i < rowVectors; ++i)
            dy.push_back(b.loadShared(shared[0], b.add(from, i * down)));
          from = b.add(b.mul(row, widths[1]), right);
          for (int64_t j = 0; j < columnVectors; ++j)
            x.push_back(b.loadShared(shared[1], b.add(from, j * across)));
          return addRow(sums, dy, x);
        });
      });
}

/// `row` is a padded channel of dy.
void WeightGradient::storeRow(Value row, ValueRange sums) {
  Channel out = gradient.getChannel(b, row);
  b.ifThen(out.exists, [&] {
    for (int64_t j = 0; j < columnVectors; ++j) {
      Value vector = threadVector[j], sum = sums[j];
      if (!input.hasPaddedChannels()) {
        Value at = b.add(b.mul(out.number, input.vectors), vector);
        b.ifThen(b.isLess(vector, b.index(input.vectors)),
                 [&] { b.store4(sum, Result, at); });
        continue;
      }
      for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
        Channel in =
            input.getChannel(b, b.add(b.mul(vector, kVectorLanes), lane));
        b.ifThen(in.exists, [&] {
          b.store(b.extract(sum, lane), Result,
                  b.add(b.mul(out.number, input.width), in.number));
        });
      }
    }
  });
}

void WeightGradient::store(ArrayRef<Value> sums) {
  int64_t rowsOfThread = rowVectors * kVectorLanes;
  auto getRow = [&](Value i) {
    Value vector = b.add(threadRow[0], b.mul(b.div(i, kVectorLanes), down));
    return b.add(b.mul(vector, kVectorLanes), b.rem(i, kVectorLanes));
  };
  // A loop that stores the sums of the first row, then moves all others up; see
  // Gemm.cpp.
  if (b.level.isDirect || input.hasPaddedChannels()) {
    b.loop(rowsOfThread, sums, [&](Value i, ValueRange values) {
      storeRow(getRow(i), values.take_front(columnVectors));
      SmallVector<Value> next(values);
      std::rotate(next.begin(), next.begin() + columnVectors, next.end());
      return next;
    });
    return;
  }
  for (int64_t i = 0; i < rowsOfThread; ++i)
    storeRow(getRow(b.index(i)), sums.slice(i * columnVectors, columnVectors));
}

void WeightGradient::storeBias(ArrayRef<Value> sums) {
  Value isFirst = b.both(b.isEqual(firstVector, b.index(0)),
                         b.isEqual(b.rem(b.thread(), across), b.index(0)));
  b.ifThen(isFirst, [&] {
    for (int64_t i = 0; i < rowVectors; ++i) {
      Value vector = threadRow[i], sum = sums[i];
      // The padding of the last vectors becomes the zeros after the bias.
      if (gradient.group == 0) {
        b.ifThen(b.isLess(vector, b.index(gradient.vectors)),
                 [&] { b.store4(sum, Bias, vector); });
        continue;
      }
      for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
        Channel out =
            gradient.getChannel(b, b.add(b.mul(vector, kVectorLanes), lane));
        b.ifThen(out.exists,
                 [&] { b.store(b.extract(sum, lane), Bias, out.number); });
      }
    }
  });
}

void WeightGradient::emit() {
  int64_t products = rowVectors * kVectorLanes * columnVectors;
  bool hasBias = bool(op.getBias());
  if (input.hasPaddedChannels() || (hasBias && gradient.group != 0))
    b.useScalars();
  SmallVector<Value> sums(products + (hasBias ? rowVectors : 0), b.splat(0));
  sums = tile.getChunk() == 1 ? sumDirect(sums) : sumStaged(sums);
  store(ArrayRef<Value>(sums).take_front(products));
  if (input.hasPaddedChannels())
    storeZeroTail(b, Result, gradient.width * input.width);
  if (!hasBias)
    return;
  storeBias(ArrayRef<Value>(sums).drop_front(products));
  if (gradient.group != 0)
    storeZeroTail(b, Bias, gradient.width);
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(kernel::WeightGradientOp op) {
  kernel::TileAttr tile = op.getTile();
  if (ThreadTile::isWhole(tile, /*rowLanes=*/kVectorLanes))
    return success();
  return op.emitOpError("has a tile that its threads do not cover in vectors "
                        "of 4: ")
         << tile;
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::WeightGradientOp op,
                                            SimtBuilder &b) {
  if (op.getResult().getType().getDimSize(0) !=
      op.getGradient().getType().getShape().back())
    return op.emitOpError("splits the rows, for which this target has no code");
  return emitWeightGradient<WeightGradient>(op, b,
                                            [&] { return verifyTile(op); });
}
