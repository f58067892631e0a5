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
// chunk while this one is in use. In both places the rows of the input are
// along the depth, and those of the weights, too, unless the product is with
// the transposed weight: these are along the columns. At the end the subgroups
// store one matrix of sums after the other to workgroup memory, from where
// their invocations take vectors of 4 channels through the epilogue.
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
  MatrixGemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
             const Activation &result, const Epilogue &epilogue);
  void emit();
  int64_t columnTiles() const {
    return llvm::divideCeil(result.vectors * kVectorLanes, tile.getCols());
  }

private:
  /// The share of a thread in the copies of a tile of one operand.
  struct Copy {
    unsigned argument;
    int64_t rows, vectors;             ///< of the tile, of a row
    int64_t stride;                    ///< vectors from one step to the next
    Value shared;                      ///< `rows` rows of `pitch()` vectors
    SmallVector<Value> source, target; ///< vectors; `source` is that of step 0
    int64_t pitch() const { return vectors + kGap; }
  };
  /// Adds a copy of `argument`. `source` is where a vector of a row of the tile
  /// lies at step 0.
  void addCopy(unsigned argument, int64_t tileRows, int64_t vectors,
               int64_t stride,
               function_ref<Value(Value row, Value vector)> source);
  /// Of rows along the depth: those from `first` on, but `last` in place of
  /// those after it.
  void addRows(unsigned argument, int64_t tileRows, Value first, Value last);
  void addWeights();
  SmallVector<Value> fetch(Value step);
  void put(ValueRange values);
  /// Where row `first` + `offset` of a tile whose rows are along the depth has
  /// `depth`.
  Value getStart(const Copy &copy, Value first, int64_t offset,
                 int64_t depth) const;
  void multiply(MutableArrayRef<Value> sums);
  SmallVector<Value> sum();

  kernel::GemmOp op;
  SimtBuilder &b;
  Activation input, result;
  const Epilogue &epilogue;
  kernel::TileAttr tile;
  int64_t vectors; ///< of the depth, in a chunk
  MatrixTile matrices;
  Value rows;                  ///< rows of all images
  Value firstRow, firstColumn; ///< those of the tile
  SmallVector<Copy> copies;    ///< of the input and the weights
};
} // namespace

/// Depth of a chunk: that of the tile, unless it does not divide the depth,
/// which is a multiple of that of a matrix.
static int64_t getChunk(const SimtBuilder &b, kernel::TileAttr tile,
                        int64_t depth) {
  return depth % tile.getChunk() == 0 ? tile.getChunk()
                                      : getMatrixShape(b).depth;
}

MatrixGemm::MatrixGemm(kernel::GemmOp op, SimtBuilder &b,
                       const Activation &input, const Activation &result,
                       const Epilogue &epilogue)
    : op(op), b(b), input(input), result(result), epilogue(epilogue),
      tile(op.getTile()),
      vectors(getChunk(b, tile, input.vectors * kVectorLanes) / kVectorLanes),
      matrices(b, tile) {
  rows = result.rows(b);
  Value rowTiles = b.div(b.add(rows, tile.getRows() - 1), tile.getRows());
  firstRow = b.mul(b.rem(b.unit(), rowTiles), tile.getRows());
  firstColumn = b.mul(b.div(b.unit(), rowTiles), tile.getCols());
}

void MatrixGemm::addCopy(unsigned argument, int64_t tileRows, int64_t vectors,
                         int64_t stride,
                         function_ref<Value(Value row, Value vector)> source) {
  Copy copy = {argument, tileRows, vectors, stride, {}, {}, {}};
  copy.shared = b.allocateNarrow(tileRows * copy.pitch());
  // Neighbouring threads read neighbouring vectors of a row.
  for (int64_t i = 0; i < tileRows * vectors; i += tile.getThreads()) {
    Value item = b.add(b.thread(), i);
    Value row = b.div(item, vectors), vector = b.rem(item, vectors);
    copy.source.push_back(source(row, vector));
    copy.target.push_back(b.add(b.mul(row, copy.pitch()), vector));
  }
  copies.push_back(copy);
}

void MatrixGemm::addRows(unsigned argument, int64_t tileRows, Value first,
                         Value last) {
  addCopy(argument, tileRows, vectors, vectors, [&](Value row, Value vector) {
    return b.add(b.mul(b.min(b.add(first, row), last), input.vectors), vector);
  });
}

void MatrixGemm::addWeights() {
  constexpr unsigned argument = GemmArguments::Weight;
  if (!isDepthMajor(op))
    return addRows(argument, tile.getCols(), firstColumn,
                   b.index(result.vectors * kVectorLanes - 1));
  Value first = b.div(firstColumn, kVectorLanes);
  int64_t depth = vectors * kVectorLanes;
  addCopy(argument, depth, tile.getCols() / kVectorLanes,
          depth * result.vectors, [&](Value row, Value vector) {
            vector = b.min(b.add(first, vector), b.index(result.vectors - 1));
            return b.add(b.mul(row, result.vectors), vector);
          });
}

SmallVector<Value> MatrixGemm::fetch(Value step) {
  SmallVector<Value> values;
  for (const Copy &copy : copies) {
    Value offset = b.mul(step, copy.stride);
    for (Value source : copy.source)
      values.push_back(b.loadNarrow4(copy.argument, b.add(source, offset)));
  }
  return values;
}

void MatrixGemm::put(ValueRange values) {
  for (const Copy &copy : copies) {
    for (auto [target, value] : llvm::zip(copy.target, values))
      b.storeShared(value, copy.shared, target);
    values = values.drop_front(copy.target.size());
  }
}

Value MatrixGemm::getStart(const Copy &copy, Value first, int64_t offset,
                           int64_t depth) const {
  return b.add(b.mul(first, copy.pitch()),
               offset * copy.pitch() + depth / kVectorLanes);
}

void MatrixGemm::multiply(MutableArrayRef<Value> sums) {
  const Copy &left = copies[0], &right = copies[1];
  bool depthMajor = isDepthMajor(op);
  matrices.multiply(
      sums, vectors * kVectorLanes,
      [&](Value first, int64_t offset, int64_t depth) {
        return loadLeft(b, left.shared, getStart(left, first, offset, depth),
                        left.pitch());
      },
      [&](Value first, int64_t offset, int64_t depth) {
        if (!depthMajor) // Rows of the weights are columns of the operand.
          return loadRight(b, right.shared,
                           getStart(right, first, offset, depth), right.pitch(),
                           /*transposed=*/true);
        Value vector = b.div(b.add(first, offset), kVectorLanes);
        return loadRight(b, right.shared, b.add(vector, depth * right.pitch()),
                         right.pitch(), /*transposed=*/false);
      });
}

SmallVector<Value> MatrixGemm::sum() {
  addRows(GemmArguments::Input, tile.getRows(), firstRow,
          b.sub(rows, b.index(1)));
  addWeights();
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
static LogicalResult verifyTile(kernel::GemmOp op, const SimtBuilder &b,
                                int64_t depth) {
  kernel::TileAttr tile = op.getTile();
  MatrixShape shape = getMatrixShape(b);
  int64_t chunk = getChunk(b, tile, depth), threads = tile.getThreads();
  if (MatrixTile::isCovered(tile, shape) && chunk % shape.depth == 0 &&
      depth % chunk == 0 &&
      tile.getRows() * chunk % (kVectorLanes * threads) == 0 &&
      tile.getCols() * chunk % (kVectorLanes * threads) == 0)
    return success();
  return op.emitOpError("has a tile that its subgroups do not cover: ") << tile;
}

FailureOr<KernelInfo> vulkan::emitMatrixGemm(kernel::GemmOp op,
                                             SimtBuilder &b) {
  return emitGemm<MatrixGemm>(
      op, b, [&](int64_t depth) { return verifyTile(op, b, depth); });
}
