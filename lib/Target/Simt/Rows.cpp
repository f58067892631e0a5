//===- Rows.cpp - Norms and softmax, row by row ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An item is one statistic of one row: `vectors` consecutive vectors. If
// barriers are expensive, one thread takes an item. Otherwise `sharing` threads
// take every `sharing`-th vector each, and their sums are added as a tree. An
// item is read three times: for the mean (layer norm only), for the variance
// (from differences to the mean, since a difference of squares would cancel)
// and for the result. After the first time it is in the nearest cache.
//
//===----------------------------------------------------------------------===//

#include "../Common/Math.h"
#include "../Common/NormCode.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;

namespace {
struct Rows {
  kernel::RowsOp op;
  SimtBuilder &b;
  Epilogue epilogue;
  RowParts parts; ///< a part is an item

  // The current item.
  Value row = {};
  Value stores = {}; ///< i1: whether the item exists; null if it does

  void emit();
  void emitItem(Value item);
  /// Reduces what `map` computes from each vector of the whole item.
  Value reduce(Reduction kind, double start, function_ref<Value(Value)> map);
  void finish(function_ref<Value(Value)> map);
  void normalize(NormKind kind);
  void softmax();
};
} // namespace

Value Rows::reduce(Reduction kind, double start,
                   function_ref<Value(Value)> map) {
  Value sum = parts.visit(
      b.splat(start), [&](Value vector, Value at, ValueRange carried) {
        Value value =
            maskChannels(b, parts.shape, vector, map(b.load4(0, at)), start);
        // The element comes first, because combine keeps a NaN of its first
        // operand.
        return SmallVector<Value>{b.combine(kind, value, carried[0])};
      })[0];
  return b.reduceWorkgroup(kind, b.reduce(kind, sum), parts.sharing);
}

void Rows::finish(function_ref<Value(Value)> map) {
  unsigned result = op->getNumOperands();
  ifStores(b, stores, [&] {
    parts.visit({}, [&](Value vector, Value at, ValueRange) {
      Value value = map(b.load4(0, at));
      value =
          epilogue.apply(value, epilogue.loadChannels(vector), row, vector, at);
      // Normalized padding is not zero, even if the region maps zero to zero.
      b.store4(maskChannels(b, parts.shape, vector, value), result, at);
      return SmallVector<Value>();
    });
  });
}

void Rows::normalize(NormKind kind) {
  NormCode norm{kind, parts.channels, op.getEpsilon().convertToDouble()};
  Value mean;
  if (norm.isCentred()) {
    Value scale = b.scalar(1.0 / double(parts.channels));
    mean = b.broadcast(
        b.mulf(reduce(Reduction::Add, 0, [](Value x) { return x; }), scale));
  }
  auto centre = [&](Value x) { return norm.isCentred() ? b.subf(x, mean) : x; };
  Value squares = reduce(Reduction::Add, 0, [&](Value x) {
    Value centred = centre(x);
    return b.mulf(centred, centred);
  });
  Value factor = b.broadcast(norm.getFactor(b, squares));
  finish([&](Value x) { return b.mulf(centre(x), factor); });
}

void Rows::softmax() {
  Value log2e = b.splat(kLog2E);
  Value maximum = b.broadcast(reduce(Reduction::Max,
                                     -std::numeric_limits<double>::infinity(),
                                     [](Value x) { return x; }));
  auto power = [&](Value x) {
    return emitExp2OfNegative(b, b.mulf(b.subf(x, maximum), log2e));
  };
  Value sum = reduce(Reduction::Add, 0, power);
  Value factor = b.broadcast(b.divf(b.scalar(1), sum));
  finish([&](Value x) { return b.mulf(power(x), factor); });
}

void Rows::emitItem(Value item) {
  row = b.div(item, parts.groups);
  parts.select(row, b.rem(item, parts.groups));
  if (std::optional<NormKind> norm = kernel::getNormKind(op.getKind()))
    normalize(*norm);
  else
    softmax();
}

void Rows::emit() {
  parts.forEach(b.mul(parts.shape.rows(b), parts.groups),
                [&](Value item, Value exists) {
                  stores = exists;
                  emitItem(item);
                });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::RowsOp op, SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &shape = layouts->result;
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/1, shape);
  if (failed(epilogue))
    return failure();
  FailureOr<RowParts> parts = RowParts::get(
      op, b, op.getInput().getType(), shape, op.getGroups(), /*isEven=*/false);
  if (failed(parts))
    return failure();
  Rows{op, b, *epilogue, *parts}.emit();
  return shape.getInfo(op, parts->groups, b.threads() / parts->sharing);
}
