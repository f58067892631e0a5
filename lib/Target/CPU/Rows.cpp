//===- Rows.cpp - Norms and softmax, row by row ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one row block. Its rows, or a strip of them, are processed at
// once, each with a vector of sums, in three passes over the channels: for the
// mean (layer norm only), for the variance (from differences to the mean, since
// a difference of squares would cancel), and for the result.
//
//===----------------------------------------------------------------------===//

#include "../Common/NormCode.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

namespace {
struct Rows {
  kernel::RowsOp op;
  KernelBuilder &b;
  Blocked shape, result;
  RowParts parts;
  Epilogue epilogue;

  using PerRow = Carried;
  PerRow load(const RowBlock &block, Value channelVector);
  /// Reduces what `body` computes from each vector over statistic `group`.
  PerRow reduce(const RowBlock &block, Value group, Reduction kind,
                double start, function_ref<Value(Value, int64_t row)> body);
  void finish(const RowBlock &block, Value group,
              function_ref<Value(Value, int64_t row)> body);
  void normalize(NormKind kind, const RowBlock &block, Value group);
  void softmax(const RowBlock &block, Value group);
};
} // namespace

FailureOr<RowParts> RowParts::get(Operation *op, const Blocked &shape,
                                  int64_t parts) {
  RowParts result;
  result.parts = parts;
  result.channels = shape.width / parts;
  int64_t run = shape.group;
  if (run == 0)
    run =
        parts == 1 || result.channels % kChannelPad == 0 ? result.channels : 0;
  if (run == 0 || result.channels % run != 0)
    return op->emitOpError("has groups of ")
           << result.channels << " channels that do not begin at a vector in "
           << op->getResult(0).getType()
           << "; give the layout groups of that many channels";
  result.runs = result.channels / run;
  result.vectors = llvm::divideCeil(run, kChannelPad);
  return result;
}

Carried RowParts::visit(KernelBuilder &b, Value part, Carried carried,
                        Visit body) const {
  auto run = [&](Value index, Carried carried) {
    Value first = b.mul(b.add(b.mul(part, runs), index), vectors);
    return forEachVector(b, channels / runs, carried,
                         [&](Value i, int64_t lanes, Carried carried) {
                           return body(b.add(first, i), lanes, carried);
                         });
  };
  if (runs == 1)
    return run(b.index(0), carried);
  return b.loop(runs, carried, [&](Value i, ValueRange values) {
    return run(i, Carried(values));
  });
}

Rows::PerRow Rows::load(const RowBlock &block, Value channelVector) {
  Value offset =
      b.add(block.base, b.mul(channelVector, shape.vectorElements()));
  PerRow values;
  for (int64_t row = 0; row < stripRows(shape); ++row)
    values.push_back(b.load(b.argument(0), b.add(offset, row * kChannelPad)));
  return values;
}

Rows::PerRow Rows::reduce(const RowBlock &block, Value group, Reduction kind,
                          double start,
                          function_ref<Value(Value, int64_t)> body) {
  PerRow sums =
      parts.visit(b, group, PerRow(stripRows(shape), b.splat(start)),
                  [&](Value channelVector, int64_t lanes, PerRow carried) {
                    PerRow values = load(block, channelVector);
                    for (int64_t row = 0; row < stripRows(shape); ++row) {
                      Value value =
                          b.keepLanes(body(values[row], row), lanes, start);
                      // The element comes first, because combine keeps a NaN of
                      // its first operand.
                      carried[row] = b.combine(kind, value, carried[row]);
                    }
                    return carried;
                  });
  for (Value &sum : sums)
    sum = b.reduce(kind, sum);
  return sums;
}

void Rows::finish(const RowBlock &block, Value group,
                  function_ref<Value(Value, int64_t)> body) {
  Value target = b.argument(op->getNumOperands());
  Value base = getStripBase(b, result, block);
  parts.visit(b, group, {}, [&](Value channelVector, int64_t lanes, PerRow) {
    Value offset =
        b.add(block.base, b.mul(channelVector, shape.vectorElements()));
    PerRow values = load(block, channelVector);
    SmallVector<Value> channels = epilogue.loadChannels(channelVector);
    for (int64_t row = 0; row < stripRows(shape); ++row) {
      Value at = b.add(offset, row * kChannelPad);
      Value value = body(values[row], row);
      value = epilogue.apply(value, channels, block, row, channelVector, at);
      // Normalized padding is not zero, even if the region maps zero to zero.
      value = b.keepLanes(value, lanes);
      storeVector(b, result, zeroPaddedRow(b, shape, block, row, value), target,
                  base, row, channelVector);
    }
    return PerRow();
  });
}

void Rows::normalize(NormKind kind, const RowBlock &block, Value group) {
  NormCode norm{kind, parts.channels, op.getEpsilon().convertToDouble()};
  PerRow means;
  if (norm.isCentred()) {
    Value scale = b.scalar(1.0 / double(parts.channels));
    means = reduce(block, group, Reduction::Add, 0,
                   [](Value x, int64_t) { return x; });
    for (Value &mean : means)
      mean = b.broadcast(b.mulf(mean, scale));
  }
  auto centre = [&](Value x, int64_t row) {
    return norm.isCentred() ? b.subf(x, means[row]) : x;
  };
  PerRow factors =
      reduce(block, group, Reduction::Add, 0, [&](Value x, int64_t row) {
        Value centred = centre(x, row);
        return b.mulf(centred, centred);
      });
  for (Value &factor : factors)
    factor = b.broadcast(norm.getFactor(b, factor));
  finish(block, group, [&](Value x, int64_t row) {
    return b.mulf(centre(x, row), factors[row]);
  });
}

void Rows::softmax(const RowBlock &block, Value group) {
  Value log2e = b.splat(kLog2E);
  Value one = b.scalar(1);
  PerRow maxima = reduce(block, group, Reduction::Max,
                         -std::numeric_limits<double>::infinity(),
                         [](Value x, int64_t) { return x; });
  for (Value &maximum : maxima)
    maximum = b.broadcast(maximum);
  auto power = [&](Value x, int64_t row) {
    Value distance = b.subf(x, maxima[row]);
    return emitExp2OfNegative(b, b.mulf(distance, log2e));
  };
  PerRow factors = reduce(block, group, Reduction::Add, 0, power);
  for (Value &factor : factors)
    factor = b.broadcast(b.divf(one, factor));
  finish(block, group, [&](Value x, int64_t row) {
    return b.mulf(power(x, row), factors[row]);
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::RowsOp op,
                                           KernelBuilder &b) {
  auto layouts = InputAndResult::get(op, /*rows=*/true, Elements::Integer);
  if (failed(layouts))
    return failure();
  const Blocked &shape = layouts->input;
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/1, shape);
  if (failed(epilogue))
    return failure();

  FailureOr<RowParts> parts = RowParts::get(op, shape, op.getGroups());
  if (failed(parts))
    return failure();
  Rows rows{op, b, shape, layouts->result, *parts, *epilogue};
  b.loop(b.begin(), b.end(), [&](Value i) {
    forEachStrip(b, shape, getRowBlock(b, shape, i),
                 [&](const RowBlock &strip) {
                   b.loop(0, parts->parts, [&](Value group) {
                     if (std::optional<NormKind> norm =
                             kernel::getNormKind(op.getKind()))
                       rows.normalize(*norm, strip, group);
                     else
                       rows.softmax(strip, group);
                   });
                 });
  });
  return getRowBlockInfo(op.getResult().getType());
}
