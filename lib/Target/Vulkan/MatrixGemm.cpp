//===- MatrixGemm.cpp - Products by cooperative matrices ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of the result; units are numbered as in
// Simt/Gemm.cpp. The workgroup copies `chunk` of the depth of both operands to
// workgroup memory as they are, two elements in a word, and loads the next
// chunk while this one is in use. At the end the subgroups store one matrix of
// sums after the other to workgroup memory, from where their invocations take
// vectors of 4 channels through the epilogue.
//
//===----------------------------------------------------------------------===//

#include "MatrixTile.h"

#include "../Simt/ProductEmitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using namespace mlir::vit::vulkan;

namespace {
class MatrixGemm {
public:
  static constexpr bool readsDepthMajor = false;

  MatrixGemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
             const Activation &result, const Epilogue &epilogue);
  void emit();
  int64_t columnTiles() const {
    return llvm::divideCeil(result.vectors * kVectorLanes, tile.getCols());
  }

private:
  /// The share of a thread in the copies of one operand.
  struct Copy {
    unsigned argument;
    int64_t rows;                      ///< of the tile
    Value shared;                      ///< `rows` rows of `pitch` vectors
    SmallVector<Value> source, target; ///< vectors; `source` is that of step 0
  };
  /// Plans to copy rows `first` and following, but the last one in place of
  /// those after `last`.
  Copy planCopy(unsigned argument, int64_t tileRows, Value first, Value last);
  SmallVector<Value> fetch(Value step);
  void put(ValueRange values);
  /// Where 16 rows of an operand begin, `depth` matrices from the left.
  Value getStart(Value firstRow, int64_t block, int64_t depth) const;
  void multiply(MutableArrayRef<Value> sums);
  SmallVector<Value> sum();

  kernel::GemmOp op;
  SimtBuilder &b;
  Activation input, result;
  const Epilogue &epilogue;
  kernel::TileAttr tile;
  int64_t vectors, pitch; ///< of a row of a chunk, and to the next row
  MatrixTile matrices;
  Value rows;                  ///< rows of all images
  Value firstRow, firstColumn; ///< those of the tile
  SmallVector<Copy> copies;    ///< of the input and the weights
};
} // namespace

/// Depth of a chunk: that of the tile, unless it does not divide the depth,
/// which is a multiple of 16.
static int64_t getChunk(kernel::TileAttr tile, int64_t depth) {
  return depth % tile.getChunk() == 0 ? tile.getChunk() : kMatrix;
}

MatrixGemm::MatrixGemm(kernel::GemmOp op, SimtBuilder &b,
                       const Activation &input, const Activation &result,
                       const Epilogue &epilogue)
    : op(op), b(b), input(input), result(result), epilogue(epilogue),
      tile(op.getTile()),
      vectors(getChunk(tile, input.vectors * kVectorLanes) / kVectorLanes),
      pitch(vectors + kGap), matrices(b, tile) {
  rows = result.rows(b);
  Value rowTiles = b.div(b.add(rows, tile.getRows() - 1), tile.getRows());
  firstRow = b.mul(b.rem(b.unit(), rowTiles), tile.getRows());
  firstColumn = b.mul(b.div(b.unit(), rowTiles), tile.getCols());
}

MatrixGemm::Copy MatrixGemm::planCopy(unsigned argument, int64_t tileRows,
                                      Value first, Value last) {
  Copy copy = {argument, tileRows, b.allocateNarrow(tileRows * pitch), {}, {}};
  // Neighbouring threads read neighbouring vectors of a row.
  for (int64_t i = 0; i < tileRows * vectors; i += tile.getThreads()) {
    Value item = b.add(b.thread(), i);
    Value row = b.div(item, vectors), vector = b.rem(item, vectors);
    copy.source.push_back(
        b.add(b.mul(b.min(b.add(first, row), last), input.vectors), vector));
    copy.target.push_back(b.add(b.mul(row, pitch), vector));
  }
  return copy;
}

SmallVector<Value> MatrixGemm::fetch(Value step) {
  SmallVector<Value> values;
  Value offset = b.mul(step, vectors);
  for (const Copy &copy : copies)
    for (Value source : copy.source)
      values.push_back(b.loadNarrow4(copy.argument, b.add(source, offset)));
  return values;
}

void MatrixGemm::put(ValueRange values) {
  for (const Copy &copy : copies) {
    for (auto [target, value] : llvm::zip(copy.target, values))
      b.storeShared(value, copy.shared, target);
    values = values.drop_front(copy.target.size());
  }
}

Value MatrixGemm::getStart(Value firstRow, int64_t block, int64_t depth) const {
  return b.add(b.mul(firstRow, pitch),
               block * kMatrix * pitch + depth * kMatrixVectors);
}

void MatrixGemm::multiply(MutableArrayRef<Value> sums) {
  matrices.multiply(
      sums, vectors / kMatrixVectors,
      [&](Value first, int64_t block, int64_t depth) {
        return loadLeft(b, copies[0].shared, getStart(first, block, depth),
                        pitch);
      },
      [&](Value first, int64_t block, int64_t depth) {
        // Rows of the weights are columns of the right operand.
        return loadRight(b, copies[1].shared, getStart(first, block, depth),
                         pitch, /*transposed=*/true);
      });
}

SmallVector<Value> MatrixGemm::sum() {
  copies.push_back(planCopy(GemmArguments::Input, tile.getRows(), firstRow,
                            b.sub(rows, b.index(1))));
  copies.push_back(planCopy(GemmArguments::Weight, tile.getCols(), firstColumn,
                            b.index(result.vectors * kVectorLanes - 1)));
  int64_t steps = input.vectors / vectors;
  int64_t count = matrices.matrices();
  SmallVector<Value> carried = matrices.makeZeros();
  carried.append(fetch(b.index(0)));
  SmallVector<Value> results =
      b.loop(steps, carried, [&](Value step, ValueRange values) {
        b.barrier(); // The last chunk is no longer read.
        put(values.drop_front(count));
        b.barrier();
        SmallVector<Value> next =
            fetch(b.min(b.add(step, 1), b.index(steps - 1)));
        SmallVector<Value> sums(values.take_front(count));
        multiply(sums);
        sums.append(next);
        return sums;
      });
  results.resize(count);
  return results;
}

void MatrixGemm::emit() {
  matrices.forEachVector(sum(), [&](Value row, Value vector, Value sums) {
    row = b.add(firstRow, row);
    vector = b.add(b.div(firstColumn, kVectorLanes), vector);
    Value exists = b.isLess(row, rows);
    if (result.vectors * kVectorLanes % tile.getCols() != 0)
      exists = b.both(exists, b.isLess(vector, b.index(result.vectors)));
    b.ifThen(exists, [&] {
      Value offset = b.add(b.mul(row, result.vectors), vector);
      b.store4(epilogue.apply(sums, epilogue.loadChannels(vector), row, vector,
                              offset),
               op->getNumOperands(), offset);
    });
  });
}

/// Verifies that the emitter supports the tile for a product of this depth.
static LogicalResult verifyTile(kernel::GemmOp op, kernel::TileAttr tile,
                                int64_t depth) {
  int64_t chunk = getChunk(tile, depth), threads = tile.getThreads();
  if (MatrixTile::isCovered(tile) && chunk % kMatrix == 0 &&
      depth % chunk == 0 &&
      tile.getRows() * chunk % (kVectorLanes * threads) == 0 &&
      tile.getCols() * chunk % (kVectorLanes * threads) == 0)
    return success();
  return op.emitOpError("has a tile that its subgroups do not cover: ") << tile;
}

FailureOr<KernelInfo> vulkan::emitMatrixGemm(kernel::GemmOp op,
                                             SimtBuilder &b) {
  return emitGemm<MatrixGemm>(op, b, [&](int64_t depth) {
    return verifyTile(op, op.getTile(), depth);
  });
}
