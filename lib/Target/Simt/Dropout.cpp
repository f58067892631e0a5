//===- Dropout.cpp - Random masks on a GPU --------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread takes one vector at a time. Padding is zero and stays so.
//
//===----------------------------------------------------------------------===//

#include "../Common/Random.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

namespace {
struct Dropout {
  enum Argument : unsigned { Input, Seed, Step, Result };

  kernel::DropoutOp op;
  SimtBuilder &b;
  Activation shape;
  RandomMask mask;

  /// Returns whether the element of word `index` is kept.
  Value isKept(Value index);
  /// Returns 0 or the scale for each lane of a vector.
  Value getFactors(Value row, Value vector);
  KernelInfo emit();
};
} // namespace

Value Dropout::isKept(Value index) {
  std::array<Value, 4> words = mask.getWords(b.toInteger(b.div(index, 4)));
  Value lane = b.rem(index, 4), chosen = words[0];
  for (int64_t i = 1; i < 4; ++i)
    chosen = b.select(b.isEqual(lane, b.index(i)), words[i], chosen);
  return mask.isKept(chosen);
}

Value Dropout::getFactors(Value row, Value vector) {
  Value zero = b.scalar(0);
  Value scale = b.scalar(mask.scale());
  if (op.getUnit() == kernel::RandomUnit::image)
    return b.broadcast(b.select(isKept(b.div(row, shape.tokens)), scale, zero));
  SmallVector<Value> lanes;
  Value start = b.mul(row, shape.width), first = b.mul(vector, kVectorLanes);
  // Four neighboring elements use the words of one counter.
  if (shape.width % kVectorLanes == 0 && shape.group % kVectorLanes == 0) {
    Channel channel = shape.getChannel(b, first);
    Value index = b.add(start, channel.number);
    for (Value word : mask.getWords(b.toInteger(b.div(index, kVectorLanes))))
      lanes.push_back(b.select(mask.isKept(word), scale, zero));
    return b.fromElements(lanes);
  }
  for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
    Channel channel = shape.getChannel(b, b.add(first, lane));
    Value kept = isKept(b.add(start, channel.number));
    lanes.push_back(b.select(kept, scale, zero));
  }
  return b.fromElements(lanes);
}

KernelInfo Dropout::emit() {
  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value factors = getFactors(row, vector);
    Value x = b.load4(Input, item);
    // Dropped elements become +0, even if they were infinite or NaN.
    Value isKept = b.compare(arith::CmpFPredicate::OGT, factors, b.splat(0));
    b.store4(b.select(isKept, b.mulf(x, factors), b.splat(0)), Result, item);
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::DropoutOp op,
                                            SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  b.useIntegers();
  Value first = b.loadInteger(Dropout::Seed, b.index(0));
  Value second = b.loadInteger(Dropout::Seed, b.index(1));
  Value step = b.loadInteger(Dropout::Step, b.index(0));
  RandomMask mask(b, op, {first, second}, step);
  return Dropout{op, b, layouts->result, mask}.emit();
}
