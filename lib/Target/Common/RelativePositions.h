//===- RelativePositions.h - Pairs of tokens and their rows -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_RELATIVEPOSITIONS_H
#define VIT_TARGET_COMMON_RELATIVEPOSITIONS_H

#include "CodeBuilder.h"

namespace mlir::vit {

/// Emits index arithmetic on tables of relative positions (see
/// vit.relative_positions) of a grid with `prefix` class tokens, 0 or 1.
class RelativePositionsCode {
public:
  RelativePositionsCode(CodeBuilder &b, ArrayRef<int64_t> grid, int64_t prefix)
      : b(b), height(grid[0]), width(grid[1]), prefix(prefix) {}

  int64_t tokens() const { return prefix + height * width; }
  int64_t rows() const { return distances() + 3 * prefix; }

  /// Returns the row of the table for tokens `query` and `key`.
  Value getRow(Value query, Value key);
  /// Returns the sum of a matrix [tokens, tokens] over the pairs of tokens that
  /// have row `row`, in order of the query. `load` returns an element of the
  /// matrix.
  Value sumPairs(Value row, function_ref<Value(Value element)> load);

private:
  int64_t distances() const { return (2 * height - 1) * (2 * width - 1); }

  CodeBuilder &b;
  int64_t height, width, prefix;
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_RELATIVEPOSITIONS_H
