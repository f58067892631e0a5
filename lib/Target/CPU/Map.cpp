//===- Map.cpp - Element by element ---------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

/// The number of elements of a work unit.
static constexpr int64_t kRun = 4096;

/// Emits a map of row-major values without a batch. A work unit is a run of
/// elements. Operands have the shape of the result or a single element.
static FailureOr<KernelInfo> emitFlatMap(kernel::MapOp op, KernelBuilder &b) {
  RankedTensorType type = op.getResult().getType();
  for (Type operand :
       llvm::concat<const Type>(op->getOperandTypes(), op->getResultTypes()))
    if (failed(verifyFlat(op, operand)))
      return failure();
  if (failed(verifyRegion(op, op.getEpilogue())))
    return failure();
  int64_t elements = type.getNumElements();
  auto hasOneElement = [](Value value) {
    return tensorOf(value).getNumElements() == 1;
  };
  for (Value operand : op->getOperands())
    if (!hasOneElement(operand) &&
        tensorOf(operand).getNumElements() != elements)
      return op.emitOpError("has an operand ")
             << operand.getType() << " that does not fit " << type;
  Value result = b.argument(op->getNumOperands());

  auto visit = [&](Value at, int64_t lanes) {
    SmallVector<Value> values;
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      Value buffer = b.argument(i);
      values.push_back(hasOneElement(operand)
                           ? b.broadcast(b.loadScalar(buffer, b.index(0)))
                           : b.loadLanes(buffer, at, lanes));
    }
    b.storeLanes(inlineEpilogue(b, op.getEpilogue(), values), result, at,
                 lanes);
  };
  int64_t whole = elements / kVectorLanes * kVectorLanes;
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value first = b.mul(unit, kRun), next = b.add(first, kRun);
    b.loop(first, b.min(next, b.index(whole)), kVectorLanes,
           [&](Value at) { visit(at, kVectorLanes); });
    if (whole != elements)
      b.ifThen(b.isLess(b.index(whole), next),
               [&] { visit(b.index(whole), elements - whole); });
  });
  zeroTail(b, op.getResult(), result);
  return withoutBatch(op, llvm::divideCeil(elements, kRun));
}

// If there is a batch, a work unit is one row block.
FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::MapOp op, KernelBuilder &b) {
  if (op.getResult().getType().hasStaticShape())
    return emitFlatMap(op, b);
  auto layouts = InputAndResult::get(op, /*rows=*/true, Elements::Integer);
  if (failed(layouts))
    return failure();
  const Blocked &input = layouts->input, &shape = layouts->result;
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/1, shape);
  if (failed(epilogue))
    return failure();
  Value result = b.argument(op->getNumOperands());

  b.loop(b.begin(), b.end(), [&](Value i) {
    forEachStrip(
        b, input, getRowBlock(b, input, i), [&](const RowBlock &strip) {
          Value to = getStripBase(b, shape, strip);
          b.loop(0, input.channelBlocks, [&](Value channel) {
            Value offset = b.add(strip.base, input.vectorOffset(b, channel));
            SmallVector<Value> channels = epilogue->loadChannels(channel);
            for (int64_t row = 0; row < stripRows(input); ++row) {
              Value at = b.add(offset, row * kChannelPad);
              Value value = epilogue->apply(b.load(b.argument(0), at), channels,
                                            strip, row, channel, at);
              storeVector(b, shape, zeroPaddedRow(b, shape, strip, row, value),
                          result, to, row, channel);
            }
          });
        });
  });
  return getRowBlockInfo(op.getResult().getType());
}
