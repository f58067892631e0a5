//===- Sum.cpp - Sums over tokens, the batch, everything or groups --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whole vectors are added, including padding, which is zero. A work unit
// computes a few vectors of the result from beginning to end, so the order does
// not depend on how units are split.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace {
struct Sum {
  kernel::SumOp op;
  KernelBuilder &b;

  FailureOr<KernelInfo> overTokens();
  FailureOr<KernelInfo> overBatch();
  FailureOr<KernelInfo> overAll();
  FailureOr<KernelInfo> overGroups();

  /// Returns `count` neighboring vectors, each summed over `steps` positions
  /// that begin at `base` and are `stride` apart.
  SmallVector<Value> add(Value base, int64_t count, Value steps,
                         int64_t stride);
};
} // namespace

SmallVector<Value> Sum::add(Value base, int64_t count, Value steps,
                            int64_t stride) {
  SmallVector<Value> zeros(count, b.splat(0));
  return b.loop(
      b.index(0), steps, 1, zeros, [&](Value step, ValueRange carried) {
        SmallVector<Value> sums;
        Value at = b.add(base, b.mul(step, stride));
        for (int64_t i = 0; i < count; ++i)
          sums.push_back(b.addf(
              carried[i], b.load(b.argument(0), b.add(at, i * kVectorLanes))));
        return sums;
      });
}

FailureOr<KernelInfo> Sum::overTokens() {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Blocked &input = layouts->input;
  return emitPerImage(op, b, *layouts, [&](Value base) {
    return addPairwise(b, add(base, input.rows, b.index(input.blocksPerImage),
                              input.blockElements()));
  });
}

// A work unit is one channel vector of a row block of an image, or of the
// batch.
FailureOr<KernelInfo> Sum::overBatch() {
  FailureOr<Blocked> input = Blocked::get(op, op.getInput().getType());
  if (failed(input) || failed(verifyFlat(op, op.getResult().getType())))
    return failure();
  Value result = b.argument(1);
  auto store = [&](Value sum, Value channelVector, Value offset) {
    forChannels(b, *input, channelVector, [&](Value channel, int64_t lanes) {
      b.storeLanes(sum, result, b.add(offset, channel), lanes);
    });
  };
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value block = b.div(unit, input->channelBlocks);
    Value channel = b.rem(unit, input->channelBlocks);
    Value base = b.mul(channel, input->vectorElements());
    if (!input->isPerImage()) {
      SmallVector<Value> sums = add(base, input->rows, getRowBlocks(b, *input),
                                    input->blockElements());
      return store(addPairwise(b, sums), channel, b.index(0));
    }
    SmallVector<Value> sums =
        add(b.add(base, b.mul(block, input->blockElements())), input->rows,
            b.batch(), input->blocksPerImage * input->blockElements());
    for (auto [row, sum] : llvm::enumerate(sums)) {
      Value token = b.add(b.mul(block, input->rows), int64_t(row));
      auto storeRow = [&, sum = sum] {
        store(sum, channel, b.mul(token, input->width));
      };
      if (input->mayBePadding(row))
        b.ifThen(b.isLess(token, b.index(input->tokens)), storeRow);
      else
        storeRow();
    }
  });
  zeroTail(b, op.getResult(), result);
  return withoutBatch(op, std::max<int64_t>(1, input->blocksPerImage) *
                              input->channelBlocks);
}

// One work unit.
FailureOr<KernelInfo> Sum::overAll() {
  constexpr int64_t atOnce = 4;
  if (failed(verifyFlat(op, op.getResult().getType())))
    return failure();
  RankedTensorType type = op.getInput().getType();
  Value vectors;
  if (isa_and_present<kernel::BlockedAttr>(type.getEncoding())) {
    FailureOr<Blocked> input = Blocked::get(op, type);
    if (failed(input))
      return failure();
    vectors =
        b.mul(getRowBlocks(b, *input), input->blockElements() / kVectorLanes);
  } else {
    if (failed(verifyFlat(op, type)))
      return failure();
    vectors = b.index(type.getNumElements() / kVectorLanes);
  }
  b.loop(b.begin(), b.end(), [&](Value) {
    Value whole = b.div(vectors, atOnce);
    SmallVector<Value> sums =
        add(b.index(0), atOnce, whole, atOnce * kVectorLanes);
    Value done = b.mul(whole, atOnce);
    Value rest = add(b.mul(done, kVectorLanes), 1, b.sub(vectors, done),
                     kVectorLanes)[0];
    sums.push_back(rest);
    // A row-major input may be the caller's memory, which ends after the last
    // element.
    if (type.hasStaticShape() && type.getNumElements() % kVectorLanes != 0)
      sums.push_back(b.loadLanes(b.argument(0), b.mul(vectors, kVectorLanes),
                                 type.getNumElements() % kVectorLanes));
    b.storeScalar(b.reduce(KernelBuilder::Reduction::Add, addPairwise(b, sums)),
                  b.argument(1), b.index(0));
  });
  zeroTail(b, op.getResult(), b.argument(1));
  return withoutBatch(op, 1);
}

// A work unit is one vector of the result.
FailureOr<KernelInfo> Sum::overGroups() {
  RankedTensorType type = op.getInput().getType();
  if (failed(verifyFlat(op, type)) ||
      failed(verifyFlat(op, op.getResult().getType())))
    return failure();
  int64_t width = op.getResult().getType().getNumElements();
  int64_t groups = type.getNumElements() / width;
  int64_t units = llvm::divideCeil(width, kVectorLanes),
          tail = width % kVectorLanes;
  b.loop(b.begin(), b.end(), [&](Value unit) {
    auto sum = [&](int64_t lanes) {
      Value first = b.mul(unit, kVectorLanes);
      Value total = b.fold(groups, b.splat(0), [&](Value group, Value sum) {
        Value at = b.add(first, b.mul(group, width));
        return b.addf(sum, b.loadLanes(b.argument(0), at, lanes));
      });
      b.storeLanes(total, b.argument(1), first, lanes);
    };
    if (tail == 0)
      return sum(kVectorLanes);
    b.ifThen(
        b.isEqual(unit, b.index(units - 1)), [&] { sum(tail); },
        [&] { sum(kVectorLanes); });
  });
  zeroTail(b, op.getResult(), b.argument(1));
  return withoutBatch(op, units);
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::SumOp op, KernelBuilder &b) {
  Sum sum{op, b};
  switch (op.getKind()) {
  case kernel::SumKind::tokens:
    return sum.overTokens();
  case kernel::SumKind::batch:
    return sum.overBatch();
  case kernel::SumKind::all:
    return sum.overAll();
  case kernel::SumKind::groups:
    return sum.overGroups();
  }
  llvm_unreachable("a kind of sum without code");
}
