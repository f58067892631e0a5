//===- Loss.cpp - Losses, their gradients, correct answers ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loss is one work unit, which adds the terms of the images in order, in
// double. The work units of the gradient are row blocks.
//
//===----------------------------------------------------------------------===//

#include "../Common/LossCode.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

namespace {
/// A [batch, classes] operand, blocked or row-major, read by vectors of a row.
struct Table {
  Value buffer;
  std::optional<Blocked> blocked;
  int64_t width;

  static FailureOr<Table> get(Operation *op, Value buffer,
                              RankedTensorType type) {
    Table table{buffer, std::nullopt, type.getShape().back()};
    if (!type.getEncoding())
      return table;
    FailureOr<Blocked> blocked = Blocked::get(op, type);
    if (failed(blocked))
      return failure();
    if (blocked->group != 0 || blocked->isPerImage())
      return op->emitOpError("needs [batch, classes] without groups where it "
                             "has ")
             << type;
    table.blocked = *blocked;
    return table;
  }
  int64_t stride() const {
    return blocked ? blocked->vectorElements() : kVectorLanes;
  }
  Value getRow(KernelBuilder &b, Value image) const {
    return blocked ? getRowOffset(b, *blocked, image, image)
                   : b.mul(image, width);
  }
  Value load(KernelBuilder &b, Value row, Value vector, int64_t lanes) const {
    return b.loadLanes(buffer, b.add(row, b.mul(vector, stride())), lanes);
  }
};

/// The operands of all kernels in this file: the logits (or another input) and
/// the targets, either labels or a table.
struct Loss {
  KernelBuilder &b;
  Table input;
  Value labels;                 ///< i32 [batch], or null
  std::optional<Table> targets; ///< if there are no labels
  SmoothedTargets smoothed;

  static FailureOr<Loss> get(Operation *op, KernelBuilder &b,
                             unsigned firstArgument, Value input, Value targets,
                             double smoothing);
  int64_t classes() const { return input.width; }

  /// Calls `body` for each vector of a row.
  Carried visit(
      Carried carried,
      function_ref<Carried(Value vector, int64_t lanes, Carried)> body) const {
    return forEachVector(b, classes(), std::move(carried), body);
  }
  Value loadInput(Value row, Value vector, int64_t lanes, double padding) const;
  /// Returns the largest element of a row, in all lanes.
  Value findMaximum(Value row) const;
  /// Returns the label of an image as i32; null if there are no labels.
  Value loadLabel(Value image) const;
  /// Returns the smoothed targets of a vector of classes, zero in padding.
  Value getTargets(Value image, Value label, Value vector, int64_t lanes) const;
  /// Returns the index of the first largest element as i32, -1 if any is NaN.
  Value findLargest(const Table &table, Value image) const;

  Value emitCrossEntropy();
  Value emitMse();
  Value emitAccuracy();
};
} // namespace

FailureOr<Loss> Loss::get(Operation *op, KernelBuilder &b,
                          unsigned firstArgument, Value input, Value targets,
                          double smoothing) {
  FailureOr<Table> in =
      Table::get(op, b.argument(firstArgument), tensorOf(input));
  if (failed(in))
    return failure();
  Loss loss{b, *in, nullptr, std::nullopt, {b, in->width, smoothing}};
  RankedTensorType type = tensorOf(targets);
  if (type.getRank() == 1) {
    loss.labels = b.argument(firstArgument + 1);
    return loss;
  }
  FailureOr<Table> table = Table::get(op, b.argument(firstArgument + 1), type);
  if (failed(table))
    return failure();
  loss.targets = *table;
  return loss;
}

Value Loss::loadInput(Value row, Value vector, int64_t lanes,
                      double padding) const {
  return b.keepLanes(input.load(b, row, vector, lanes), lanes, padding);
}

Value Loss::findMaximum(Value row) const {
  double lowest = -std::numeric_limits<double>::infinity();
  Carried best =
      visit({b.splat(lowest)}, [&](Value v, int64_t lanes, Carried c) {
        Value x = loadInput(row, v, lanes, lowest);
        return Carried{b.combine(Reduction::Max, x, c[0])};
      });
  return b.broadcast(b.reduce(Reduction::Max, best[0]));
}

Value Loss::loadLabel(Value image) const {
  return labels ? b.loadScalar(labels, image) : Value();
}

/// Returns the column numbers of the elements of a vector.
static Value getNumbers(KernelBuilder &b, Value vector) {
  Value first = b.toInteger(b.mul(vector, kVectorLanes));
  return arith::AddIOp::create(b, b.laneNumbers(), b.broadcast(first));
}

Value Loss::getTargets(Value image, Value label, Value vector,
                       int64_t lanes) const {
  Value t;
  if (targets) {
    t = targets->load(b, targets->getRow(b, image), vector, lanes);
    if (smoothed.smoothing != 0)
      t = smoothed.ofProbabilities(t);
  } else {
    Value isLabel = b.isEqual(getNumbers(b, vector), b.broadcast(label));
    t = smoothed.ofLabel(b.vectorType, isLabel);
  }
  return b.keepLanes(t, lanes);
}

//===----------------------------------------------------------------------===//
// Sums over the batch
//===----------------------------------------------------------------------===//

static Value toDouble(KernelBuilder &b, Value x) {
  return arith::ExtFOp::create(b, b.getF64Type(), x);
}

static Value constantDouble(KernelBuilder &b, double value) {
  return b.constant(b.getF64FloatAttr(value));
}

static Value sumOverBatch(KernelBuilder &b, Value zero,
                          function_ref<Value(Value image)> body,
                          function_ref<Value(Value, Value)> add) {
  return b.fold(b.index(0), b.batch(), 1, zero,
                [&](Value image, Value sum) { return add(sum, body(image)); });
}

static Value divideByBatch(KernelBuilder &b, Value sum, int64_t times) {
  Value count = arith::IndexCastOp::create(b, b.getI64Type(), b.batch());
  Value number = arith::SIToFPOp::create(b, b.getF64Type(), count);
  Value mean = b.divf(sum, b.mulf(number, constantDouble(b, double(times))));
  return arith::TruncFOp::create(b, b.getF32Type(), mean);
}

/// -sum(t log softmax(x)) = sum(t) log(sum(exp(x - m))) - sum(t (x - m)).
Value Loss::emitCrossEntropy() {
  auto visitImage = [&](Value image) -> Value {
    Value row = input.getRow(b, image), maximum = findMaximum(row);
    Value label = loadLabel(image);
    Carried sums = visit(Carried(3, b.splat(0)), [&](Value v, int64_t lanes,
                                                     Carried c) {
      Value x = loadInput(row, v, lanes, 0);
      Value distance = b.subf(x, maximum);
      Value power = b.keepLanes(emitExp(b, distance), lanes);
      Value t = getTargets(image, label, v, lanes);
      // 0 * -inf counts as 0.
      Value term = b.select(b.compare(arith::CmpFPredicate::OEQ, t, b.splat(0)),
                            b.splat(0), b.mulf(t, distance));
      return Carried{b.addf(c[0], power), b.addf(c[1], t), b.addf(c[2], term)};
    });
    for (Value &sum : sums)
      sum = toDouble(b, b.reduce(Reduction::Add, sum));
    Value weight = labels ? constantDouble(b, 1) : sums[1];
    Value term = b.subf(b.mulf(weight, emitLog(b, sums[0])), sums[2]);
    return labels ? smoothed.checkLabel(label, term) : term;
  };
  Value sum = sumOverBatch(b, constantDouble(b, 0), visitImage,
                           [&](Value x, Value y) { return b.addf(x, y); });
  return divideByBatch(b, sum, 1);
}

Value Loss::emitMse() {
  auto visitImage = [&](Value image) -> Value {
    Value row = input.getRow(b, image);
    Carried sums = visit({b.splat(0)}, [&](Value v, int64_t lanes, Carried c) {
      Value t = targets->load(b, targets->getRow(b, image), v, lanes);
      Value d = b.subf(input.load(b, row, v, lanes), t);
      return Carried{b.fma(d, d, c[0])};
    });
    return toDouble(b, b.reduce(Reduction::Add, sums[0]));
  };
  Value sum = sumOverBatch(b, constantDouble(b, 0), visitImage,
                           [&](Value x, Value y) { return b.addf(x, y); });
  return divideByBatch(b, sum, classes());
}

Value Loss::findLargest(const Table &table, Value image) const {
  double lowest = -std::numeric_limits<double>::infinity();
  Value row = table.getRow(b, image);
  // One search per lane.
  Carried none = {b.splat(lowest), getNumbers(b, b.index(0)),
                  b.splatBits(b.vectorType, 0)};
  Carried best = visit(none, [&](Value v, int64_t lanes, Carried carried) {
    Largest found(carried);
    Value x = b.keepLanes(table.load(b, row, v, lanes), lanes, lowest);
    found.add(b, x, [&] { return getNumbers(b, v); });
    return found.values();
  });
  Value largest = b.broadcast(b.reduce(Reduction::Max, best[0]));
  Value isLargest = b.compare(arith::CmpFPredicate::OEQ, best[0], largest);
  Value number = vector::ReductionOp::create(
      b, vector::CombiningKind::MINSI,
      b.select(isLargest, best[1],
               b.splatBits(b.vectorType, std::numeric_limits<int32_t>::max())));
  Value bad =
      vector::ReductionOp::create(b, vector::CombiningKind::MAXSI, best[2]);
  Value zero = b.constant(b.getI32IntegerAttr(0));
  return b.select(b.isEqual(bad, zero), number,
                  b.constant(b.getI32IntegerAttr(-1)));
}

Value Loss::emitAccuracy() {
  Value zero = b.constant(b.getI32IntegerAttr(0));
  auto visitImage = [&](Value image) -> Value {
    Value answer = findLargest(input, image);
    Value wanted = labels ? loadLabel(image) : findLargest(*targets, image);
    return arith::ExtUIOp::create(b, b.getI32Type(),
                                  isRightAnswer(b, answer, wanted));
  };
  return sumOverBatch(b, zero, visitImage, [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, x, y);
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::LossOp op,
                                           KernelBuilder &b) {
  FailureOr<Loss> loss = Loss::get(op, b, 0, op.getInput(), op.getTargets(),
                                   op.getSmoothing().convertToDouble());
  if (failed(loss))
    return failure();
  // There is one unit. A call may have none.
  b.loop(b.begin(), b.end(), [&](Value) {
    Value result;
    switch (op.getKind()) {
    case kernel::LossKind::cross_entropy:
      result = loss->emitCrossEntropy();
      break;
    case kernel::LossKind::mse:
      result = loss->emitMse();
      break;
    case kernel::LossKind::accuracy:
      result = loss->emitAccuracy();
      break;
    }
    b.storeScalar(result, b.argument(2), b.index(0));
  });
  return withoutBatch(op, 1);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// Emits gradient * (sum(t) softmax(x) - t) / batch for one row.
static void emitCrossEntropyRow(const Loss &loss, Value factor, Value image,
                                function_ref<void(Value v, Value dx)> store) {
  KernelBuilder &b = loss.b;
  Value row = loss.input.getRow(b, image), maximum = loss.findMaximum(row);
  Value label = loss.loadLabel(image);
  auto getPower = [&](Value v, int64_t lanes) {
    Value distance = b.subf(loss.loadInput(row, v, lanes, 0), maximum);
    return b.keepLanes(emitExp(b, distance), lanes);
  };
  Carried sums =
      loss.visit(Carried(loss.labels ? 1 : 2, b.splat(0)),
                 [&](Value v, int64_t lanes, Carried c) {
                   c[0] = b.addf(c[0], getPower(v, lanes));
                   if (!loss.labels)
                     c[1] =
                         b.addf(c[1], loss.getTargets(image, label, v, lanes));
                   return c;
                 });
  for (Value &sum : sums)
    sum = b.reduce(Reduction::Add, sum);
  Value weight = loss.labels ? b.scalar(1) : sums[1];
  Value share = b.broadcast(b.divf(weight, sums[0]));
  loss.visit({}, [&](Value v, int64_t lanes, Carried c) {
    Value p = b.mulf(getPower(v, lanes), share);
    Value t = loss.getTargets(image, label, v, lanes);
    store(v, b.mulf(b.subf(p, t), factor));
    return c;
  });
}

/// Emits 2 * gradient * (x - t) / elements for one row.
static void emitMseRow(const Loss &loss, Value factor, Value image,
                       function_ref<void(Value v, Value dx)> store) {
  KernelBuilder &b = loss.b;
  Value row = loss.input.getRow(b, image);
  Value twice = b.mulf(factor, b.splat(2.0 / double(loss.classes())));
  loss.visit({}, [&](Value v, int64_t lanes, Carried c) {
    Value t = loss.targets->load(b, loss.targets->getRow(b, image), v, lanes);
    store(v, b.mulf(b.subf(loss.input.load(b, row, v, lanes), t), twice));
    return c;
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::LossBackwardOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  FailureOr<Loss> loss = Loss::get(op, b, 1, op.getInput(), op.getTargets(),
                                   op.getSmoothing().convertToDouble());
  if (failed(shape) || failed(loss))
    return failure();
  if (shape->group != 0 || shape->isPerImage())
    return op.emitOpError("needs [batch, classes] without groups where it has ")
           << op.getResult().getType();
  Value result = b.argument(3);
  Value gradient = b.loadScalar(b.argument(0), b.index(0));
  Value factor =
      b.broadcast(divideByBatch(b, toDouble(b, gradient), /*times=*/1));
  forEachRow(b, *shape, result, [&](Value image, Value, Value offset) {
    auto store = [&](Value v, Value dx) {
      b.store(dx, result, b.add(offset, b.mul(v, shape->vectorElements())));
    };
    if (op.getKind() == kernel::LossKind::mse)
      emitMseRow(*loss, factor, image, store);
    else
      emitCrossEntropyRow(*loss, factor, image, store);
  });
  return getRowBlockInfo(op.getResult().getType());
}
