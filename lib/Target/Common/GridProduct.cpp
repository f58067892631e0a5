//===- GridProduct.cpp - Products of grids with matrices ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GridProduct.h"

using namespace mlir;
using namespace mlir::vit;

GridProductCode::GridProductCode(CodeBuilder &b, kernel::GridProductOp op)
    : b(b), reach(op.getReach()), prefix(op.getPrefix()),
      suffix(op.getSuffix()), channels(op.getType().getDimSize(1)) {
  for (int i : {0, 1}) {
    RankedTensorType type = tensorOf(i == 0 ? op.getRows() : op.getColumns());
    axes[i] = {type.getDimSize(1), type.getDimSize(0),
               std::min(type.getDimSize(1), 2 * reach[i] + 1)};
  }
}

void GridProductCode::visitRow(Value row,
                               function_ref<void(Value sourceRow)> copy,
                               function_ref<void(Value y, Value x)> multiply) {
  int64_t columns = axes[1].to, from = axes[0].from * axes[1].from;
  auto visitGrid = [&](Value place) {
    multiply(b.div(place, columns), b.rem(place, columns));
  };
  auto visitAfterPrefix = [&] {
    Value place = b.sub(row, b.index(prefix));
    if (suffix == 0)
      return visitGrid(place);
    b.ifThen(
        b.isLess(place, b.index(toCount())), [&] { visitGrid(place); },
        [&] { copy(b.sub(b.add(row, from), b.index(toCount()))); });
  };
  if (prefix == 0)
    return visitAfterPrefix();
  b.ifThen(
      b.isLess(row, b.index(prefix)), [&] { copy(row); }, visitAfterPrefix);
}

// As many elements for all rows of the matrix, so that the loop has a constant
// length. Those beyond `reach` are zero.
Value GridProductCode::getFirst(const Axis &axis, int64_t reach, Value target) {
  Value middle =
      b.div(b.mul(b.add(b.mul(target, 2), 1), axis.from), 2 * axis.to);
  Value first = b.select(b.isLess(middle, b.index(reach)), b.index(0),
                         b.sub(middle, b.index(reach)));
  return b.min(first, b.index(axis.from - axis.count));
}

Value GridProductCode::sumRow(
    Value y, Value x, Value zero,
    function_ref<Value(unsigned operand, Value element)> loadWeight,
    function_ref<Value(Value sum, Value weight, Value sourceRow)> add) {
  const Axis &down = axes[0], &across = axes[1];
  Value firstRow = getFirst(down, reach[0], y);
  Value firstColumn = getFirst(across, reach[1], x);
  return b.fold(down.count, zero, [&](Value i, Value sum) {
    Value row = b.add(firstRow, i);
    Value rowWeight = loadWeight(1, b.add(b.mul(y, down.from), row));
    return b.fold(across.count, sum, [&](Value j, Value sum) {
      Value column = b.add(firstColumn, j);
      Value columnWeight = loadWeight(2, b.add(b.mul(x, across.from), column));
      Value weight = b.mulf(rowWeight, columnWeight);
      Value place = b.add(b.mul(row, across.from), column);
      return add(sum, weight, b.add(place, prefix));
    });
  });
}
