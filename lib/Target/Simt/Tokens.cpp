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

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::PrependOp op,
                                            SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &input = layouts->input, &shape = layouts->result;
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

  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value image = b.div(row, shape.tokens), token = b.rem(row, shape.tokens);
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
              b.add(b.mul(image, input.tokens), b.sub(token, b.index(count)));
          finish(b.load4(0, b.add(b.mul(from, vectors), vector)));
        });
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::RepeatOp op,
                                            SimtBuilder &b) {
  FailureOr<Activation> shape = Activation::get(op, op.getResult().getType());
  if (failed(shape))
    return failure();
  auto encoding = dyn_cast_if_present<kernel::ChannelsAttr>(
      op.getTokens().getType().getEncoding());
  if (!encoding || encoding.getGroup() != shape->group)
    return op.emitOpError("needs #kernel.channels with the groups of its "
                          "result where its tokens have ")
           << op.getTokens().getType() << "; run vit-layout first";
  unsigned result = op->getNumOperands();
  return emitPerVector(op, b, *shape, [&](Value item, Value row, Value vector) {
    Value token = b.rem(row, shape->tokens);
    b.store4(b.load4(0, b.add(b.mul(token, shape->vectors), vector)), result,
             item);
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::TakeOp op, SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &input = layouts->input, &shape = layouts->result;
  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value image = b.div(row, shape.tokens), token = b.rem(row, shape.tokens);
    Value from =
        b.add(b.mul(image, input.tokens), b.add(token, int64_t(op.getStart())));
    b.store4(b.load4(0, b.add(b.mul(from, shape.vectors), vector)), 1, item);
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::MeanOp op, SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &input = layouts->input;
  int64_t start = op.getStart();
  return emitTokenSums(b, input, start, 1.0 / double(input.tokens - start));
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::PlaceOp op,
                                            SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &input = layouts->input, &shape = layouts->result;
  int64_t start = op.getStart(), count = input.tokens;
  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value image = b.div(row, shape.tokens), token = b.rem(row, shape.tokens);
    Value isPlaced = b.both(b.isAtLeast(token, b.index(start)),
                            b.isLess(token, b.index(start + count)));
    b.ifThen(
        isPlaced,
        [&] {
          Value from = b.add(b.mul(image, count), b.sub(token, b.index(start)));
          b.store4(b.load4(0, b.add(b.mul(from, shape.vectors), vector)), 1,
                   item);
        },
        [&] { b.store4(b.splat(0), 1, item); });
  });
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::SpreadOp op,
                                            SimtBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &shape = layouts->result;
  int64_t start = op.getStart();
  Value scale = b.splat(1.0 / double(shape.tokens - start));
  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value image = b.div(row, shape.tokens), token = b.rem(row, shape.tokens);
    Value share =
        b.mulf(b.load4(0, b.add(b.mul(image, shape.vectors), vector)), scale);
    b.store4(b.select(b.isAtLeast(token, b.index(start)), share, b.splat(0)), 1,
             item);
  });
}
