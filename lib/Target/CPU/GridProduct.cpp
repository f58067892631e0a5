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
using namespace mlir::vit::cpu;

// A work unit is one row of the result.
FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::GridProductOp op,
                                           KernelBuilder &b) {
  for (Type type : {op.getSource().getType(), op.getRows().getType(),
                    op.getColumns().getType(), op.getType()})
    if (failed(verifyFlat(op, type)))
      return failure();
  GridProductCode code(b, op);
  int64_t width = code.width();
  auto load = [&](Value sourceRow, Value vector, int64_t lanes) {
    Value at = b.add(b.mul(sourceRow, width), b.mul(vector, kVectorLanes));
    return lanes == kVectorLanes ? b.load(b.argument(0), at)
                                 : b.loadLanes(b.argument(0), at, lanes);
  };
  auto forVectors = [&](Value row,
                        function_ref<Value(Value vector, int64_t lanes)> get) {
    forEachVector(b, width, {}, [&](Value vector, int64_t lanes, Carried) {
      Value at = b.add(b.mul(row, width), b.mul(vector, kVectorLanes));
      Value value = get(vector, lanes);
      if (lanes == kVectorLanes)
        b.store(value, b.argument(3), at);
      else
        b.storeLanes(value, b.argument(3), at, lanes);
      return Carried();
    });
  };
  auto loadWeight = [&](unsigned operand, Value element) {
    return b.loadScalar(b.argument(operand), element);
  };
  b.loop(b.begin(), b.end(), [&](Value row) {
    code.visitRow(
        row,
        [&](Value sourceRow) {
          forVectors(row, [&](Value vector, int64_t lanes) {
            return load(sourceRow, vector, lanes);
          });
        },
        [&](Value y, Value x) {
          forVectors(row, [&](Value vector, int64_t lanes) {
            return code.sumRow(y, x, b.splat(0), loadWeight,
                               [&](Value sum, Value weight, Value sourceRow) {
                                 return b.fma(b.broadcast(weight),
                                              load(sourceRow, vector, lanes),
                                              sum);
                               });
          });
        });
  });
  zeroTail(b, op.getResult(), b.argument(3));
  return withoutBatch(op, code.rows());
}
