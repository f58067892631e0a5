//===- Map.cpp - Element by element ---------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

// Emits a map of values without a batch. A thread takes one vector at a time.
static FailureOr<KernelInfo> emitFlatMap(kernel::MapOp op, SimtBuilder &b) {
  FailureOr<Activation> shape =
      Activation::getFlat(op, op.getResult().getType());
  if (failed(shape) || failed(verifyRegion(op, op->getRegion(0))))
    return failure();
  for (Value operand : op->getOperands()) {
    FailureOr<Activation> other = Activation::getFlat(op, operand.getType());
    if (failed(other))
      return failure();
    if (other->width != shape->width && other->width != 1)
      return op.emitOpError("has an operand of ")
             << operand.getType() << " where its result is "
             << op.getResult().getType();
  }
  unsigned result = op->getNumOperands();
  if (op.getResult().getType().getRank() == 0) {
    // The value is a single number.
    b.useScalars();
    b.ifThen(b.isEqual(b.thread(), b.index(0)), [&] {
      SmallVector<Value> arguments;
      for (unsigned i = 0; i < result; ++i)
        arguments.push_back(b.load(i, b.index(0)));
      b.store(inlineEpilogue(b, op->getRegion(0), arguments), result,
              b.index(0));
    });
    return withoutBatch(op, 1);
  }
  return emitPerItem(op, b, shape->vectors, [&](Value item) {
    SmallVector<Value> arguments;
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      RankedTensorType type = tensorOf(operand);
      arguments.push_back(type.getNumElements() == shape->width
                              ? b.load4(i, item)
                              : b.broadcast(b.load(i, b.index(0))));
    }
    Value value = inlineEpilogue(b, op->getRegion(0), arguments);
    b.store4(maskChannels(b, *shape, item, value), result, item);
  });
}

// A thread takes one vector at a time.
FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::MapOp op, SimtBuilder &b) {
  if (op.getResult().getType().hasStaticShape())
    return emitFlatMap(op, b);
  auto layouts = InputAndResult::get(op);
  if (failed(layouts))
    return failure();
  const Activation &shape = layouts->result;
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/1, shape);
  if (failed(epilogue))
    return failure();
  unsigned result = op->getNumOperands();
  return emitPerVector(op, b, shape, [&](Value item, Value row, Value vector) {
    Value value = epilogue->apply(
        b.load4(0, item), epilogue->loadChannels(vector), row, vector, item);
    b.store4(value, result, item);
  });
}
