//===- RowsBackward.cpp - Adjoints of norms and softmax -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As in Rows.cpp, an item is one statistic of one row, taken by `sharing`
// threads, or by one if barriers are expensive. If the sums of a norm over the
// tokens of an image are wanted, a workgroup takes an image: first its rows,
// whose means and deviations stay in workgroup memory, then its columns.
//
//===----------------------------------------------------------------------===//

#include "../Common/NormCode.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;

/// Returns the sums over the current part of what `map` computes from each
/// vector, as scalars.
static SmallVector<Value>
sum(RowParts &parts, int64_t count,
    function_ref<SmallVector<Value>(Value vector, Value at)> map) {
  SimtBuilder &b = parts.b;
  SmallVector<Value> sums(count, b.splat(0));
  sums = parts.visit(sums, [&](Value vector, Value at, ValueRange carried) {
    SmallVector<Value> next = map(vector, at);
    for (auto [value, sum] : llvm::zip_equal(next, carried))
      value = b.addf(sum, maskChannels(b, parts.shape, vector, value));
    return next;
  });
  for (Value &value : sums)
    value = b.reduceWorkgroup(Reduction::Add, b.reduce(Reduction::Add, value),
                              parts.sharing);
  return sums;
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

namespace {
struct NormalizeBackward {
  enum Argument : unsigned { Gradient, Input, Scale };

  kernel::NormalizeBackwardOp op;
  SimtBuilder &b;
  RowParts parts;
  unsigned result; ///< its argument; the two sums follow

  /// The statistics of the current part, in all lanes: the mean and 1 /
  /// deviation of the input, the mean of the scaled gradient, and the mean (for
  /// `l2` the sum) of its product with the normalized input. A norm that does
  /// not centre has means of 0.
  struct Statistics {
    Value mean, inverse, gradient, product;
  };
  /// Returns the gradient times the scale.
  Value loadScaled(Value vector, Value at);
  NormCode getNorm() {
    return {op.getKind(), parts.channels, op.getEpsilon().convertToDouble()};
  }
  Statistics getStatistics();
  /// Stores the gradient of the input for the current part.
  void storePart(const Statistics &row, Value stores);
  bool hasSums() { return !op.getSums().empty(); }
  /// Returns the position of a vector of the sums of an image in argument
  /// result + 1 + `number`.
  Value sumAt(Value image, Value vector) {
    return b.add(b.mul(image, parts.shape.vectors), vector);
  }
  void emitRows();
  void emitImage();
  void sumColumns(Value statistics, Value firstToken, Value count,
                  Value isFirst);
};
} // namespace

Value NormalizeBackward::loadScaled(Value vector, Value at) {
  Value dy = b.load4(Gradient, at);
  return op.getScale() ? b.mulf(dy, b.load4(Scale, vector)) : dy;
}

NormalizeBackward::Statistics NormalizeBackward::getStatistics() {
  NormCode norm = getNorm();
  Value share = b.scalar(1.0 / double(parts.channels)), mean;
  if (norm.isCentred()) {
    mean = sum(parts, 1, [&](Value, Value at) {
      return SmallVector<Value>{b.load4(Input, at)};
    })[0];
    mean = b.broadcast(b.mulf(mean, share));
  }
  SmallVector<Value> sums = sum(parts, 3, [&](Value vector, Value at) {
    Value x = b.load4(Input, at), g = loadScaled(vector, at);
    Value centred = mean ? b.subf(x, mean) : x;
    return SmallVector<Value>{b.mulf(centred, centred), g, b.mulf(g, centred)};
  });
  Value inverse = norm.getFactor(b, sums[0]);
  Value slope = norm.getSlope(b, sums[0], sums[2], inverse);
  if (!mean) // both means are 0
    return {b.splat(0), b.broadcast(inverse), b.splat(0), b.broadcast(slope)};
  return {mean, b.broadcast(inverse), b.broadcast(b.mulf(sums[1], share)),
          b.broadcast(slope)};
}

void NormalizeBackward::storePart(const Statistics &row, Value stores) {
  ifStores(b, stores, [&] {
    parts.visit({}, [&](Value vector, Value at, ValueRange) {
      Value n = b.mulf(b.subf(b.load4(Input, at), row.mean), row.inverse);
      Value inner = b.subf(b.subf(loadScaled(vector, at), row.gradient),
                           b.mulf(n, row.product));
      Value value =
          maskChannels(b, parts.shape, vector, b.mulf(inner, row.inverse));
      if (op.getResidual()) // the last operand
        value = b.addf(value, b.load4(result - 1, at));
      b.store4(value, result, at);
      return SmallVector<Value>();
    });
  });
}

void NormalizeBackward::emitRows() {
  Value total = b.mul(parts.shape.rows(b), parts.groups);
  parts.forEach(total, [&](Value item, Value stores) {
    Value row = b.div(item, parts.groups);
    parts.select(row, b.rem(item, parts.groups));
    Statistics found = getStatistics();
    Value mean = found.mean, inverse = found.inverse;
    storePart(found, stores);
    if (!hasSums())
      return;
    // A row is an image, so there is nothing to sum.
    ifStores(b, stores, [&] {
      parts.visit({}, [&](Value vector, Value at, ValueRange) {
        Value dy = b.load4(Gradient, at);
        Value n = b.mulf(b.subf(b.load4(Input, at), mean), inverse);
        b.store4(maskChannels(b, parts.shape, vector, b.mulf(dy, n)),
                 result + 1, at);
        b.store4(dy, result + 2, at);
        return SmallVector<Value>();
      });
    });
  });
}

/// Adds `count` tokens from `firstToken` on to the columns of the sums that
/// this thread takes. Their means and inverse deviations are in workgroup
/// memory. `isFirst`, an i1, says whether these are the first tokens; null if
/// they are.
void NormalizeBackward::sumColumns(Value statistics, Value firstToken,
                                   Value count, Value isFirst) {
  int64_t vectors = parts.shape.vectors, tokens = parts.shape.tokens;
  Value image = b.unit();
  auto sumColumn = [&](Value vector) {
    Value part = b.div(vector, parts.vectors);
    Value to = sumAt(image, vector);
    SmallVector<Value> sums(2, b.splat(0));
    if (isFirst) // the memory is not initialized
      for (unsigned i : {0, 1})
        sums[i] = b.select(isFirst, sums[i], b.load4(result + 1 + i, to));
    sums = b.loop(b.index(0), count, 1, sums, [&](Value i, ValueRange carried) {
      Value row = b.add(b.mul(image, tokens), b.add(firstToken, i));
      Value at = b.add(b.mul(row, vectors), vector);
      Value entry = b.mul(b.add(b.mul(i, parts.groups), part), 2);
      Value mean = b.broadcast(b.loadShared(statistics, entry));
      Value inverse = b.broadcast(b.loadShared(statistics, b.add(entry, 1)));
      Value dy = b.load4(Gradient, at);
      Value n = b.mulf(b.subf(b.load4(Input, at), mean), inverse);
      n = maskChannels(b, parts.shape, vector, n);
      return SmallVector<Value>{b.fma(dy, n, carried[0]),
                                b.addf(dy, carried[1])};
    });
    b.store4(sums[0], result + 1, to);
    b.store4(sums[1], result + 2, to);
  };
  // The same number of iterations for all threads, which diverge only by the
  // condition.
  b.loop(0, llvm::divideCeil(vectors, b.threads()), [&](Value round) {
    Value vector = b.add(b.mul(round, b.threads()), b.thread());
    b.ifThen(b.isLess(vector, b.index(vectors)), [&] { sumColumn(vector); });
  });
}

// A workgroup takes an image, and at a time as many tokens as have their
// statistics in 4 KiB of workgroup memory.
void NormalizeBackward::emitImage() {
  int64_t tokens = parts.shape.tokens, groups = parts.groups;
  int64_t chunk = std::max<int64_t>(1, std::min<int64_t>(tokens, 512 / groups));
  Value statistics = b.allocateShared(2 * chunk * groups);
  int64_t perRound = b.threads() / parts.sharing;
  parts.lane = b.rem(b.thread(), parts.sharing);
  Value slot = b.div(b.thread(), parts.sharing);
  auto takeChunk = [&](Value firstToken, Value isFirst) {
    Value count = b.min(b.index(chunk), b.sub(b.index(tokens), firstToken));
    Value items = b.mul(count, groups);
    Value rounds = b.div(b.add(items, perRound - 1), perRound);
    b.loop(b.index(0), rounds, [&](Value round) {
      // All threads must reach each barrier.
      Value item = b.add(b.mul(round, perRound), slot);
      Value known = b.min(item, b.sub(items, b.index(1)));
      Value exists = b.isLess(item, items);
      Value token = b.add(firstToken, b.div(known, groups));
      parts.select(b.add(b.mul(b.unit(), tokens), token), b.rem(known, groups));
      Statistics found = getStatistics();
      Value mean = found.mean, inverse = found.inverse;
      Value writes = b.both(exists, b.isEqual(parts.lane, b.index(0)));
      b.ifThen(writes, [&] {
        Value entry = b.mul(known, 2);
        b.storeShared(b.extract(mean, 0), statistics, entry);
        b.storeShared(b.extract(inverse, 0), statistics, b.add(entry, 1));
      });
      storePart(found, exists);
    });
    b.barrier();
    sumColumns(statistics, firstToken, count, isFirst);
    b.barrier();
  };
  if (tokens <= chunk)
    return takeChunk(b.index(0), Value());
  b.loop(b.index(0), b.index(tokens), chunk, [&](Value firstToken) {
    takeChunk(firstToken, b.isEqual(firstToken, b.index(0)));
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::NormalizeBackwardOp op,
                                            SimtBuilder &b) {
  SmallVector<Value> values{op.getGradient(), op.getInput()};
  if (op.getResidual())
    values.push_back(op.getResidual());
  values.append(op->result_begin(), op->result_end());
  std::optional<Activation> shape;
  for (Value value : values) {
    FailureOr<Activation> found = Activation::get(op, tensorOf(value));
    if (failed(found))
      return failure();
    if (shape && shape->group != found->group)
      return op.emitOpError("has layouts that do not fit: ")
             << values[0].getType() << " and " << value.getType();
    if (!shape)
      shape = *found;
  }
  if (op.getScale()) {
    auto channels = dyn_cast_if_present<kernel::ChannelsAttr>(
        op.getScale().getType().getEncoding());
    if (!channels || channels.getGroup() != shape->group)
      return op.emitOpError("has layouts that do not fit: scale ")
             << op.getScale().getType() << ", result "
             << op.getResult().getType();
  }
  FailureOr<RowParts> parts = RowParts::get(
      op, b, op.getInput().getType(), *shape, op.getGroups(), /*isEven=*/true);
  if (failed(parts))
    return failure();
  NormalizeBackward kernel{op, b, *parts, op->getNumOperands()};
  if (!kernel.hasSums() || shape->tokens == 1) {
    kernel.emitRows();
    return shape->getInfo(op, parts->groups, b.threads() / parts->sharing);
  }
  b.setThreads(b.level.threads);
  kernel.emitImage();
  return KernelInfo{perImage(op, 1)};
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::SoftmaxBackwardOp op,
                                            SimtBuilder &b) {
  FailureOr<Activation> dy = Activation::get(op, op.getGradient().getType());
  FailureOr<Activation> y = Activation::get(op, op.getOutput().getType());
  FailureOr<Activation> shape = Activation::get(op, op.getResult().getType());
  if (failed(dy) || failed(y) || failed(shape))
    return failure();
  if (dy->group != shape->group || y->group != shape->group)
    return op.emitOpError("has layouts that do not fit: ")
           << op.getGradient().getType() << ", " << op.getOutput().getType()
           << " and " << op.getResult().getType();
  RowParts parts = *RowParts::get(op, b, op.getOutput().getType(), *shape,
                                  /*groups=*/1, /*isEven=*/true);
  parts.forEach(shape->rows(b), [&](Value row, Value stores) {
    parts.select(row, b.index(0));
    Value total = b.broadcast(sum(parts, 1, [&](Value, Value at) {
      return SmallVector<Value>{b.mulf(b.load4(0, at), b.load4(1, at))};
    })[0]);
    ifStores(b, stores, [&] {
      // Padding of y is zero, so the result is zero there.
      parts.visit({}, [&](Value, Value at, ValueRange) {
        b.store4(b.mulf(b.load4(1, at), b.subf(b.load4(0, at), total)), 2, at);
        return SmallVector<Value>();
      });
    });
  });
  return shape->getInfo(op, 1, b.threads() / parts.sharing);
}
