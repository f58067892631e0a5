//===- MatrixTile.cpp - Tiles of products by matrices ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixTile.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using namespace mlir::vit::vulkan;

/// Vectors of 4 sums of a matrix.
static constexpr int64_t kSumVectors = kMatrix * kMatrixVectors;

/// Rows and columns of the sums of a subgroup.
static int64_t getRows(kernel::TileAttr tile) {
  return 8 * tile.getThreadRows();
}
static int64_t getColumns(kernel::TileAttr tile) {
  return 4 * tile.getThreadCols();
}

bool MatrixTile::isCovered(kernel::TileAttr tile) {
  int64_t rows = getRows(tile), columns = getColumns(tile);
  return rows % kMatrix == 0 && columns % kMatrix == 0 &&
         tile.getRows() % rows == 0 && tile.getCols() % columns == 0 &&
         tile.getRows() * tile.getCols() * kSubgroup ==
             rows * columns * tile.getThreads();
}

MatrixTile::MatrixTile(SimtBuilder &b, kernel::TileAttr tile)
    : staging(b.allocateShared4(tile.getThreads() / kSubgroup * kSumVectors)),
      b(b), rowBlocks(getRows(tile) / kMatrix),
      columnBlocks(getColumns(tile) / kMatrix) {
  subgroup = gpu::SubgroupIdOp::create(b, /*upper_bound=*/nullptr);
  lane = gpu::LaneIdOp::create(b, /*upper_bound=*/nullptr);
  int64_t across = tile.getCols() / getColumns(tile);
  firstRow = b.mul(b.div(subgroup, across), getRows(tile));
  firstColumn = b.mul(b.rem(subgroup, across), getColumns(tile));
}

void MatrixTile::multiply(MutableArrayRef<Value> sums, int64_t depths,
                          Load loadLeft, Load loadRight) const {
  for (int64_t depth = 0; depth < depths; ++depth) {
    SmallVector<Value> rights;
    for (int64_t j = 0; j < columnBlocks; ++j)
      rights.push_back(loadRight(firstColumn, j, depth));
    for (int64_t i = 0; i < rowBlocks; ++i) {
      Value left = loadLeft(firstRow, i, depth);
      for (int64_t j = 0; j < columnBlocks; ++j) {
        Value &sum = sums[i * columnBlocks + j];
        sum = multiplyMatrices(b, left, rights[j], sum);
      }
    }
  }
}

void MatrixTile::forEachVector(
    ArrayRef<Value> sums,
    function_ref<void(Value row, Value vector, Value four)> body) const {
  Value mine = b.mul(subgroup, kSumVectors);
  for (int64_t number = 0; number < matrices(); ++number) {
    storeMatrix(b, sums[number], staging, mine, kMatrixVectors);
    b.barrier();
    Value firstOfRows = b.add(firstRow, number / columnBlocks * kMatrix);
    Value firstVector = b.div(
        b.add(firstColumn, number % columnBlocks * kMatrix), kVectorLanes);
    for (int64_t first = 0; first < kSumVectors; first += kSubgroup) {
      Value item = b.add(lane, first);
      body(b.add(firstOfRows, b.div(item, kMatrixVectors)),
           b.add(firstVector, b.rem(item, kMatrixVectors)),
           b.loadShared(staging, b.add(mine, item)));
    }
    b.barrier(); // The next matrix overwrites this one.
  }
}
