//===- Sum.cpp - Sums over tokens, the batch, everything or groups --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A workgroup computes `across` neighboring vectors of the result. If barriers
// are expensive, one thread computes a whole vector. Otherwise all threads of
// the workgroup share the vectors evenly, and the partial sums of a vector are
// added as a tree.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;

namespace {
/// Sums of vectors of argument 0 that are `stride` apart.
struct Columns {
  Value items;                              ///< the number of sums
  llvm::function_ref<Value(Value)> getBase; ///< the first vector of an item
  Value count;                              ///< vectors per sum
  int64_t start; ///< number of the first vector to add
  int64_t stride;
};
} // namespace

/// Returns the sum of vectors `from`, from + step, ... less than `count`. Uses
/// four partial sums, which is faster and more accurate.
static Value sumStrided(SimtBuilder &b, const Columns &columns, Value base,
                        Value from, int64_t step) {
  constexpr int64_t parts = 4;
  Value count = columns.count, reach = b.index((parts - 1) * step);
  // A vector less than this one is followed by at least parts - 1 others.
  Value last = b.sub(count, b.min(count, reach));
  auto load = [&](Value number) {
    return b.load4(0, b.add(base, b.mul(number, columns.stride)));
  };
  SmallVector<Value> sums =
      b.loop(from, last, parts * step, SmallVector<Value>(parts, b.splat(0)),
             [&](Value number, ValueRange carried) {
               SmallVector<Value> next;
               for (int64_t part = 0; part < parts; ++part)
                 next.push_back(
                     b.addf(carried[part], load(b.add(number, part * step))));
               return next;
             });
  // The rest begins at the first vector that the loop above did not reach.
  Value rounds = b.div(b.add(b.sub(last, b.min(from, last)), parts * step - 1),
                       parts * step);
  Value rest = b.add(from, b.mul(rounds, parts * step));
  // A loop with this bound has a number of iterations that can be verified.
  Value end = b.min(count, b.add(rest, reach));
  sums[0] = b.fold(rest, end, step, sums[0], [&](Value number, Value sum) {
    return b.addf(sum, load(number));
  });
  return b.addf(b.addf(sums[0], sums[1]), b.addf(sums[2], sums[3]));
}

/// Returns the number of items per workgroup.
static int64_t getAcross(const SimtBuilder &b) {
  return b.level.isDirect ? b.threads() : std::min<int64_t>(16, b.threads());
}

static void sumColumns(SimtBuilder &b, const Columns &columns,
                       function_ref<void(Value item, Value sum)> store) {
  int64_t across = getAcross(b);
  if (b.level.isDirect)
    return forEachItem(b, columns.items, across, [&](Value item) {
      store(item, sumStrided(b, columns, columns.getBase(item),
                             b.index(columns.start), 1));
    });
  int64_t parts = int64_t(llvm::bit_floor(uint64_t(b.threads() / across)));
  Value sums = b.allocateShared4(across * parts);
  Value part = b.div(b.thread(), across);
  Value item = b.add(b.mul(b.unit(), across), b.rem(b.thread(), across));
  // Threads past the last item repeat it and store nothing. Threads past the
  // last part keep their sums.
  Value known = b.min(item, b.sub(columns.items, b.index(1)));
  Value sum = sumStrided(b, columns, columns.getBase(known),
                         b.add(part, columns.start), parts);
  b.ifThen(b.isLess(part, b.index(parts)),
           [&] { b.storeShared(sum, sums, b.thread()); });
  b.barrier();
  for (int64_t half = parts / 2; half >= 1; half /= 2) {
    b.ifThen(b.isLess(part, b.index(half)), [&] {
      Value mine = b.loadShared(sums, b.thread());
      Value other = b.loadShared(sums, b.add(b.thread(), half * across));
      b.storeShared(b.addf(mine, other), sums, b.thread());
    });
    b.barrier();
  }
  Value stores = b.both(b.isLess(b.thread(), b.index(across)),
                        b.isLess(item, columns.items));
  b.ifThen(stores, [&] { store(item, b.loadShared(sums, b.thread())); });
}

KernelInfo mlir::vit::simt::emitTokenSums(SimtBuilder &b,
                                          const Activation &input,
                                          int64_t start, double factor) {
  int64_t vectors = input.vectors;
  auto getBase = [&](Value item) {
    return b.add(b.mul(b.div(item, vectors), input.tokens * vectors),
                 b.rem(item, vectors));
  };
  Columns columns{b.mul(b.batch(), vectors), getBase, b.index(input.tokens),
                  start, vectors};
  sumColumns(b, columns, [&](Value item, Value sum) {
    b.store4(factor == 1.0 ? sum : b.mulf(sum, b.splat(factor)), 1, item);
  });
  return {kernel::ExtentAttr::get(b.getContext(), 1, vectors, getAcross(b))};
}

static FailureOr<KernelInfo> sumTokens(kernel::SumOp op, SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  return emitTokenSums(b, layouts->input, /*start=*/0, /*factor=*/1.0);
}

static FailureOr<KernelInfo> sumBatch(kernel::SumOp op, SimtBuilder &b) {
  FailureOr<Activation> input = Activation::get(op, op.getInput().getType());
  FailureOr<Activation> shape =
      Activation::getFlat(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  int64_t perImage = input->tokens * input->vectors;
  // The padding after a single row becomes the zeros after the result.
  bool isSame =
      !input->hasPaddedChannels() || (input->tokens == 1 && input->group == 0);
  if (!isSame)
    b.useScalars();
  auto getBase = [](Value item) { return item; };
  Columns columns{b.index(perImage), getBase, b.batch(), /*start=*/0, perImage};
  sumColumns(b, columns, [&](Value item, Value sum) {
    if (isSame)
      return b.store4(sum, 1, item);
    Value token = b.div(item, input->vectors);
    Value first = b.mul(b.rem(item, input->vectors), kVectorLanes);
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Channel channel = input->getChannel(b, b.add(first, lane));
      b.ifThen(channel.exists, [&] {
        b.store(b.extract(sum, lane), 1,
                b.add(b.mul(token, input->width), channel.number));
      });
    }
  });
  if (!isSame)
    storeZeroTail(b, 1, shape->width);
  return withoutBatch(op, llvm::divideCeil(perImage, getAcross(b)));
}

// A thread computes one element of the result, because these sums are short.
static FailureOr<KernelInfo> sumGroups(kernel::SumOp op, SimtBuilder &b) {
  FailureOr<Activation> input =
      Activation::getFlat(op, op.getInput().getType());
  FailureOr<Activation> shape =
      Activation::getFlat(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  b.useScalars();
  int64_t width = shape->width;
  KernelInfo info = emitPerItem(op, b, width, [&](Value item) {
    Value sum =
        b.fold(item, b.index(input->width), width, b.scalar(0),
               [&](Value at, Value sum) { return b.addf(sum, b.load(0, at)); });
    b.store(sum, 1, item);
  });
  storeZeroTail(b, 1, width);
  return info;
}

Value mlir::vit::simt::sumVectors(SimtBuilder &b, unsigned argument,
                                  Value total, function_ref<Value(Value)> map) {
  constexpr int64_t atOnce = 8;
  return b.fold(b.thread(), total, atOnce * b.threads(), b.splat(0),
                [&](Value first, Value sum) {
                  SmallVector<Value> values;
                  for (int64_t i = 0; i < atOnce; ++i) {
                    Value item = b.add(first, i * b.threads());
                    Value known = b.min(item, b.sub(total, b.index(1)));
                    Value value = map(b.load4(argument, known));
                    values.push_back(
                        b.select(b.isLess(item, total), value, b.splat(0)));
                  }
                  for (int64_t half = atOnce / 2; half >= 1; half /= 2)
                    for (int64_t i = 0; i < half; ++i)
                      values[i] = b.addf(values[i], values[i + half]);
                  return b.addf(sum, values[0]);
                });
}

// One workgroup takes everything. Padding is zero.
static FailureOr<KernelInfo> sumAll(kernel::SumOp op, SimtBuilder &b) {
  RankedTensorType type = op.getInput().getType();
  bool isFlat = type.hasStaticShape();
  FailureOr<Activation> input =
      isFlat ? Activation::getFlat(op, type) : Activation::get(op, type);
  FailureOr<Activation> shape =
      Activation::getFlat(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  b.useScalars();
  Value total =
      isFlat ? b.index(input->vectors) : b.mul(input->rows(b), input->vectors);
  Value sum = sumVectors(b, 0, total, [](Value x) { return x; });
  sum = b.reduceWorkgroup(Reduction::Add, b.reduce(Reduction::Add, sum));
  b.ifThen(b.isEqual(b.thread(), b.index(0)),
           [&] { b.store(sum, 1, b.index(0)); });
  if (op.getResult().getType().getRank() > 0)
    storeZeroTail(b, 1, 1);
  return withoutBatch(op, 1);
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::SumOp op, SimtBuilder &b) {
  switch (op.getKind()) {
  case kernel::SumKind::tokens:
    return sumTokens(op, b);
  case kernel::SumKind::batch:
    return sumBatch(op, b);
  case kernel::SumKind::groups:
    return sumGroups(op, b);
  case kernel::SumKind::all:
    return sumAll(op, b);
  }
  llvm_unreachable("every kind is above");
}
