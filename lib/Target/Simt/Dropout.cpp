//===- Dropout.cpp - Random masks on a GPU --------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011) in 32-bit integers. A mask is a function of counters, so nothing
// depends on who makes it, and the adjoint makes it again.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

namespace {
struct Dropout {
  enum Argument : unsigned { Input, Seed, Step, Result };

  kernel::DropoutOp op;
  SimtBuilder &b;
  Activation shape;
  SmallVector<Value> key, counter; ///< i32; words 1 to 3 of the counter

  Value word(uint32_t value) {
    return b.constant(b.getI32IntegerAttr(int32_t(value)));
  }
  Value exclusiveOr(Value x, Value y) { return arith::XOrIOp::create(b, x, y); }
  /// The four words of a counter's first word.
  SmallVector<Value> philox(Value first);
  /// Whether the element of that word is kept.
  Value keeps(Value word);
  /// Random number `index` of the stream.
  Value keepsNumber(Value index);
  Value getMask(Value row, Value vector);
  void emit();
};
} // namespace

SmallVector<Value> Dropout::philox(Value first) {
  SmallVector<Value> c{first, counter[0], counter[1], counter[2]};
  Value k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    auto x = arith::MulUIExtendedOp::create(b, c[0], word(0xD2511F53));
    auto y = arith::MulUIExtendedOp::create(b, c[2], word(0xCD9E8D57));
    c = {exclusiveOr(exclusiveOr(y.getHigh(), c[1]), k0), y.getLow(),
         exclusiveOr(exclusiveOr(x.getHigh(), c[3]), k1), x.getLow()};
    k0 = arith::AddIOp::create(b, k0, word(0x9E3779B9));
    k1 = arith::AddIOp::create(b, k1, word(0xBB67AE85));
  }
  return c;
}

Value Dropout::keeps(Value random) {
  double probability = op.getProbability().convertToDouble();
  auto threshold = uint32_t(std::ceil(probability * 0x1p24));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::uge,
                               arith::ShRUIOp::create(b, random, word(8)),
                               word(threshold));
}

Value Dropout::keepsNumber(Value index) {
  SmallVector<Value> words = philox(b.toInteger(b.div(index, 4)));
  Value lane = b.rem(index, 4), chosen = words[0];
  for (int64_t i = 1; i < 4; ++i)
    chosen = b.select(b.isEqual(lane, b.index(i)), words[i], chosen);
  return keeps(chosen);
}

/// 0 or 1 / (1 - probability) for each lane of a vector.
Value Dropout::getMask(Value row, Value vector) {
  Value zero = b.scalar(0);
  Value scale = b.scalar(1 / (1 - op.getProbability().convertToDouble()));
  if (op.getUnit() == kernel::RandomUnit::image)
    return b.broadcast(
        b.select(keepsNumber(b.div(row, shape.tokens)), scale, zero));
  SmallVector<Value> lanes;
  Value start = b.mul(row, shape.width), first = b.mul(vector, kWidth);
  // Four neighbours are those of one counter.
  if (shape.width % kWidth == 0 && shape.group % kWidth == 0) {
    Channel channel = shape.getChannel(b, first);
    Value index = b.add(start, channel.number);
    for (Value random : philox(b.toInteger(b.div(index, kWidth))))
      lanes.push_back(b.select(keeps(random), scale, zero));
    return b.fromElements(lanes);
  }
  for (int64_t lane = 0; lane < kWidth; ++lane) {
    Channel channel = shape.getChannel(b, b.add(first, lane));
    Value kept = keepsNumber(b.add(start, channel.number));
    lanes.push_back(b.select(kept, scale, zero));
  }
  return b.fromElements(lanes);
}

// A thread takes one vector at a time. Padding is zero and stays so.
void Dropout::emit() {
  b.useIntegers();
  uint64_t stream = op.getStream();
  for (int64_t i : {0, 1})
    key.push_back(b.loadInteger(Seed, b.index(i)));
  Value step = b.loadInteger(Step, b.index(0));
  counter = {arith::AddIOp::create(b, step, word(1)), word(uint32_t(stream)),
             word(uint32_t(stream >> 32))};
  Value total = b.mul(shape.rows(b), shape.vectors);
  forEachItem(b, total, b.threads() * kItemsPerThread, [&](Value item) {
    Value row = b.div(item, shape.vectors);
    Value mask = getMask(row, b.rem(item, shape.vectors));
    Value x = b.load4(Input, item);
    // What is dropped is zero, whatever it was.
    Value isKept =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, mask, b.splat(0));
    b.store4(b.select(isKept, b.mulf(x, mask), b.splat(0)), Result, item);
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emitDropout(kernel::DropoutOp op,
                                                   SimtBuilder &b) {
  FailureOr<Activation> input = Activation::get(op, op.getInput().getType());
  FailureOr<Activation> shape = Activation::get(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  if (input->group != shape->group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  Dropout{op, b, *shape}.emit();
  return KernelInfo{shape->units(op.getContext(), shape->vectors,
                                 b.threads() * kItemsPerThread),
                    noFlop(op.getContext())};
}
