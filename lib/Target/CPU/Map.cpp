//===- Map.cpp - Element by element ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

// A work unit is one row block.
FailureOr<KernelInfo> mlir::vit::cpu::emitMap(kernel::MapOp op,
                                              KernelBuilder &b) {
  FailureOr<Blocked> input = Blocked::get(op, op.getInput().getType());
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  if (input->rows != shape->rows || input->group != shape->group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/1, *shape);
  if (failed(epilogue))
    return failure();
  Value result = b.argument(op->getNumOperands());

  b.loop(b.begin(), b.end(), [&](Value i) {
    RowBlock block = getRowBlock(b, *shape, i);
    b.loop(0, shape->channelBlocks, [&](Value channel) {
      Value offset = b.add(block.base, b.mul(channel, shape->vectorElements()));
      SmallVector<Value> channels = epilogue->loadChannels(channel);
      for (int64_t row = 0; row < shape->rows; ++row) {
        Value at = b.add(offset, row * kLanes);
        Value value = epilogue->apply(b.load(b.argument(0), at), channels,
                                      block, row, channel, at);
        b.store(zeroPaddedRow(b, *shape, block, row, value), result, at);
      }
    });
  });
  KernelInfo info;
  info.units = kernel::getRowBlocks(op.getResult().getType());
  info.flop = kernel::ExtentAttr::get(op.getContext(), 0, 1, 1);
  return info;
}
