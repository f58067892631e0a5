//===- GridProduct.h - Products of grids with matrices ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_GRIDPRODUCT_H
#define VIT_TARGET_COMMON_GRIDPRODUCT_H

#include "CodeBuilder.h"

#include "vit/Dialect/Kernel.h"

namespace mlir::vit {

/// Emits what all targets share of kernel.grid_product.
class GridProductCode {
public:
  GridProductCode(CodeBuilder &b, kernel::GridProductOp op);

  int64_t rows() const { return prefix + toCount() + suffix; }
  int64_t width() const { return channels; }

  /// Emits a condition on row `row` of the result: `copy` with the row of the
  /// source that it is a copy of, or `multiply` with its place in the grid.
  void visitRow(Value row, function_ref<void(Value sourceRow)> copy,
                function_ref<void(Value y, Value x)> multiply);

  /// Returns the sum of a row of the result, or of some of its channels, which
  /// starts as `zero`. `loadWeight` returns an element of operand 1 or 2 and
  /// `add` the sum and the product of a weight and a row of the source.
  Value
  sumRow(Value y, Value x, Value zero,
         function_ref<Value(unsigned operand, Value element)> loadWeight,
         function_ref<Value(Value sum, Value weight, Value sourceRow)> add);

private:
  /// One axis.
  struct Axis {
    int64_t from, to;
    int64_t count; ///< Elements of a row of the matrix that are read.
  };
  /// Returns the first element of row `target` of the matrix that is read.
  Value getFirst(const Axis &axis, int64_t reach, Value target);
  int64_t toCount() const { return axes[0].to * axes[1].to; }

  CodeBuilder &b;
  Axis axes[2];
  ArrayRef<int64_t> reach;
  int64_t prefix, suffix, channels;
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_GRIDPRODUCT_H
