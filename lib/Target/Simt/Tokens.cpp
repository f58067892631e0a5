//===- Tokens.cpp - Tokens in front, some tokens, their mean ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

static FailureOr<std::pair<Activation, Activation>>
getShapes(Operation *op, RankedTensorType inputType,
          RankedTensorType resultType) {
  FailureOr<Activation> input = Activation::get(op, inputType);
  FailureOr<Activation> result = Activation::get(op, resultType);
  if (failed(input) || failed(result))
    return failure();
  if (input->group != result->group)
    return op->emitOpError("has layouts that do not fit: input ")
           << inputType << ", result " << resultType;
  return std::make_pair(*input, *result);
}

// A thread takes one vector of the result at a time.
FailureOr<KernelInfo> mlir::vit::simt::emitPrepend(kernel::PrependOp op,
                                                   SimtBuilder &b) {
  auto shapes =
      getShapes(op, op.getInput().getType(), op.getResult().getType());
  if (failed(shapes))
    return failure();
  auto [input, shape] = *shapes;
  auto tokensType = op.getTokens().getType();
  auto encoding =
      dyn_cast_if_present<kernel::ChannelsAttr>(tokensType.getEncoding());
  if (!encoding)
    return op.emitOpError("needs #kernel.channels where its tokens have ")
           << tokensType << "; run vit-layout first";
  if (encoding.getGroup() != shape.group)
    return op.emitOpError("has layouts that do not fit: tokens ")
           << tokensType << ", result " << op.getResult().getType();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/2, shape);
  if (failed(epilogue))
    return failure();
  int64_t count = tokensType.getShape().front(), vectors = shape.vectors;
  unsigned result = op->getNumOperands();

  int64_t perUnit = b.threads() * kItemsPerThread;
  int64_t inputTokens = input.tokens, tokens = shape.tokens;
  forEachItem(b, b.mul(shape.rows(b), vectors), perUnit, [&](Value item) {
    Value row = b.div(item, vectors), vector = b.rem(item, vectors);
    Value image = b.div(row, tokens), token = b.rem(row, tokens);
    SmallVector<Value> channels = epilogue->loadChannels(vector);
    auto finish = [&](Value element) {
      b.store4(epilogue->apply(element, channels, row, vector, item), result,
               item);
    };
    b.ifThen(
        b.isLess(token, b.index(count)),
        [&] { finish(b.load4(1, b.add(b.mul(token, vectors), vector))); },
        [&] {
          Value from =
              b.add(b.mul(image, inputTokens), b.sub(token, b.index(count)));
          finish(b.load4(0, b.add(b.mul(from, vectors), vector)));
        });
  });
  return KernelInfo{shape.units(op.getContext(), vectors, perUnit),
                    noFlop(op.getContext())};
}

// A thread takes one vector of the result at a time.
FailureOr<KernelInfo> mlir::vit::simt::emitTake(kernel::TakeOp op,
                                                SimtBuilder &b) {
  auto shapes =
      getShapes(op, op.getInput().getType(), op.getResult().getType());
  if (failed(shapes))
    return failure();
  auto [input, shape] = *shapes;
  int64_t vectors = shape.vectors, perUnit = b.threads() * kItemsPerThread;
  int64_t inputTokens = input.tokens, tokens = shape.tokens;
  forEachItem(b, b.mul(shape.rows(b), vectors), perUnit, [&](Value item) {
    Value row = b.div(item, vectors), vector = b.rem(item, vectors);
    Value image = b.div(row, tokens), token = b.rem(row, tokens);
    Value from =
        b.add(b.mul(image, inputTokens), b.add(token, int64_t(op.getStart())));
    b.store4(b.load4(0, b.add(b.mul(from, vectors), vector)), 1, item);
  });
  return KernelInfo{shape.units(op.getContext(), vectors, perUnit),
                    noFlop(op.getContext())};
}

/// The sum of tokens `from`, from + step, ... of an image, of the vector whose
/// offset in token 0 is `base`. Four sums side by side: faster, more accurate.
static Value sumTokens(SimtBuilder &b, const Activation &input, Value base,
                       Value from, int64_t step) {
  constexpr int64_t parts = 4;
  Value tokens = b.index(input.tokens), zero = b.splat(0);
  // Tokens below this one have parts - 1 others of the same image behind them.
  Value last = b.index(std::max<int64_t>(0, input.tokens - (parts - 1) * step));
  auto load = [&](Value token) {
    return b.load4(0, b.add(base, b.mul(token, input.vectors)));
  };
  SmallVector<Value> sums =
      b.loop(from, last, parts * step, SmallVector<Value>(parts, zero),
             [&](Value token, ValueRange carried) {
               SmallVector<Value> next;
               for (int64_t part = 0; part < parts; ++part)
                 next.push_back(
                     b.addf(carried[part], load(b.add(token, part * step))));
               return next;
             });
  // What is left begins at the first token that the loop above did not reach.
  Value span = b.index(parts * step);
  Value count =
      b.div(b.add(b.sub(last, b.min(from, last)), parts * step - 1), span);
  Value rest = b.add(from, b.mul(count, parts * step));
  sums[0] =
      b.loop(rest, tokens, step, sums[0], [&](Value token, ValueRange carried) {
        return SmallVector<Value>{b.addf(carried[0], load(token))};
      })[0];
  return b.addf(b.addf(sums[0], sums[1]), b.addf(sums[2], sums[3]));
}

// `across` neighbouring vectors of an image's mean belong to one workgroup,
// whose threads share the tokens among them: all of them where sharing is dear,
// else as many threads per vector as there are, their sums added as a tree.
FailureOr<KernelInfo> mlir::vit::simt::emitMean(kernel::MeanOp op,
                                                SimtBuilder &b) {
  auto shapes =
      getShapes(op, op.getInput().getType(), op.getResult().getType());
  if (failed(shapes))
    return failure();
  auto [input, shape] = *shapes;
  int64_t start = op.getStart(), vectors = shape.vectors;
  int64_t imageVectors = input.tokens * input.vectors;
  Value scale = b.splat(1.0 / double(input.tokens - start));
  Value total = b.mul(b.batch(), vectors);
  auto getBase = [&](Value item) {
    return b.add(b.mul(b.div(item, vectors), imageVectors),
                 b.rem(item, vectors));
  };

  int64_t across = b.threads();
  if (b.level.isDirect) {
    forEachItem(b, total, across, [&](Value item) {
      Value sum = sumTokens(b, input, getBase(item), b.index(start), 1);
      b.store4(b.mulf(sum, scale), 1, item);
    });
  } else {
    across = std::min<int64_t>(16, across);
    int64_t parts = int64_t(llvm::bit_floor(uint64_t(b.threads() / across)));
    Value sums = b.allocateShared4(across * parts);
    Value part = b.div(b.thread(), across);
    Value item = b.add(b.mul(b.unit(), across), b.rem(b.thread(), across));
    // Threads beyond the last vector work for it again and store nothing, those
    // beyond the last part keep their sums.
    Value known = b.min(item, b.sub(total, b.index(1)));
    Value sum = sumTokens(b, input, getBase(known), b.add(part, start), parts);
    Value takesPart = b.isLess(part, b.index(parts));
    b.ifThen(takesPart, [&] { b.storeShared(sum, sums, b.thread()); });
    b.barrier();
    for (int64_t half = parts / 2; half >= 1; half /= 2) {
      b.ifThen(b.isLess(part, b.index(half)), [&] {
        Value mine = b.loadShared(sums, b.thread());
        Value other = b.loadShared(sums, b.add(b.thread(), half * across));
        b.storeShared(b.addf(mine, other), sums, b.thread());
      });
      b.barrier();
    }
    Value stores =
        b.both(b.isLess(b.thread(), b.index(across)), b.isLess(item, total));
    b.ifThen(stores, [&] {
      b.store4(b.mulf(b.loadShared(sums, b.thread()), scale), 1, item);
    });
  }
  return KernelInfo{shape.units(op.getContext(), vectors, across),
                    noFlop(op.getContext())};
}
