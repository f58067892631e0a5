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
  forEachResultRow(
      b, *shape, result, [&](Value image, Value token, Value offset) {
        b.ifThen(
            b.isLess(token, b.index(count)),
            [&] {
              copy(b.argument(1),
                   b.mul(token, shape->channelBlocks * kChannelPad),
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

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::TakeOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> input = Blocked::get(op, op.getInput().getType());
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  if (input->group != shape->group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  Value result = b.argument(1);
  forEachResultRow(
      b, *shape, result, [&](Value image, Value token, Value offset) {
        Value from = getRowOffset(b, *input, image,
                                  b.add(token, int64_t(op.getStart())));
        b.loop(0, shape->channelBlocks, [&](Value v) {
          Value element = b.load(
              b.argument(0), b.add(from, b.mul(v, input->vectorElements())));
          b.store(element, result,
                  b.add(offset, b.mul(v, shape->vectorElements())));
        });
      });
  return getRowBlockInfo(op.getResult().getType());
}

// A work unit is one channel vector of one row block of images. There are
// `rows` partial sums, one per row of a block, which is both fast and accurate.
FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::MeanOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> input = Blocked::get(op, op.getInput().getType());
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  if (input->group != shape->group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  int64_t start = op.getStart();
  Value scale = b.splat(1.0 / double(input->tokens - start));
  Value result = b.argument(1);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value block = b.div(unit, shape->channelBlocks);
    Value channel = b.rem(unit, shape->channelBlocks);
    b.loop(0, shape->rows, [&](Value row) {
      Value image = b.add(b.mul(block, shape->rows), row);
      Value at = b.add(b.mul(block, shape->blockElements()),
                       b.add(b.mul(channel, shape->vectorElements()),
                             b.mul(row, kChannelPad)));
      auto mean = [&] {
        Value base =
            b.add(b.mul(image, input->blocksPerImage * input->blockElements()),
                  b.mul(channel, input->vectorElements()));
        // Padded rows are zero. Tokens before `start` are in the first blocks.
        int64_t firstBlock = start / input->rows;
        SmallVector<Value> sums;
        for (int64_t r = 0; r < input->rows; ++r)
          sums.push_back(
              r < start % input->rows
                  ? b.splat(0)
                  : b.load(b.argument(0),
                           b.add(base, firstBlock * input->blockElements() +
                                           r * kChannelPad)));
        sums =
            b.loop(b.index(firstBlock + 1), b.index(input->blocksPerImage), 1,
                   sums, [&](Value i, ValueRange carried) {
                     SmallVector<Value> next;
                     Value from = b.add(base, b.mul(i, input->blockElements()));
                     for (int64_t r = 0; r < input->rows; ++r) {
                       Value x =
                           b.load(b.argument(0), b.add(from, r * kChannelPad));
                       next.push_back(b.addf(carried[r], x));
                     }
                     return next;
                   });
        b.store(b.mulf(addPairwise(b, sums), scale), result, at);
      };
      b.ifThen(b.isLess(image, b.batch()), mean,
               [&] { b.store(b.splat(0), result, at); });
    });
  });
  kernel::ExtentAttr blocks = kernel::getRowBlocks(op.getResult().getType());
  KernelInfo info;
  info.units = kernel::ExtentAttr::get(op.getContext(),
                                       blocks.getTimes() * shape->channelBlocks,
                                       blocks.getOf(), blocks.getPer());
  info.flop = kernel::ExtentAttr::get(op.getContext(), 0, 1, 1);
  return info;
}
