//===- MatrixTile.h - Tiles of products by matrices -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_VULKAN_MATRIXTILE_H
#define VIT_TARGET_VULKAN_MATRIXTILE_H

#include "MatrixEmitters.h"

namespace mlir::vit::vulkan {

/// How the subgroups of a workgroup share the sums of a tile, rows x cols of
/// the result: each has subgroup / 4 * thread_rows x 4 * thread_cols of them,
/// in matrices that are numbered row by row.
///
/// Nothing depends on which invocations are a subgroup: only their numbers in
/// it and its number in the workgroup are used.
class MatrixTile {
public:
  /// Needs a tile that subgroups cover.
  MatrixTile(simt::SimtBuilder &b, kernel::TileAttr tile);
  /// Whether the tile is made up of those of its subgroups.
  static bool isCovered(kernel::TileAttr tile, const MatrixShape &shape);

  /// Those of a subgroup.
  int64_t matrices() const { return rowBlocks * columnBlocks; }
  SmallVector<Value> makeZeros() const {
    return SmallVector<Value>(matrices(), makeZeroMatrix(b));
  }

  /// Loads a matrix of an operand: rows of the left one, or columns of the
  /// right one, from `first` + `offset` of the tile on, of the depth from
  /// `depth` on.
  using Load = function_ref<Value(Value first, int64_t offset, int64_t depth)>;
  /// Adds the products of operands of this depth.
  void multiply(MutableArrayRef<Value> sums, int64_t depth, Load loadLeft,
                Load loadRight) const;

  /// Calls `body` for vectors of 4 sums, one after the other, with their row
  /// and the number of the vector in the tile. All threads must reach it.
  void forEachVector(
      ArrayRef<Value> sums,
      function_ref<void(Value row, Value vector, Value four)> body) const;

  const MatrixShape shape;
  /// Workgroup memory of `forEachVector`, two vectors of f32 per thread, for
  /// use before it.
  const Value staging;

private:
  /// Vectors of 4 sums of a matrix.
  int64_t sumVectors() const { return shape.rows * shape.columnVectors(); }

  simt::SimtBuilder &b;
  int64_t rowBlocks, columnBlocks; ///< matrices of a subgroup
  Value subgroup, lane;
  Value firstRow, firstColumn; ///< those of the subgroup in the tile
};

} // namespace mlir::vit::vulkan

#endif // VIT_TARGET_VULKAN_MATRIXTILE_H
