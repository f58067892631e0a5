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

/// Rows and columns of the sums of a subgroup.
static int64_t getRows(kernel::TileAttr tile, const MatrixShape &shape) {
  return shape.subgroup / 4 * tile.getThreadRows();
}
static int64_t getColumns(kernel::TileAttr tile) {
  return 4 * tile.getThreadCols();
}

bool MatrixTile::isCovered(kernel::TileAttr tile, const MatrixShape &shape) {
  int64_t rows = getRows(tile, shape), columns = getColumns(tile);
  return rows % shape.rows == 0 && columns % shape.columns == 0 &&
         tile.getRows() % rows == 0 && tile.getCols() % columns == 0 &&
         tile.getRows() * tile.getCols() * shape.subgroup ==
             rows * columns * tile.getThreads();
}

MatrixTile::MatrixTile(SimtBuilder &b, kernel::TileAttr tile)
    : shape(getMatrixShape(b)),
      staging(
          b.allocateShared4(tile.getThreads() / shape.subgroup * sumVectors())),
      b(b), rowBlocks(getRows(tile, shape) / shape.rows),
      columnBlocks(getColumns(tile) / shape.columns) {
  subgroup = gpu::SubgroupIdOp::create(b, /*upper_bound=*/nullptr);
  lane = gpu::LaneIdOp::create(b, /*upper_bound=*/nullptr);
  int64_t across = tile.getCols() / getColumns(tile);
  firstRow = b.mul(b.div(subgroup, across), getRows(tile, shape));
  firstColumn = b.mul(b.rem(subgroup, across), getColumns(tile));
}

void MatrixTile::multiply(MutableArrayRef<Value> sums, int64_t depth,
                          Load loadLeft, Load loadRight) const {
  for (int64_t from = 0; from < depth; from += shape.depth) {
    SmallVector<Value> rights;
    for (int64_t j = 0; j < columnBlocks; ++j)
      rights.push_back(loadRight(firstColumn, j * shape.columns, from));
    for (int64_t i = 0; i < rowBlocks; ++i) {
      Value left = loadLeft(firstRow, i * shape.rows, from);
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
  int64_t count = sumVectors(), across = shape.columnVectors();
  Value mine = b.mul(subgroup, count);
  for (int64_t number = 0; number < matrices(); ++number) {
    storeMatrix(b, sums[number], staging, mine, across);
    b.barrier();
    Value firstOfRows = b.add(firstRow, number / columnBlocks * shape.rows);
    Value firstVector =
        b.div(b.add(firstColumn, number % columnBlocks * shape.columns),
              kVectorLanes);
    for (int64_t first = 0; first < count; first += shape.subgroup) {
      Value item = b.add(lane, first);
      body(b.add(firstOfRows, b.div(item, across)),
           b.add(firstVector, b.rem(item, across)),
           b.loadShared(staging, b.add(mine, item)));
    }
    b.barrier(); // The next matrix overwrites this one.
  }
}
