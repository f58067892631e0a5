//===- GridProduct.cpp - Resampling of tables in training steps -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Common/GridProduct.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::GridProductOp op,
                                            SimtBuilder &b) {
  for (Type type : {op.getSource().getType(), op.getRows().getType(),
                    op.getColumns().getType(), op.getType()})
    if (failed(Activation::getFlat(op, type)))
      return failure();
  b.useScalars();
  GridProductCode code(b, op);
  int64_t width = code.width(), total = code.rows() * width;
  KernelInfo info = emitPerItem(op, b, total, [&](Value item) {
    Value channel = b.rem(item, width);
    auto load = [&](Value sourceRow) {
      return b.load(0, b.add(b.mul(sourceRow, width), channel));
    };
    auto loadWeight = [&](unsigned operand, Value element) {
      return b.load(operand, element);
    };
    code.visitRow(
        b.div(item, width),
        [&](Value sourceRow) { b.store(load(sourceRow), 3, item); },
        [&](Value y, Value x) {
          Value sum =
              code.sumRow(y, x, b.scalar(0), loadWeight,
                          [&](Value sum, Value weight, Value sourceRow) {
                            return b.fma(weight, load(sourceRow), sum);
                          });
          b.store(sum, 3, item);
        });
  });
  storeZeroTail(b, 3, total);
  return info;
}
