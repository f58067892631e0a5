//===- GridProduct.h - Resampling inside training steps ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_GRIDPRODUCT_H
#define VIT_LIB_KERNEL_GRIDPRODUCT_H

#include "vit/Dialect/Kernel.h"

#include "format/Form.h"

namespace mlir::vit::kernel {

/// The attributes of an op that resamples a table, or of its adjoint.
template <typename Op>::vit::format::Resampling getResampling(Op op) {
  ::vit::format::Resampling result;
  result.prefix = op.getPrefix();
  result.suffix = op.getSuffix();
  for (int axis : {0, 1}) {
    result.from[axis] = op.getFrom()[axis];
    result.to[axis] = op.getTo()[axis];
  }
  result.antialias = op.getAntialias();
  result.filter = ::vit::format::Filter(op.getFilter());
  return result;
}

/// Creates the kernel that resamples `source`, or with `isAdjoint` the one that
/// takes the gradient of the result, `source`, to that of the table.
GridProductOp createGridProduct(OpBuilder &builder, Location location,
                                RankedTensorType type, Value source,
                                const ::vit::format::Resampling &resampling,
                                bool isAdjoint, TileAttr tile = {});

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_GRIDPRODUCT_H
