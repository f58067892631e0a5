//===- TokensBackward.cpp - Adjoints of take and mean ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

/// Each of the `count` tokens from `start` on becomes `function` of its row in
/// the input, or of the only row of its image. All other tokens become zero.
static FailureOr<KernelInfo> emitTokens(Operation *op, KernelBuilder &b,
                                        int64_t start, int64_t count,
                                        function_ref<Value(Value)> function) {
  auto inputType = cast<RankedTensorType>(op->getOperand(0).getType());
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  FailureOr<Blocked> input = Blocked::get(op, inputType);
  FailureOr<Blocked> shape = Blocked::get(op, resultType);
  if (failed(input) || failed(shape))
    return failure();
  if (input->group != shape->group)
    return op->emitOpError("has layouts that do not fit: input ")
           << inputType << ", result " << resultType;
  Value result = b.argument(1);
  forEachResultRow(
      b, *shape, result, [&](Value image, Value token, Value offset) {
        auto store = [&](function_ref<Value(Value v)> getVector) {
          b.loop(0, shape->channelBlocks, [&](Value v) {
            b.store(getVector(v), result,
                    b.add(offset, b.mul(v, shape->vectorElements())));
          });
        };
        Value isInside =
            arith::AndIOp::create(b, b.isAtLeast(token, b.index(start)),
                                  b.isLess(token, b.index(start + count)));
        b.ifThen(
            isInside,
            [&] {
              Value row =
                  input->isPerImage() ? b.sub(token, b.index(start)) : image;
              Value from = getRowOffset(b, *input, image, row);
              store([&](Value v) {
                Value at = b.add(from, b.mul(v, input->vectorElements()));
                return function(b.load(b.argument(0), at));
              });
            },
            [&] { store([&](Value) { return b.splat(0); }); });
      });
  return getRowBlockInfo(resultType);
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
