//===- Rows.cpp - Layer norm and softmax, row by row ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An item is one statistic of one row: `vectors` consecutive vectors. If
// barriers are expensive, one thread takes an item. Otherwise `sharing` threads
// take every `sharing`-th vector each, and their sums are added as a tree. An
// item is read three times: for the mean, for the variance (from differences to
// the mean, since a difference of squares would cancel) and for the result.
// After the first time it is in the nearest cache.
//
//===----------------------------------------------------------------------===//

#include "../Common/Math.h"
#include "Emitters.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using kernel::kChannelPad;

using Reduction = CodeBuilder::Reduction;

namespace {
struct Rows {
  kernel::RowsOp op;
  SimtBuilder &b;
  Activation shape;
  Epilogue epilogue;
  int64_t groups;   ///< items per row
  int64_t vectors;  ///< per item
  int64_t channels; ///< per item
  int64_t sharing;  ///< threads per item

  // The current item.
  Value row, first; ///< its row, and its first vector in the row
  Value lane;       ///< number of this thread among those that share it
  Value stores;     ///< i1: whether the item exists; null if it does

  void emit();
  void emitItem(Value item);
  /// Calls `body` for the vectors of the item that this thread takes, with the
  /// number in the row and the offset.
  SmallVector<Value>
  visit(ValueRange init,
        function_ref<SmallVector<Value>(Value vector, Value at, ValueRange)>
            body);
  /// Reduces what `map` computes from each vector of the whole item.
  Value reduce(Reduction kind, double start, function_ref<Value(Value)> map);
  void finish(function_ref<Value(Value)> map);
  void normalize();
  void softmax();
};
} // namespace

SmallVector<Value>
Rows::visit(ValueRange init,
            function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
  Value base = b.add(b.mul(row, shape.vectors), first);
  return b.loop(lane, b.index(vectors), sharing, init,
                [&](Value i, ValueRange carried) {
                  return body(b.add(first, i), b.add(base, i), carried);
                });
}

Value Rows::reduce(Reduction kind, double start,
                   function_ref<Value(Value)> map) {
  Value sum =
      visit(b.splat(start), [&](Value vector, Value at, ValueRange carried) {
        Value value =
            maskChannels(b, shape, vector, map(b.load4(0, at)), start);
        // The element comes first, because combine keeps a NaN of its first
        // operand.
        return SmallVector<Value>{b.combine(kind, value, carried[0])};
      })[0];
  return b.reduceWorkgroup(kind, b.reduce(kind, sum), sharing);
}

void Rows::finish(function_ref<Value(Value)> map) {
  unsigned result = op->getNumOperands();
  auto store = [&] {
    visit({}, [&](Value vector, Value at, ValueRange) {
      Value value = map(b.load4(0, at));
      value =
          epilogue.apply(value, epilogue.loadChannels(vector), row, vector, at);
      // Normalized padding is not zero, even if the region maps zero to zero.
      b.store4(maskChannels(b, shape, vector, value), result, at);
      return SmallVector<Value>();
    });
  };
  if (stores)
    b.ifThen(stores, store);
  else
    store();
}

void Rows::normalize() {
  Value scale = b.scalar(1.0 / double(channels));
  Value epsilon = b.scalar(op.getEpsilon().convertToDouble());
  Value mean = b.broadcast(
      b.mulf(reduce(Reduction::Add, 0, [](Value x) { return x; }), scale));
  Value variance = b.mulf(reduce(Reduction::Add, 0,
                                 [&](Value x) {
                                   Value centred = b.subf(x, mean);
                                   return b.mulf(centred, centred);
                                 }),
                          scale);
  Value root = math::SqrtOp::create(b, b.addf(variance, epsilon));
  Value factor = b.broadcast(b.divf(b.scalar(1), root));
  finish([&](Value x) { return b.mulf(b.subf(x, mean), factor); });
}

void Rows::softmax() {
  Value log2e = b.splat(1.44269504088896341);
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
  row = b.div(item, groups);
  first = b.mul(b.rem(item, groups), vectors);
  if (op.getKind() == kernel::RowsKind::normalize)
    normalize();
  else
    softmax();
}

void Rows::emit() {
  Value total = b.mul(shape.rows(b), groups);
  int64_t perUnit = b.threads() / sharing;
  if (sharing == 1) {
    lane = b.index(0);
    return forEachItem(b, total, perUnit, [&](Value item) { emitItem(item); });
  }
  lane = b.rem(b.thread(), sharing);
  Value item = b.add(b.mul(b.unit(), perUnit), b.div(b.thread(), sharing));
  if (perUnit > 1) {
    // All threads must reach each barrier. Those without an item repeat the
    // last one and store nothing.
    stores = b.isLess(item, total);
    item = b.min(item, b.sub(total, b.index(1)));
  }
  emitItem(item);
}

/// Returns the number of threads that share an item: a power of two that
/// divides the workgroup and leaves about four vectors per thread.
static int64_t chooseSharing(const SimtBuilder &b, int64_t vectors) {
  if (b.level.isDirect)
    return 1;
  int64_t sharing = 1;
  while (sharing * 4 < vectors && b.threads() % (sharing * 2) == 0)
    sharing *= 2;
  return sharing;
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::RowsOp op, SimtBuilder &b) {
  FailureOr<Activation> input = Activation::get(op, op.getInput().getType());
  FailureOr<Activation> shape = Activation::get(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  if (input->group != shape->group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/1, *shape);
  if (failed(epilogue))
    return failure();
  int64_t groups = op.getGroups();
  int64_t channels = shape->width / groups;
  // Each statistic begins at a vector if its channels are whole groups of the
  // layout or need no padding.
  bool fits = groups == 1 || (shape->group == 0 ? channels % kChannelPad == 0
                                                : channels % shape->group == 0);
  if (!fits)
    return op.emitOpError("has groups of ")
           << channels << " channels that do not begin at a vector in "
           << op.getInput().getType()
           << "; give the layout groups of that many channels";
  int64_t vectors = shape->vectors / groups;
  Rows rows{op,      b,       *shape,   *epilogue,
            groups,  vectors, channels, chooseSharing(b, vectors),
            Value(), Value(), Value(),  Value()};
  rows.emit();
  return KernelInfo{
      shape->units(op.getContext(), groups, b.threads() / rows.sharing),
      noFlop(op.getContext())};
}
