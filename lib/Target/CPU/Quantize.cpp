//===- Quantize.cpp - Rows as multiples of their scales -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one row block, whose rows are processed in strips: one pass
// for the largest magnitudes, one for the results.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::QuantizeOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> input =
      Blocked::get(op, op.getInput().getType(), Elements::Narrow);
  FailureOr<Blocked> result =
      Blocked::get(op, op.getResult().getType(), Elements::Integer);
  FailureOr<Blocked> scales = Blocked::get(op, op.getScales().getType());
  if (failed(input) || failed(result) || failed(scales))
    return failure();
  if (input->group != result->group || input->rows != result->rows ||
      scales->rows != result->rows)
    return op.emitOpError("has layouts that do not fit: ")
           << op.getInput().getType() << ", " << op.getResult().getType()
           << ", " << op.getScales().getType();
  constexpr double levels = 127;
  int64_t rows = stripRows(*input);
  b.loop(b.begin(), b.end(), [&](Value i) {
    forEachStrip(
        b, *input, getRowBlock(b, *input, i), [&](const RowBlock &strip) {
          auto load = [&](Value vector, int64_t row) {
            return b.load(
                b.argument(0),
                b.add(b.add(strip.base, input->vectorOffset(b, vector)),
                      row * input->line));
          };
          SmallVector<Value> largest =
              b.loop(input->vectors(), Carried(rows, b.splat(0)),
                     [&](Value vector, ValueRange carried) {
                       SmallVector<Value> next(carried);
                       for (int64_t row = 0; row < rows; ++row) {
                         Value x = math::AbsFOp::create(b, load(vector, row));
                         next[row] = b.combine(KernelBuilder::Reduction::Max, x,
                                               next[row]);
                       }
                       return next;
                     });
          Value scaleBase = getStripBase(b, *scales, strip);
          Value one = b.splat(b.getF32Type(), 1), zero = b.scalar(0);
          SmallVector<Value> factors;
          for (int64_t row = 0; row < rows; ++row) {
            Value most = b.reduce(KernelBuilder::Reduction::Max, largest[row]);
            Value scale = b.divf(most, b.scalar(levels));
            Value isZero = b.compare(arith::CmpFPredicate::OEQ, scale, zero);
            factors.push_back(
                b.broadcast(b.select(isZero, zero, b.divf(one, scale))));
            b.store(b.keepLanes(b.broadcast(scale), 1), b.argument(2),
                    b.add(scaleBase, row * kChannelPad));
          }
          Value base = getStripBase(b, *result, strip);
          b.loop(0, input->vectors(), [&](Value vector) {
            for (int64_t row = 0; row < rows; ++row)
              storeVector(b, *result, b.mulf(load(vector, row), factors[row]),
                          b.argument(1), base, row, vector);
          });
        });
  });
  return getRowBlockInfo(op.getResult().getType());
}
