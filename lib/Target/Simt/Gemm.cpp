//===- Gemm.cpp - Products with their epilogue on a GPU -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of the result, computed for `chunk` of
// the depth at a time. Units are numbered by rows first, so that units that run
// at the same time share a panel of weights. A thread has thread_rows x
// thread_cols sums. Its rows are `down` apart and its column vectors `across`
// apart, so that neighboring threads read neighboring vectors. If the chunk is
// 1, each thread loads its operands itself. Otherwise the workgroup copies a
// chunk of both operands to workgroup memory, and loads the next chunk while
// this one is in use. Each element is a single sum in depth order, whatever the
// tile.
//
// Weights of f32 are in panels, where a vector is 4 columns at one depth. Those
// of bf16 are row-major, [columns][depth]: 4 depths of 4 columns are loaded
// together and transposed. Operands are widened when they are loaded, so
// workgroup memory holds f32.
//
//===----------------------------------------------------------------------===//

#include "ProductEmitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

namespace {
class Gemm : GemmArguments {
public:
  Gemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
       const Activation &result, const Epilogue &epilogue);
  void emit();
  int64_t columnTiles() const {
    return llvm::divideCeil(result.vectors * kVectorLanes, tile.getCols());
  }

private:
  /// A vector of columns in the weights: its position at depth 0, and the
  /// distance to the next depth (rows: from a vector of depths to the next).
  struct Column {
    Value base, stride;
  };
  Column getColumn(Value vector);
  /// Loads 4 columns in `together` depths: those at `at`, a position that is a
  /// multiple of the stride after the base of the columns.
  SmallVector<Value> loadColumns(Value at);
  Value clampRow(Value row) { return b.min(row, b.sub(rows, b.index(1))); }
  Value clampVector(Value vector) {
    return isRagged ? b.min(vector, b.index(result.vectors - 1)) : vector;
  }

  /// Adds the products of four depths. `left(i)` is the vector of these depths
  /// in row i, `right(d, j)` is column vector j at depth d.
  void multiply(SmallVectorImpl<Value> &sums, function_ref<Value(int64_t)> left,
                function_ref<Value(int64_t, int64_t)> right);
  /// How a thread copies its part of a tile of one operand to workgroup memory:
  /// items `thread`, `thread + threads`, ... of one vector of the input, or of
  /// `together` vectors of weights.
  struct Copy {
    unsigned operand;
    int64_t total;             ///< vectors of the tile
    int64_t items;             ///< of the tile
    SmallVector<Value> source; ///< at step 0
    SmallVector<Value> stride; ///< per step
    SmallVector<Value> item, target;
    Value shared; ///< two buffers of `total` vectors
    int64_t vectorsPerItem() const { return total / items; }
  };
  Copy planInput();
  Copy planWeights();
  Value getItem(Copy &copy, int64_t first);
  /// Stores the vectors of each item to the buffer that begins at `base`.
  void putShared(const Copy &copy, ArrayRef<Value> values, Value base);
  /// Adds the products of the tiles. `left` and `right` are where the rows and
  /// columns of this thread begin.
  void multiplyShared(SmallVectorImpl<Value> &sums, const Copy &leftCopy,
                      Value left, const Copy &rightCopy, Value right);
  SmallVector<Value> sumDirect();
  SmallVector<Value> sumStaged();
  void store(ArrayRef<Value> sums);

  kernel::GemmOp op;
  SimtBuilder &b;
  Activation input, result;
  const Epilogue &epilogue;
  kernel::TileAttr tile;
  int64_t panel;    ///< vectors of every panel of weights but the last
  int64_t together; ///< depths of a vector of columns that are loaded together
  int64_t threadRows, threadVectors;
  int64_t across, down;        ///< threads per row and per column of the tile
  bool isRagged;               ///< the last column tile extends past the result
  Value rows;                  ///< rows of all images
  Value firstRow, firstVector; ///< those of the tile
  SmallVector<Value> threadRow, threadVector;
};
} // namespace

Gemm::Gemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
           const Activation &result, const Epilogue &epilogue)
    : op(op), b(b), input(input), result(result), epilogue(epilogue),
      tile(op.getTile()) {
  auto panels =
      cast<kernel::PanelsAttr>(op.getWeight().getType().getEncoding());
  together = panels.getCols() == 1 ? kVectorLanes : 1;
  panel = std::min(panels.getCols() / kVectorLanes, result.vectors);
  threadRows = tile.getThreadRows();
  threadVectors = tile.getThreadCols() / kVectorLanes;
  across = tile.getCols() / tile.getThreadCols();
  down = tile.getRows() / threadRows;
  isRagged = result.vectors * kVectorLanes % tile.getCols() != 0;

  rows = result.rows(b);
  Value rowTiles = b.div(b.add(rows, tile.getRows() - 1), tile.getRows());
  firstRow = b.mul(b.rem(b.unit(), rowTiles), tile.getRows());
  firstVector = b.mul(b.div(b.unit(), rowTiles), tile.getCols() / kVectorLanes);
  Value row = b.add(firstRow, b.div(b.thread(), across));
  Value vector = b.add(firstVector, b.rem(b.thread(), across));
  for (int64_t i = 0; i < threadRows; ++i)
    threadRow.push_back(b.add(row, i * down));
  for (int64_t j = 0; j < threadVectors; ++j)
    threadVector.push_back(b.add(vector, j * across));
}

Gemm::Column Gemm::getColumn(Value vector) {
  int64_t depth = input.vectors * kVectorLanes;
  if (together > 1)
    return {b.mul(vector, kVectorLanes * input.vectors), b.index(1)};
  Value index = b.div(vector, panel), inPanel = b.rem(vector, panel);
  Column column;
  column.base = b.add(b.mul(index, panel * depth), inPanel);
  column.stride = b.index(panel);
  if (int64_t last = result.vectors % panel)
    column.stride = b.select(b.isLess(index, b.index(result.vectors / panel)),
                             column.stride, b.index(last));
  return column;
}

SmallVector<Value> Gemm::loadColumns(Value at) {
  if (together == 1)
    return {b.load4(Weight, at)};
  SmallVector<Value> columns, depths;
  for (int64_t i = 0; i < kVectorLanes; ++i)
    columns.push_back(b.load4(Weight, b.add(at, i * input.vectors)));
  for (int64_t d = 0; d < kVectorLanes; ++d)
    depths.push_back(b.fromElements(llvm::map_to_vector(
        columns, [&](Value column) { return b.extract(column, d); })));
  return depths;
}

void Gemm::multiply(SmallVectorImpl<Value> &sums,
                    function_ref<Value(int64_t)> left,
                    function_ref<Value(int64_t, int64_t)> right) {
  SmallVector<SmallVector<Value>> columns(kVectorLanes);
  for (int64_t d = 0; d < kVectorLanes; ++d)
    for (int64_t j = 0; j < threadVectors; ++j)
      columns[d].push_back(right(d, j));
  for (int64_t i = 0; i < threadRows; ++i) {
    Value x = left(i);
    for (int64_t d = 0; d < kVectorLanes; ++d) {
      Value factor = b.broadcast(b.extract(x, d));
      for (int64_t j = 0; j < threadVectors; ++j) {
        Value &sum = sums[i * threadVectors + j];
        sum = b.fma(factor, columns[d][j], sum);
      }
    }
  }
}

SmallVector<Value> Gemm::sumDirect() {
  SmallVector<Value> rowBase;
  for (Value row : threadRow)
    rowBase.push_back(b.mul(clampRow(row), input.vectors));
  SmallVector<Column> columns;
  for (Value vector : threadVector)
    columns.push_back(getColumn(clampVector(vector)));
  SmallVector<Value> zeros(threadRows * threadVectors, b.splat(0));
  return b.loop(input.vectors, zeros, [&](Value step, ValueRange carried) {
    SmallVector<Value> sums(carried);
    Value depth = b.mul(step, kVectorLanes / together);
    SmallVector<SmallVector<Value>> loaded(threadVectors);
    multiply(
        sums,
        [&](int64_t i) { return b.load4(Input, b.add(rowBase[i], step)); },
        [&](int64_t d, int64_t j) {
          if (d % together == 0) {
            Value offset = b.mul(b.add(depth, d / together), columns[j].stride);
            loaded[j] = loadColumns(b.add(columns[j].base, offset));
          }
          return loaded[j][d % together];
        });
    return sums;
  });
}

/// Adds the item of this thread after item `first` to `copy`. Returns it, or
/// the last one if it is past the end.
Value Gemm::getItem(Copy &copy, int64_t first) {
  copy.item.push_back(b.add(b.thread(), first));
  return first + tile.getThreads() > copy.items
             ? b.min(copy.item.back(), b.index(copy.items - 1))
             : copy.item.back();
}

Gemm::Copy Gemm::planInput() {
  int64_t depthVectors = tile.getChunk() / kVectorLanes;
  Copy copy;
  copy.operand = Input;
  copy.total = copy.items = tile.getRows() * depthVectors;
  for (int64_t first = 0; first < copy.items; first += tile.getThreads()) {
    Value item = getItem(copy, first);
    Value row = b.add(firstRow, b.div(item, depthVectors));
    copy.source.push_back(
        b.add(b.mul(clampRow(row), input.vectors), b.rem(item, depthVectors)));
    copy.stride.push_back(b.index(depthVectors));
    copy.target.push_back(copy.item.back());
  }
  return copy;
}

Gemm::Copy Gemm::planWeights() {
  int64_t depth = tile.getChunk(), depths = depth / together;
  int64_t columnVectors = tile.getCols() / kVectorLanes;
  Copy copy;
  copy.operand = Weight;
  copy.total = depth * columnVectors;
  copy.items = depths * columnVectors;
  for (int64_t first = 0; first < copy.items; first += tile.getThreads()) {
    Value item = getItem(copy, first);
    // Neighboring threads read neighboring vectors.
    Value vector =
        together == 1 ? b.rem(item, columnVectors) : b.div(item, depths);
    Value at = together == 1 ? b.div(item, columnVectors) : b.rem(item, depths);
    Column column = getColumn(clampVector(b.add(firstVector, vector)));
    copy.source.push_back(b.add(column.base, b.mul(at, column.stride)));
    copy.stride.push_back(b.mul(column.stride, depths));
    copy.target.push_back(
        together == 1 ? copy.item.back()
                      : b.add(b.mul(at, together * columnVectors), vector));
  }
  return copy;
}

void Gemm::putShared(const Copy &copy, ArrayRef<Value> values, Value base) {
  int64_t each = copy.vectorsPerItem();
  int64_t columnVectors = tile.getCols() / kVectorLanes;
  for (auto [i, target] : llvm::enumerate(copy.target)) {
    auto put = [&, i = i, target = target] {
      for (int64_t j = 0; j < each; ++j)
        b.storeShared(values[i * each + j], copy.shared,
                      b.add(b.add(base, target), j * columnVectors));
    };
    bool isWhole =
        copy.items % tile.getThreads() == 0 || i + 1 < copy.target.size();
    if (isWhole)
      put();
    else
      b.ifThen(b.isLess(copy.item[i], b.index(copy.items)), put);
  }
}

void Gemm::multiplyShared(SmallVectorImpl<Value> &sums, const Copy &leftCopy,
                          Value left, const Copy &rightCopy, Value right) {
  int64_t depthVectors = tile.getChunk() / kVectorLanes;
  int64_t columnVectors = tile.getCols() / kVectorLanes;
  for (int64_t k = 0; k < depthVectors; ++k)
    multiply(
        sums,
        [&](int64_t i) {
          return b.loadShared(leftCopy.shared,
                              b.add(left, i * down * depthVectors + k));
        },
        [&](int64_t d, int64_t j) {
          return b.loadShared(
              rightCopy.shared,
              b.add(right,
                    (k * kVectorLanes + d) * columnVectors + j * across));
        });
}

SmallVector<Value> Gemm::sumStaged() {
  int64_t depthVectors = tile.getChunk() / kVectorLanes;
  int64_t steps = input.vectors / depthVectors;
  // The tile of the input is [rows][depth], that of the weights [depth][cols].
  Copy copies[] = {planInput(), planWeights()};
  // There are two buffers of each, so that one barrier per step is enough.
  for (Copy &copy : copies)
    copy.shared = b.allocateShared4(2 * copy.total);
  auto fetch = [&](Value step) {
    SmallVector<Value> values;
    for (const Copy &copy : copies)
      for (auto [source, stride] : llvm::zip(copy.source, copy.stride)) {
        Value at = b.add(source, b.mul(step, stride));
        if (copy.operand == 0)
          values.push_back(b.load4(Input, at));
        else
          values.append(loadColumns(at));
      }
    return values;
  };

  int64_t count = threadRows * threadVectors;
  SmallVector<Value> carried(count, b.splat(0));
  carried.append(fetch(b.index(0)));
  Value leftBase = b.mul(b.div(b.thread(), across), depthVectors);
  Value rightBase = b.rem(b.thread(), across);
  SmallVector<Value> results =
      b.loop(steps, carried, [&](Value step, ValueRange values) {
        Value buffer = b.rem(step, 2);
        Value base[] = {b.mul(buffer, copies[0].total),
                        b.mul(buffer, copies[1].total)};
        SmallVector<Value> sums(values);
        SmallVector<Value> fetched(ArrayRef<Value>(sums).drop_front(count));
        sums.resize(count);
        size_t lefts = copies[0].target.size(); // one vector each
        putShared(copies[0], ArrayRef(fetched).take_front(lefts), base[0]);
        putShared(copies[1], ArrayRef(fetched).drop_front(lefts), base[1]);
        b.barrier();
        SmallVector<Value> next =
            fetch(b.min(b.add(step, 1), b.index(steps - 1)));
        Value left = b.add(base[0], leftBase);
        Value right = b.add(base[1], rightBase);
        multiplyShared(sums, copies[0], left, copies[1], right);
        sums.append(next);
        return sums;
      });
  results.resize(count);
  return results;
}

void Gemm::store(ArrayRef<Value> sums) {
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

void Gemm::emit() { store(tile.getChunk() == 1 ? sumDirect() : sumStaged()); }

/// Verifies that the emitter supports the tile for this product.
static LogicalResult verifyTile(kernel::GemmOp op, kernel::TileAttr tile,
                                int64_t depth) {
  int64_t perThread = tile.getThreadRows() * tile.getThreadCols();
  if (tile.getThreadCols() % kVectorLanes == 0 &&
      tile.getRows() % tile.getThreadRows() == 0 &&
      tile.getCols() % tile.getThreadCols() == 0 &&
      tile.getThreads() * perThread == tile.getRows() * tile.getCols() &&
      (tile.getChunk() == 1 ||
       (tile.getChunk() % kVectorLanes == 0 && depth % tile.getChunk() == 0)))
    return success();
  return op.emitOpError("has a tile that its threads do not cover, or a chunk "
                        "that does not divide the depth: ")
         << tile;
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::GemmOp op, SimtBuilder &b) {
  return emitGemm<Gemm>(op, b, [&](int64_t depth) {
    return verifyTile(op, op.getTile(), depth);
  });
}
