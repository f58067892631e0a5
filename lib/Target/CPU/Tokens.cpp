//===- Tokens.cpp - Tokens in front, some tokens, their mean --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::PrependOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> input = Blocked::get(op, op.getInput().getType());
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  auto tokensType = op.getTokens().getType();
  auto tokens =
      dyn_cast_if_present<kernel::ChannelsAttr>(tokensType.getEncoding());
  if (!tokens)
    return op.emitOpError("needs #kernel.channels where its tokens have ")
           << tokensType << "; run vit-layout first";
  if (input->group != shape->group || tokens.getGroup() != shape->group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", tokens " << tokensType
           << ", result " << op.getResult().getType();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/2, *shape);
  if (failed(epilogue))
    return failure();
  int64_t count = tokensType.getShape().front();
  Value result = b.argument(op->getNumOperands());

  auto copy = [&](Value buffer, Value from, int64_t stride, Value token,
                  Value offset) {
    b.loop(0, shape->channelBlocks, [&](Value v) {
      Value at = b.add(offset, b.mul(v, shape->vectorElements()));
      Value element = b.load(buffer, b.add(from, b.mul(v, stride)));
      b.store(epilogue->apply(element, epilogue->loadChannels(v), token, v, at),
              result, at);
    });
  };
  forEachRow(b, *shape, result, [&](Value image, Value token, Value offset) {
    b.ifThen(
        b.isLess(token, b.index(count)),
        [&] {
          copy(b.argument(1), b.mul(token, shape->channelBlocks * kChannelPad),
               kChannelPad, token, offset);
        },
        [&] {
          Value from =
              getRowOffset(b, *input, image, b.sub(token, b.index(count)));
          copy(b.argument(0), from, input->vectorElements(), token, offset);
        });
  });
  return getRowBlockInfo(op.getResult().getType());
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::RepeatOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(shape))
    return failure();
  auto tokens = dyn_cast_if_present<kernel::ChannelsAttr>(
      op.getTokens().getType().getEncoding());
  if (!tokens || tokens.getGroup() != shape->group)
    return op.emitOpError("needs #kernel.channels with the groups of its "
                          "result where its tokens have ")
           << op.getTokens().getType() << "; run vit-layout first";
  Value result = b.argument(op->getNumOperands());
  forEachRow(b, *shape, result, [&](Value, Value token, Value offset) {
    Value from = b.mul(token, shape->channelBlocks * kChannelPad);
    b.loop(0, shape->channelBlocks, [&](Value v) {
      Value element = b.load(b.argument(0), b.add(from, b.mul(v, kChannelPad)));
      b.store(element, result,
              b.add(offset, b.mul(v, shape->vectorElements())));
    });
  });
  return getRowBlockInfo(op.getResult().getType());
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::TakeOp op,
                                           KernelBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Blocked &input = layouts->input, &shape = layouts->result;
  Value result = b.argument(1);
  forEachRow(b, shape, result, [&](Value image, Value token, Value offset) {
    Value from =
        getRowOffset(b, input, image, b.add(token, int64_t(op.getStart())));
    b.loop(0, shape.channelBlocks, [&](Value v) {
      Value element =
          b.load(b.argument(0), b.add(from, b.mul(v, input.vectorElements())));
      b.store(element, result, b.add(offset, b.mul(v, shape.vectorElements())));
    });
  });
  return getRowBlockInfo(op.getResult().getType());
}

// There are `rows` partial sums, one per row of a block, which is both fast and
// accurate.
FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::MeanOp op,
                                           KernelBuilder &b) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Blocked &input = layouts->input;
  int64_t start = op.getStart();
  Value scale = b.splat(1.0 / double(input.tokens - start));
  return emitPerImage(op, b, *layouts, [&](Value base) {
    // Padded rows are zero. Tokens before `start` are in the first blocks.
    int64_t firstBlock = start / input.rows;
    SmallVector<Value> sums;
    for (int64_t r = 0; r < input.rows; ++r)
      sums.push_back(
          r < start % input.rows
              ? b.splat(0)
              : b.load(b.argument(0),
                       b.add(base, firstBlock * input.blockElements() +
                                       r * kChannelPad)));
    sums = b.loop(b.index(firstBlock + 1), b.index(input.blocksPerImage), 1,
                  sums, [&](Value i, ValueRange carried) {
                    SmallVector<Value> next;
                    Value from = b.add(base, b.mul(i, input.blockElements()));
                    for (int64_t r = 0; r < input.rows; ++r) {
                      Value x =
                          b.load(b.argument(0), b.add(from, r * kChannelPad));
                      next.push_back(b.addf(carried[r], x));
                    }
                    return next;
                  });
    return b.mulf(addPairwise(b, sums), scale);
  });
}

//===----------------------------------------------------------------------===//
// Adjoints
//===----------------------------------------------------------------------===//

/// Each of the `count` tokens from `start` on becomes `function` of its row in
/// the input, or of the only row of its image. All other tokens become zero.
static FailureOr<KernelInfo> emitTokens(Operation *op, KernelBuilder &b,
                                        int64_t start, int64_t count,
                                        function_ref<Value(Value)> function) {
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Blocked &input = layouts->input, &shape = layouts->result;
  Value result = b.argument(1);
  forEachRow(b, shape, result, [&](Value image, Value token, Value offset) {
    auto store = [&](function_ref<Value(Value v)> getVector) {
      b.loop(0, shape.channelBlocks, [&](Value v) {
        b.store(getVector(v), result,
                b.add(offset, b.mul(v, shape.vectorElements())));
      });
    };
    Value isInside = b.both(b.isAtLeast(token, b.index(start)),
                            b.isLess(token, b.index(start + count)));
    b.ifThen(
        isInside,
        [&] {
          Value row = input.isPerImage() ? b.sub(token, b.index(start)) : image;
          Value from = getRowOffset(b, input, image, row);
          store([&](Value v) {
            Value at = b.add(from, b.mul(v, input.vectorElements()));
            return function(b.load(b.argument(0), at));
          });
        },
        [&] { store([&](Value) { return b.splat(0); }); });
  });
  return getRowBlockInfo(tensorOf(op->getResult(0)));
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::PlaceOp op,
                                           KernelBuilder &b) {
  RankedTensorType input = op.getInput().getType();
  return emitTokens(op.getOperation(), b, op.getStart(),
                    input.getRank() == 3 ? input.getDimSize(1) : 1,
                    [](Value x) { return x; });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::SpreadOp op,
                                           KernelBuilder &b) {
  int64_t start = op.getStart();
  int64_t count = op.getResult().getType().getDimSize(1) - start;
  return emitTokens(op.getOperation(), b, start, count, [&](Value x) {
    return b.mulf(x, b.splat(1.0 / double(count)));
  });
}
