//===- MatrixWeightGradient.cpp - dy^T x by cooperative matrices ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of [out, in]. The workgroup copies
// `chunk` rows of both operands to workgroup memory as they are, two elements
// in a word, and loads the next ones while these are in use. Columns of the
// left matrices are rows there, those of the right ones columns; rows beyond
// the last are zero. If the gradient of the bias is wanted, in the units of the
// first column tile each thread also sums the elements of dy that it copies,
// which are of the same channels in all steps.
//
// If the rows are split into parts, the units of one part follow those of the
// part before. All parts take as many steps, so that each takes one.
//
//===----------------------------------------------------------------------===//

#include "MatrixTile.h"

#include "../Simt/NarrowVectors.h"
#include "../Simt/ProductEmitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using namespace mlir::vit::vulkan;

namespace {
class MatrixWeightGradient : WeightGradientArguments {
public:
  MatrixWeightGradient(kernel::WeightGradientOp op, SimtBuilder &b,
                       const Activation &gradient, const Activation &input);
  void emit();
  int64_t units() const { return parts * rowTiles * columnTiles; }

private:
  using Values = SmallVector<Value>;

  /// The share of a thread in the copies of an operand.
  struct Copy {
    Activation shape;
    int64_t vectors, pitch; ///< of a row of the tile, and to the next row
    Value first;            ///< channel of the operand where the tile begins
    Value shared = {};      ///< `chunk` rows
    Value vector = {};      ///< of all of them, in a row of the operand
    Values row = {}, target = {}; ///< rows in the chunk
  };
  void planCopy(Copy &copy);
  /// Loads what this thread copies in a step, first dy.
  Values fetch(Value step);
  void put(ValueRange values);
  void multiply(MutableArrayRef<Value> sums);
  /// Returns the sums of the matrices. Those of the bias, one for each thread,
  /// are where `matrices` will stage them.
  Values sum();
  /// Adds what this thread fetched of dy.
  void addToBias(ValueRange fetched);
  /// Stores vector `vector` of the tile in the row of a channel of dy.
  void storeVector(Value row, Value vector, Value four);
  void storeBias();
  Value hasFirstColumn() { return b.isEqual(copies[Input].first, b.index(0)); }
  /// The row of a channel of dy in the results.
  Value getRow(const Channel &out) {
    return b.add(b.mul(part, copies[Gradient].shape.width), out.number);
  }

  kernel::WeightGradientOp op;
  SimtBuilder &b;
  kernel::TileAttr tile;
  bool hasBias;
  int64_t parts, rowTiles, columnTiles;
  MatrixTile matrices;
  Copy copies[2];
  Value rows;                   ///< rows of all images
  Value part, firstStep, steps; ///< those of the unit
};
} // namespace

MatrixWeightGradient::MatrixWeightGradient(kernel::WeightGradientOp op,
                                           SimtBuilder &b,
                                           const Activation &gradient,
                                           const Activation &input)
    : op(op), b(b), tile(op.getTile()), hasBias(op.getBias() != nullptr),
      parts(op.getResult().getType().getDimSize(0) / gradient.width),
      rowTiles(
          llvm::divideCeil(gradient.vectors * kVectorLanes, tile.getRows())),
      columnTiles(
          llvm::divideCeil(input.vectors * kVectorLanes, tile.getCols())),
      matrices(b, tile) {
  rows = gradient.rows(b);
  Value column = b.div(b.unit(), rowTiles);
  part = firstStep = b.index(0);
  steps = b.div(b.add(rows, tile.getChunk() - 1), tile.getChunk());
  if (parts > 1) {
    part = b.div(column, columnTiles);
    column = b.rem(column, columnTiles);
    steps = b.div(b.add(steps, parts - 1), parts);
    firstStep = b.mul(part, steps);
  }
  Value firsts[] = {b.mul(b.rem(b.unit(), rowTiles), tile.getRows()),
                    b.mul(column, tile.getCols())};
  int64_t widths[] = {tile.getRows(), tile.getCols()};
  const Activation shapes[] = {gradient, input};
  for (unsigned operand : {Gradient, Input}) {
    int64_t vectors = widths[operand] / kVectorLanes;
    copies[operand] = {shapes[operand], vectors, vectors + kGap,
                       firsts[operand]};
    planCopy(copies[operand]);
  }
}

void MatrixWeightGradient::planCopy(Copy &copy) {
  copy.shared = b.allocateNarrow(tile.getChunk() * copy.pitch);
  // The threads are a multiple of the vectors of a row.
  Value vector = b.rem(b.thread(), copy.vectors);
  copy.vector = b.add(b.div(copy.first, kVectorLanes), vector);
  if (copy.shape.vectors % copy.vectors != 0)
    copy.vector = b.min(copy.vector, b.index(copy.shape.vectors - 1));
  for (int64_t i = 0; i < tile.getChunk() * copy.vectors;
       i += tile.getThreads()) {
    Value row = b.div(b.add(b.thread(), i), copy.vectors);
    copy.row.push_back(row);
    copy.target.push_back(b.add(b.mul(row, copy.pitch), vector));
  }
}

MatrixWeightGradient::Values MatrixWeightGradient::fetch(Value step) {
  Value first = b.mul(b.add(firstStep, step), tile.getChunk());
  Value last = b.sub(rows, b.index(1));
  Values values;
  for (unsigned operand : {Gradient, Input})
    for (Value own : copies[operand].row) {
      Value row = b.add(first, own);
      Value at = b.add(b.mul(b.min(row, last), copies[operand].shape.vectors),
                       copies[operand].vector);
      Value words = b.loadNarrow4(operand, at);
      values.push_back(b.select(b.isLess(row, rows), words,
                                b.splatBits(words.getType(), 0)));
    }
  return values;
}

void MatrixWeightGradient::put(ValueRange values) {
  for (const Copy &copy : copies) {
    for (auto [target, value] : llvm::zip(copy.target, values))
      b.storeShared(value, copy.shared, target);
    values = values.drop_front(copy.target.size());
  }
}

void MatrixWeightGradient::multiply(MutableArrayRef<Value> sums) {
  auto getStart = [&](const Copy &copy, Value first, int64_t offset,
                      int64_t depth) {
    Value vector = b.div(b.add(first, offset), kVectorLanes);
    return b.add(vector, depth * copy.pitch);
  };
  matrices.multiply(
      sums, tile.getChunk(),
      [&](Value first, int64_t offset, int64_t depth) {
        const Copy &copy = copies[Gradient];
        return loadLeft(b, copy.shared, getStart(copy, first, offset, depth),
                        copy.pitch, /*transposed=*/true);
      },
      [&](Value first, int64_t offset, int64_t depth) {
        const Copy &copy = copies[Input];
        return loadRight(b, copy.shared, getStart(copy, first, offset, depth),
                         copy.pitch, /*transposed=*/false);
      });
}

MatrixWeightGradient::Values MatrixWeightGradient::sum() {
  Values carried = matrices.makeZeros();
  size_t count = carried.size();
  carried.append(fetch(b.index(0)));
  Value lastStep = b.sub(steps, b.index(1));
  if (hasBias)
    b.storeShared(b.splat(0), matrices.staging, b.thread());
  carried =
      b.loop(b.index(0), steps, 1, carried, [&](Value step, ValueRange values) {
        ValueRange fetched = values.drop_front(count);
        b.barrier(); // The last rows are no longer read.
        put(fetched);
        b.barrier();
        Values next = fetch(b.min(b.add(step, 1), lastStep));
        Values sums(values.take_front(count));
        multiply(sums);
        if (hasBias)
          addToBias(fetched.take_front(copies[Gradient].row.size()));
        sums.append(next);
        return sums;
      });
  carried.resize(count);
  return carried;
}

void MatrixWeightGradient::addToBias(ValueRange fetched) {
  b.ifThen(hasFirstColumn(), [&] {
    Value sum = b.loadShared(matrices.staging, b.thread());
    for (Value words : fetched)
      sum = b.addf(sum, emitWiden4(b, b.elementType(Input), words));
    b.storeShared(sum, matrices.staging, b.thread());
  });
}

void MatrixWeightGradient::storeVector(Value row, Value vector, Value four) {
  const Activation &input = copies[Input].shape;
  Channel out =
      copies[Gradient].shape.getChannel(b, b.add(copies[Gradient].first, row));
  vector = b.add(b.div(copies[Input].first, kVectorLanes), vector);
  b.ifThen(out.exists, [&] {
    if (!input.hasPaddedChannels()) {
      b.ifThen(b.isLess(vector, b.index(input.vectors)), [&] {
        b.store4(four, Result,
                 b.add(b.mul(getRow(out), input.vectors), vector));
      });
      return;
    }
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Channel in =
          input.getChannel(b, b.add(b.mul(vector, kVectorLanes), lane));
      b.ifThen(in.exists, [&] {
        b.store(b.extract(four, lane), Result,
                b.add(b.mul(getRow(out), input.width), in.number));
      });
    }
  });
}

void MatrixWeightGradient::storeBias() {
  const Copy &copy = copies[Gradient];
  b.barrier();
  Value stores =
      b.both(hasFirstColumn(), b.isLess(b.thread(), b.index(copy.vectors)));
  b.ifThen(stores, [&] {
    Value sum = b.loadShared(matrices.staging, b.thread());
    for (int64_t i = copy.vectors; i < tile.getThreads(); i += copy.vectors)
      sum = b.addf(sum, b.loadShared(matrices.staging, b.add(b.thread(), i)));
    Value first = b.add(copy.first, b.mul(b.thread(), kVectorLanes));
    if (!copy.shape.hasPaddedChannels()) {
      Channel out = copy.shape.getChannel(b, first);
      b.ifThen(out.exists,
               [&] { b.store4(sum, Bias, b.div(getRow(out), kVectorLanes)); });
      return;
    }
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Channel out = copy.shape.getChannel(b, b.add(first, lane));
      b.ifThen(out.exists,
               [&] { b.store(b.extract(sum, lane), Bias, getRow(out)); });
    }
  });
  b.barrier();
}

void MatrixWeightGradient::emit() {
  const Activation &gradient = copies[Gradient].shape,
                   &input = copies[Input].shape;
  if (input.hasPaddedChannels() || (hasBias && gradient.hasPaddedChannels()))
    b.useScalars();
  Values sums = sum();
  if (hasBias)
    storeBias();
  matrices.forEachVector(sums, [&](Value row, Value vector, Value four) {
    storeVector(row, vector, four);
  });
  int64_t outs = parts * gradient.width;
  storeZeroTail(b, Result, outs * input.width);
  if (hasBias)
    storeZeroTail(b, Bias, outs);
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(kernel::WeightGradientOp op,
                                const MatrixShape &shape) {
  kernel::TileAttr tile = op.getTile();
  int64_t threads = tile.getThreads();
  auto canCopy = [&](int64_t width) {
    return threads % (width / kVectorLanes) == 0 &&
           tile.getChunk() * width % (kVectorLanes * threads) == 0;
  };
  if (MatrixTile::isCovered(tile, shape) &&
      tile.getChunk() % shape.depth == 0 && canCopy(tile.getRows()) &&
      canCopy(tile.getCols()))
    return success();
  return op.emitOpError("has a tile that its subgroups do not cover: ") << tile;
}

FailureOr<KernelInfo>
vulkan::emitMatrixWeightGradient(kernel::WeightGradientOp op, SimtBuilder &b) {
  return emitWeightGradient<MatrixWeightGradient>(
      op, b, [&] { return verifyTile(op, getMatrixShape(b)); });
}
