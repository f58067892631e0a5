//===- GridProduct.cpp - Resampling inside training steps -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GridProduct.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
/// The matrix of one axis.
struct Matrix {
  int64_t rows, columns;
  std::vector<float> values;

  /// The largest distance of an element that is not zero from the diagonal.
  int64_t getReach() const {
    int64_t reach = 0;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        if (values[i * columns + j] != 0)
          reach =
              std::max(reach, std::abs((2 * i + 1) * columns / (2 * rows) - j));
    return reach;
  }
};
} // namespace

static Matrix getMatrix(const ::vit::format::Resampling &resampling, int axis,
                        bool isTransposed) {
  int64_t from = resampling.from[axis], to = resampling.to[axis];
  std::vector<float> values(from * to);
  ::vit::format::resamplingMatrix(resampling, axis, values.data());
  if (!isTransposed)
    return {to, from, std::move(values)};
  Matrix transposed = {from, to, std::vector<float>(from * to)};
  for (int64_t i = 0; i < to; ++i)
    for (int64_t j = 0; j < from; ++j)
      transposed.values[j * to + i] = values[i * from + j];
  return transposed;
}

GridProductOp mlir::vit::kernel::createGridProduct(
    OpBuilder &builder, Location location, RankedTensorType type, Value source,
    const ::vit::format::Resampling &resampling, bool isAdjoint,
    TileAttr tile) {
  Value matrices[2];
  int64_t reach[2];
  for (int axis : {0, 1}) {
    Matrix matrix = getMatrix(resampling, axis, isAdjoint);
    reach[axis] = matrix.getReach();
    auto shape = RankedTensorType::get({matrix.rows, matrix.columns},
                                       builder.getF32Type());
    matrices[axis] = arith::ConstantOp::create(
        builder, location,
        DenseElementsAttr::get(shape, ArrayRef<float>(matrix.values)));
  }
  return GridProductOp::create(builder, location, type, source, matrices[0],
                               matrices[1], resampling.prefix,
                               resampling.suffix, reach, tile);
}
