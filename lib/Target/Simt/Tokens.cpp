//===- Tokens.cpp - Tokens in front, some tokens, their adjoints ----------===//
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
FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::PrependOp op,
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
FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::TakeOp op, SimtBuilder &b) {
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

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::MeanOp op, SimtBuilder &b) {
  auto shapes =
      getShapes(op, op.getInput().getType(), op.getResult().getType());
  if (failed(shapes))
    return failure();
  auto [input, shape] = *shapes;
  int64_t start = op.getStart();
  return emitTokenSums(b, input, start, 1.0 / double(input.tokens - start));
}

// A thread takes one vector of the result at a time.
FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::PlaceOp op,
                                            SimtBuilder &b) {
  auto shapes =
      getShapes(op, op.getInput().getType(), op.getResult().getType());
  if (failed(shapes))
    return failure();
  auto [input, shape] = *shapes;
  int64_t vectors = shape.vectors, perUnit = b.threads() * kItemsPerThread;
  int64_t start = op.getStart(), count = input.tokens, tokens = shape.tokens;
  forEachItem(b, b.mul(shape.rows(b), vectors), perUnit, [&](Value item) {
    Value row = b.div(item, vectors), vector = b.rem(item, vectors);
    Value image = b.div(row, tokens), token = b.rem(row, tokens);
    Value isPlaced = b.both(b.isAtLeast(token, b.index(start)),
                            b.isLess(token, b.index(start + count)));
    b.ifThen(
        isPlaced,
        [&] {
          Value from = b.add(b.mul(image, count), b.sub(token, b.index(start)));
          b.store4(b.load4(0, b.add(b.mul(from, vectors), vector)), 1, item);
        },
        [&] { b.store4(b.splat(0), 1, item); });
  });
  return KernelInfo{shape.units(op.getContext(), vectors, perUnit),
                    noFlop(op.getContext())};
}

// A thread takes one vector of the result at a time.
FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::SpreadOp op,
                                            SimtBuilder &b) {
  auto shapes =
      getShapes(op, op.getInput().getType(), op.getResult().getType());
  if (failed(shapes))
    return failure();
  auto [input, shape] = *shapes;
  int64_t vectors = shape.vectors, perUnit = b.threads() * kItemsPerThread;
  int64_t start = op.getStart(), tokens = shape.tokens;
  Value scale = b.splat(1.0 / double(tokens - start));
  forEachItem(b, b.mul(shape.rows(b), vectors), perUnit, [&](Value item) {
    Value row = b.div(item, vectors), vector = b.rem(item, vectors);
    Value image = b.div(row, tokens), token = b.rem(row, tokens);
    Value share =
        b.mulf(b.load4(0, b.add(b.mul(image, vectors), vector)), scale);
    b.store4(b.select(b.isAtLeast(token, b.index(start)), share, b.splat(0)), 1,
             item);
  });
  return KernelInfo{shape.units(op.getContext(), vectors, perUnit),
                    noFlop(op.getContext())};
}
