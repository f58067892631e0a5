//===- TensorGemm.cpp - Products by tensor cores --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one tile, rows x cols of the result; units are numbered as in
// Simt/Gemm.cpp. The workgroup copies `chunk` of the depth of both operands at
// a time. A warp has 8 * thread_rows x 4 * thread_cols sums of the tile, in
// blocks of 16 x 8. Each element is a single sum in depth order, whatever the
// tile.
//
// Which 8 columns are a block is free. They are chosen so that a thread has
// `run` consecutive channels of a row, 16 bytes of the result: the columns
// c + run * n of `run` / 2 blocks, for c in 0 to run - 1 and n in 0 to 3, with
// columns 2j and 2j + 1 of each n in block j.
//
// Weights whose rows are depths (isDepthMajor) lie in workgroup memory as in
// memory. A lane loads `run` / 2 neighbouring columns at a time, one for each
// block: column run / 2 * n + j is column n of block j.
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Simt/ProductEmitters.h"
#include "TensorBuilder.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

/// Channels of 16 bytes of the result.
static int64_t getRun(kernel::GemmOp op) {
  return 128 / op.getType().getElementTypeBitWidth();
}

/// Buffers of each operand.
static constexpr int64_t kStages = 3;

namespace {
class TensorGemm : GemmArguments {
public:
  TensorGemm(kernel::GemmOp op, SimtBuilder &b, const Activation &input,
             const Activation &result, const Epilogue &epilogue);
  void emit();
  int64_t columnTiles() const {
    return llvm::divideCeil(result.vectors * kVectorLanes, tile.getCols());
  }

private:
  /// The share of a thread in the copies of one operand.
  struct Copy {
    unsigned argument;
    CopyShare share;
    SmallVector<Value> row;    ///< the element at which its row begins
    SmallVector<Value> exists; ///< whether the row exists; null: always
  };
  /// `last` is the last row of the operand. `isRagged`: the tile may extend
  /// past it.
  Copy planCopy(unsigned argument, const SharedMatrix &matrix, Value firstRow,
                Value last, bool isRagged);
  /// Starts the copies of step `step` to the buffer with number `buffer`.
  void startCopies(Value step, Value buffer);
  /// The right operands of chunks `chunk` and `chunk` + 1 of the depth, by
  /// block of columns, from the buffer that begins at `base`.
  SmallVector<SmallVector<Value>> loadColumns(Value base, int64_t chunk);
  /// Adds the products of the buffer with number `buffer`.
  void multiply(SmallVectorImpl<Value> &sums, Value buffer);
  /// Chooses the elements that this lane loads.
  void planLoads();
  SmallVector<Value> sum();
  /// Stores `run` channels of a row, from vector `vector` on.
  void storeRun(Value row, Value vector, ArrayRef<Value> elements,
                ArrayRef<SmallVector<Value>> channels);
  void store(ArrayRef<Value> sums);

  kernel::GemmOp op;
  SimtBuilder &b;
  TensorBuilder t;
  Activation input, result;
  const Epilogue &epilogue;
  kernel::TileAttr tile;
  int64_t run, groupBlocks;        ///< blocks whose columns are chosen together
  bool isDepthMajor;               ///< the rows of the weights are depths
  int64_t depthChunks, tileChunks; ///< of a row, and of a row of the tile
  int64_t rowBlocks, columnBlocks; ///< of a warp
  Value rows;                      ///< rows of all images
  Value firstRow, firstColumn;     ///< those of the tile
  Value warpRow, warpColumn;       ///< those of the warp in the tile
  SmallVector<Copy> copies;        ///< of the input and the weights
  SmallVector<Value> lefts, rights; ///< elements of the lane, per depth
  ColumnOperand rightColumns;       ///< instead of `rights`, if isDepthMajor
};
} // namespace

TensorGemm::TensorGemm(kernel::GemmOp op, SimtBuilder &b,
                       const Activation &input, const Activation &result,
                       const Epilogue &epilogue)
    : op(op), b(b), t(b, Operands::of(op)), input(input), result(result),
      epilogue(epilogue), tile(op.getTile()), run(getRun(op)),
      groupBlocks(run / 2), isDepthMajor(simt::isDepthMajor(op)),
      depthChunks(input.vectors * kVectorLanes / t.operands.chunk()),
      tileChunks(tile.getChunk() / t.operands.chunk()),
      rowBlocks(tile.getThreadRows() * 8 / kMmaRows),
      columnBlocks(tile.getThreadCols() * 4 / kMmaColumns) {
  rows = result.rows(b);
  Value rowTiles = b.div(b.add(rows, tile.getRows() - 1), tile.getRows());
  firstRow = b.mul(b.rem(b.unit(), rowTiles), tile.getRows());
  firstColumn = b.mul(b.div(b.unit(), rowTiles), tile.getCols());
  int64_t across = tile.getCols() / (columnBlocks * kMmaColumns);
  warpRow = b.mul(b.div(t.warp(), across), rowBlocks * kMmaRows);
  warpColumn = b.mul(b.rem(t.warp(), across), columnBlocks * kMmaColumns);
}

TensorGemm::Copy TensorGemm::planCopy(unsigned argument,
                                      const SharedMatrix &matrix,
                                      Value firstRow, Value last,
                                      bool isRagged) {
  Copy copy = {argument, t.share(matrix), {}, {}};
  for (int64_t i = 0; i < copy.share.rowCount(); ++i) {
    Value row = b.add(b.add(firstRow, copy.share.row), i * copy.share.down);
    copy.exists.push_back(
        isRagged ? b.compare(arith::CmpIPredicate::sle, row, last) : Value());
    copy.row.push_back(
        b.mul(isRagged ? b.min(row, last) : row, depthChunks * matrix.chunk));
  }
  return copy;
}

void TensorGemm::startCopies(Value step, Value buffer) {
  for (const Copy &copy : copies) {
    if (isDepthMajor && copy.argument == Weight) {
      const SharedMatrix &matrix = copy.share.matrix;
      bool isRagged = depthChunks % tileChunks != 0;
      t.copyTile(Weight, copy.share, b.mul(buffer, matrix.bufferElements()),
                 b.mul(step, tile.getChunk()),
                 isRagged ? b.index(depthChunks * matrix.chunk) : Value(),
                 firstColumn, result.vectors * kVectorLanes);
      continue;
    }
    Value chunk = b.add(b.mul(step, tileChunks), copy.share.chunk), inDepth;
    if (depthChunks % tileChunks != 0) {
      inDepth = b.isLess(chunk, b.index(depthChunks));
      chunk = b.min(chunk, b.index(depthChunks - 1));
    }
    const SharedMatrix &matrix = copy.share.matrix;
    Value channel = b.mul(chunk, matrix.chunk);
    Value base = b.mul(buffer, matrix.bufferElements());
    copy.share.forEach(b, [&](int64_t i, int64_t j) {
      Value exists = copy.exists[i];
      if (inDepth)
        exists = exists ? b.both(exists, inDepth) : inDepth;
      t.copy(copy.argument, b.add(copy.row[i], channel), matrix,
             copy.share.at(b, base, i, j), exists);
    });
  }
}

SmallVector<SmallVector<Value>> TensorGemm::loadColumns(Value base,
                                                        int64_t chunk) {
  const SharedMatrix &right = copies[1].share.matrix;
  SmallVector<SmallVector<Value>> blocks;
  int64_t atOnce = isDepthMajor ? groupBlocks : 2;
  for (int64_t j = 0; j < columnBlocks; j += atOnce) {
    int64_t group = j / groupBlocks, inGroup = j % groupBlocks;
    SmallVector<Value> words;
    if (isDepthMajor) {
      words = t.loadColumns(rightColumns, base, chunk * right.chunk, group);
    } else {
      int64_t column = group * groupBlocks * kMmaColumns + 2 * inGroup;
      words = t.load(right, b.add(b.add(base, rights[chunk / 2]),
                                  column * right.rowElements()));
    }
    for (int64_t i = 0; i < atOnce; ++i)
      blocks.emplace_back(
          ArrayRef<Value>(words).slice(i * kRightWords, kRightWords));
  }
  return blocks;
}

void TensorGemm::multiply(SmallVectorImpl<Value> &sums, Value buffer) {
  const SharedMatrix &left = copies[0].share.matrix,
                     &right = copies[1].share.matrix;
  Value leftBase = b.mul(buffer, left.bufferElements());
  Value rightBase = b.mul(buffer, right.bufferElements());
  for (auto [depth, fromLeft] : llvm::enumerate(lefts)) {
    SmallVector<SmallVector<Value>> columns =
        loadColumns(rightBase, 2 * static_cast<int64_t>(depth));
    for (int64_t i = 0; i < rowBlocks; ++i) {
      Value from =
          b.add(b.add(leftBase, fromLeft), i * kMmaRows * left.rowElements());
      SmallVector<Value> row = t.load(left, from);
      for (int64_t j = 0; j < columnBlocks; ++j) {
        MutableArrayRef<Value> own(&sums[(i * columnBlocks + j) * kSums],
                                   kSums);
        llvm::copy(t.multiply(row, columns[j], own), own.begin());
      }
    }
  }
}

void TensorGemm::planLoads() {
  const SharedMatrix &left = copies[0].share.matrix,
                     &right = copies[1].share.matrix;
  // Of the four matrices of a load, lanes 16-31 give the rows of the second
  // half of the depth on the left, and of the second block on the right.
  Value half = b.div(t.lane(), 16), eighth = b.rem(b.div(t.lane(), 8), 2);
  Value inBlock = b.rem(t.lane(), kMmaColumns);
  Value row = b.rem(t.lane(), kMmaRows);
  Value column = b.add(b.add(b.mul(b.div(inBlock, 2), run), b.rem(inBlock, 2)),
                       b.mul(half, 2));
  for (int64_t chunk = 0; chunk < tileChunks; chunk += 2) {
    lefts.push_back(b.add(left.at(b, row, b.add(half, chunk)),
                          b.mul(warpRow, left.rowElements())));
    if (isDepthMajor)
      continue;
    rights.push_back(b.add(right.at(b, column, b.add(eighth, chunk)),
                           b.mul(warpColumn, right.rowElements())));
  }
  if (isDepthMajor)
    rightColumns = t.planColumns(right, warpColumn, groupBlocks);
}

SmallVector<Value> TensorGemm::sum() {
  SharedMatrix left = t.allocate(kStages, tile.getRows(), tileChunks);
  copies = {planCopy(Input, left, firstRow, b.sub(rows, b.index(1)),
                     /*isRagged=*/true)};
  if (isDepthMajor) {
    SharedMatrix right =
        t.allocate(kStages, tile.getChunk(),
                   tile.getCols() / t.operands.chunk(), t.operands.perWord());
    copies.push_back({Weight, t.share(right), {}, {}});
  } else {
    SharedMatrix right = t.allocate(kStages, tile.getCols(), tileChunks, run);
    int64_t last = result.vectors * kVectorLanes - 1;
    copies.push_back(planCopy(Weight, right, firstColumn, b.index(last),
                              (last + 1) % tile.getCols() != 0));
  }
  planLoads();
  int64_t steps = llvm::divideCeil(depthChunks, tileChunks);
  SmallVector<Value> zeros(rowBlocks * columnBlocks * kSums, b.scalar(0));
  return t.pipeline(
      kStages, b.index(steps), zeros,
      [&](Value step, Value buffer) { startCopies(step, buffer); },
      [&](Value, Value buffer, ValueRange carried) {
        SmallVector<Value> sums(carried);
        multiply(sums, buffer);
        return sums;
      });
}

void TensorGemm::emit() { store(sum()); }

void TensorGemm::storeRun(Value row, Value vector, ArrayRef<Value> elements,
                          ArrayRef<SmallVector<Value>> channels) {
  SmallVector<Value> vectors;
  Value offset = b.add(b.mul(row, result.vectors), vector);
  for (int64_t i = 0; i < run / kVectorLanes; ++i) {
    Value sums = b.fromElements(elements.slice(i * kVectorLanes, kVectorLanes));
    vectors.push_back(epilogue.apply(sums, channels[i], row, b.add(vector, i),
                                     b.add(offset, i)));
  }
  t.store(vectors, op->getNumOperands(), b.mul(offset, kVectorLanes));
}

void TensorGemm::store(ArrayRef<Value> sums) {
  Value row = b.add(b.add(firstRow, warpRow), b.div(t.lane(), 4));
  Value column =
      b.add(b.add(firstColumn, warpColumn), b.mul(b.rem(t.lane(), 4), run));
  int64_t columns = result.vectors * kVectorLanes;
  auto storeColumns = [&](int64_t group, Value vector) {
    SmallVector<SmallVector<Value>> channels;
    for (int64_t i = 0; i < run / kVectorLanes; ++i)
      channels.push_back(epilogue.loadChannels(b.add(vector, i)));
    for (int64_t half = 0; half < 2 * rowBlocks; ++half) {
      SmallVector<Value> elements;
      for (int64_t i = 0; i < run; ++i) {
        int64_t inGroup = isDepthMajor ? i % groupBlocks : i / 2;
        int64_t inRow = isDepthMajor ? i / groupBlocks : i % 2;
        int64_t block = half / 2 * columnBlocks + group * groupBlocks + inGroup;
        elements.push_back(sums[block * kSums + half % 2 * 2 + inRow]);
      }
      Value at = b.add(row, half * 8);
      b.ifThen(b.isLess(at, rows),
               [&] { storeRun(at, vector, elements, channels); });
    }
  };
  for (int64_t group = 0; group < columnBlocks / groupBlocks; ++group) {
    Value first = b.add(column, group * groupBlocks * kMmaColumns);
    Value vector = b.div(first, kVectorLanes);
    if (columns % tile.getCols() == 0)
      storeColumns(group, vector);
    else
      b.ifThen(b.isLess(first, b.index(columns)),
               [&] { storeColumns(group, vector); });
  }
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(kernel::GemmOp op, kernel::TileAttr tile,
                                int64_t run) {
  int64_t rows = 8 * tile.getThreadRows(), cols = 4 * tile.getThreadCols();
  Operands operands = Operands::of(op);
  int64_t chunks = tile.getChunk() / operands.chunk();
  if (rows % kMmaRows == 0 && cols % (4 * run) == 0 &&
      tile.getRows() % rows == 0 && tile.getCols() % cols == 0 &&
      tile.getRows() * tile.getCols() * kWarp ==
          rows * cols * tile.getThreads() &&
      tile.getChunk() % operands.depth() == 0 && llvm::isPowerOf2_64(chunks) &&
      canShare(tile.getThreads(), tile.getRows(), chunks, /*run=*/2) &&
      (simt::isDepthMajor(op)
           ? canShare(tile.getThreads(), tile.getChunk(),
                      tile.getCols() / operands.chunk(), operands.perWord())
           : canShare(tile.getThreads(), tile.getCols(), chunks, run)))
    return success();
  return op.emitOpError("has a tile that its warps do not cover: ") << tile;
}

FailureOr<KernelInfo> mlir::vit::cuda::emitTensorGemm(kernel::GemmOp op,
                                                      SimtBuilder &b) {
  return emitGemm<TensorGemm>(
      op, b, [&](int64_t) { return verifyTile(op, op.getTile(), getRun(op)); });
}
