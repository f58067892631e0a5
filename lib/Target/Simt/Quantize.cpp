//===- Quantize.cpp - Rows as multiples of their scales -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As in Rows.cpp, an item is a row, taken by `sharing` threads: one pass for
// the largest magnitude, one for the results. The scales are an activation of
// one channel, so 15 zeros follow each.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;

namespace {
enum Argument : unsigned { Input, Result, Scales };
} // namespace

/// Returns the largest magnitude of the current row.
static Value getLargest(SimtBuilder &b, RowParts &parts) {
  Value most =
      parts.visit(b.splat(0), [&](Value, Value at, ValueRange carried) {
        Value x = math::AbsFOp::create(b, b.load4(Input, at));
        // The element comes first, because combine keeps a NaN of its first
        // operand.
        return SmallVector<Value>{b.combine(Reduction::Max, x, carried[0])};
      })[0];
  return b.reduceWorkgroup(Reduction::Max, b.reduce(Reduction::Max, most),
                           parts.sharing);
}

static void emitRow(SimtBuilder &b, RowParts &parts, Value row, Value stores) {
  parts.select(row, b.index(0));
  constexpr double levels = 127;
  Value zero = b.scalar(0);
  Value scale = b.divf(getLargest(b, parts), b.scalar(levels));
  Value isZero = b.compare(arith::CmpFPredicate::OEQ, scale, zero);
  Value factor =
      b.broadcast(b.select(isZero, zero, b.divf(b.scalar(1), scale)));
  ifStores(b, stores, [&] {
    parts.visit({}, [&](Value, Value at, ValueRange) {
      b.store4(b.mulf(b.load4(Input, at), factor), Result, at);
      return SmallVector<Value>();
    });
    constexpr int64_t vectors = kernel::kChannelPad / kVectorLanes;
    b.loop(parts.lane, b.index(vectors), parts.sharing, [&](Value vector) {
      Value first = b.select(b.isEqual(vector, b.index(0)), scale, zero);
      b.store4(b.fromElements({first, zero, zero, zero}), Scales,
               b.add(b.mul(row, vectors), vector));
    });
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::QuantizeOp op,
                                            SimtBuilder &b) {
  FailureOr<InputAndResult> layouts = InputAndResult::get(op);
  FailureOr<Activation> scales = Activation::get(op, op.getScales().getType());
  if (failed(layouts) || failed(scales))
    return failure();
  const Activation &shape = layouts->result;
  FailureOr<RowParts> parts = RowParts::get(
      op, b, op.getInput().getType(), shape, /*groups=*/1, /*isEven=*/false);
  if (failed(parts))
    return failure();
  parts->forEach(shape.rows(b), [&](Value row, Value stores) {
    emitRow(b, *parts, row, stores);
  });
  return shape.getInfo(op, /*itemsPerRow=*/1, b.threads() / parts->sharing);
}
