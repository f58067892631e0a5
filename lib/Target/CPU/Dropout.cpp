//===- Dropout.cpp - Elements or images dropped at random -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random words are computed for 16 counters at a time, which gives 64 words. If
// the width is a multiple of 4, these are the words of four channel vectors.
// Otherwise each lane computes the four words of its own counter and selects
// one.
//
//===----------------------------------------------------------------------===//

#include "../Common/Random.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace {
using Words = std::array<Value, 4>; ///< vector<16xi32>

struct Dropout {
  kernel::DropoutOp op;
  KernelBuilder &b;
  Blocked shape;
  RandomMask mask;

  Value splat(int32_t value) { return b.splatBits(b.vectorType, value); }
  Value addi(Value x, Value y) { return arith::AddIOp::create(b, x, y); }

  /// Returns the words of elements [first, first + 64), where `first` is a
  /// multiple of 4.
  Words getAlignedWords(Value first);
  /// Returns the words of elements [first, first + 16).
  Value getWords(Value first);
  /// Writes the vector at offset `at`. Dropped elements become +0, even if they
  /// were infinite or NaN.
  void drop(Value at, Value isKept);
  void emitElements(Value row, Value offset);
  void emit();
};
} // namespace

void Dropout::drop(Value at, Value isKept) {
  Value scaled = b.mulf(b.load(b.argument(0), at), b.splat(mask.scale()));
  b.store(b.select(isKept, scaled, b.splat(0)), b.argument(3), at);
}

Words Dropout::getAlignedWords(Value first) {
  Value counters =
      addi(b.broadcast(b.toInteger(b.div(first, 4))), b.laneNumbers());
  Words words = mask.getWords(counters);
  // Element 4 i + w of the 64 is word w of counter i. Transpose in two steps:
  // interleave pairs, then pairs of pairs.
  auto interleave = [&](Value x, Value y, int64_t run, int64_t half) {
    SmallVector<int64_t> lanes;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      int64_t pair = lane / (2 * run), part = lane % (2 * run);
      lanes.push_back(half * kVectorLanes / 2 + pair * run + part % run +
                      (part < run ? 0 : kVectorLanes));
    }
    return b.shuffle(x, y, lanes);
  };
  Words result;
  for (int64_t half = 0; half < 2; ++half) {
    Value low = interleave(words[0], words[1], 1, half);
    Value high = interleave(words[2], words[3], 1, half);
    for (int64_t quarter = 0; quarter < 2; ++quarter)
      result[2 * half + quarter] = interleave(low, high, 2, quarter);
  }
  return result;
}

Value Dropout::getWords(Value first) {
  Value place =
      addi(b.broadcast(b.toInteger(b.rem(first, 4))), b.laneNumbers());
  Value counters = addi(b.broadcast(b.toInteger(b.div(first, 4))),
                        arith::ShRUIOp::create(b, place, splat(2)));
  Words words = mask.getWords(counters);
  Value number = arith::AndIOp::create(b, place, splat(3));
  Value word = words[0];
  for (int32_t i = 1; i < 4; ++i)
    word = b.select(b.isEqual(number, splat(i)), words[i], word);
  return word;
}

void Dropout::emitElements(Value row, Value offset) {
  Value base = b.mul(row, shape.width);
  auto dropVector = [&](Value vector, Value words) {
    Value at = b.add(offset, b.mul(vector, shape.vectorElements()));
    drop(at, mask.isKept(words));
  };
  if (shape.width % 4 == 0 && shape.group == 0) {
    auto emitVectors = [&](Value vector, int64_t count) {
      Words words = getAlignedWords(b.add(base, b.mul(vector, kChannelPad)));
      for (int64_t i = 0; i < count; ++i)
        dropVector(b.add(vector, i), words[i]);
    };
    int64_t whole = shape.channelBlocks / 4, rest = shape.channelBlocks % 4;
    b.loop(0, whole, [&](Value i) { emitVectors(b.mul(i, 4), 4); });
    if (rest > 0)
      emitVectors(b.index(4 * whole), rest);
    return;
  }
  b.loop(0, shape.channelBlocks, [&](Value v) {
    Value channel = b.mul(v, kChannelPad);
    if (shape.group != 0) {
      int64_t vectors = kernel::padTo(shape.group, kChannelPad) / kChannelPad;
      channel = b.add(b.mul(b.div(v, vectors), shape.group),
                      b.mul(b.rem(v, vectors), kChannelPad));
    }
    dropVector(v, getWords(b.add(base, channel)));
  });
}

void Dropout::emit() {
  bool wholeImages = op.getUnit() == kernel::RandomUnit::image;
  forEachRow(
      b, shape, b.argument(3), [&](Value image, Value token, Value offset) {
        if (!wholeImages) {
          Value row = shape.isPerImage()
                          ? b.add(b.mul(image, shape.tokens), token)
                          : image;
          emitElements(row, offset);
          return;
        }
        Value word =
            vector::ExtractOp::create(b, getWords(image), ArrayRef<int64_t>{0});
        Value isKept = mask.isKept(b.broadcast(word));
        b.loop(0, shape.channelBlocks, [&](Value v) {
          drop(b.add(offset, b.mul(v, shape.vectorElements())), isKept);
        });
      });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::DropoutOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(shape))
    return failure();
  if (op.getInput().getType() != op.getResult().getType())
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  Value first = b.loadScalar(b.argument(1), b.index(0));
  Value second = b.loadScalar(b.argument(1), b.index(1));
  Value step = b.loadScalar(b.argument(2), b.index(0));
  Dropout{op, b, *shape, RandomMask(b, op, {first, second}, step)}.emit();
  return getRowBlockInfo(op.getResult().getType());
}
