//===- Amx.h - The tile registers of AMX ------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Eight registers of up to 16 rows of 64 bytes: four of sums, two of the left
// and two of the right operand of a product. Intel 64 and IA-32 Architectures
// Software Developer's Manual, volume 1, chapter 18.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_AMX_H
#define VIT_TARGET_CPU_AMX_H

#include "KernelBuilder.h"

namespace mlir::vit::cpu {

/// The most rows of a register.
inline constexpr int64_t kTileRows = 16;

/// Emits an error on `op` and fails if blocks of `rows` rows do not fit.
LogicalResult verifyTileRows(Operation *op, int64_t rows);

/// Products of one or two row blocks by some vectors of columns.
class Tiles {
public:
  /// Configures the registers for row blocks of `rows` rows, 1 to kTileRows.
  Tiles(KernelBuilder &b, int64_t rows);

  /// How many registers of sums a product uses: at most four.
  struct Shape {
    int64_t height; ///< row blocks, 1 or 2
    int64_t width;  ///< vectors of columns: 1 to 4, of two row blocks 1 or 2
  };
  void zeroSums(Shape shape);
  /// Loads what storeSums has stored.
  void loadSums(Shape shape, Value source, Value base, int64_t row);
  /// Adds the products of one line of depth: rows of `left` from `leftBase` on,
  /// `leftRow` elements apart, those of the second block `leftTile` elements
  /// after those of the first; and 16 words of `right` from `rightBase` on,
  /// `rightRow` elements apart, where vectors of columns are `rightVector`
  /// elements apart.
  void multiply(Shape shape, Value left, Value leftBase, int64_t leftRow,
                int64_t leftTile, Value right, Value rightBase,
                int64_t rightRow, int64_t rightVector);
  /// Stores the sums (f32, or i32 of products of i8), rows `row` elements
  /// apart, vectors of columns side by side, the rows of the second block after
  /// those of the first.
  void storeSums(Shape shape, Value target, Value base, int64_t row);
  /// Gives the registers back. Nothing may follow but the end of the kernel.
  void release();

private:
  void call(StringRef name, ValueRange arguments);
  Value number(int64_t tile);
  Value sum(Shape shape, int64_t tile, int64_t column);
  void forEachSum(Shape shape, Value buffer, Value base, int64_t row,
                  StringRef instruction);
  Value integer(int64_t value);
  Value addressOf(Value buffer, Value offset);
  Value bytesOf(Value buffer, int64_t elements);

  KernelBuilder &b;
  int64_t rows;
};

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_AMX_H
