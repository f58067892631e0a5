//===- Map.cpp - Element by element -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

// A thread takes one vector at a time.
FailureOr<KernelInfo> mlir::vit::simt::emitMap(kernel::MapOp op,
                                               SimtBuilder &b) {
  FailureOr<Activation> input = Activation::get(op, op.getInput().getType());
  FailureOr<Activation> shape = Activation::get(op, op.getResult().getType());
  if (failed(input) || failed(shape))
    return failure();
  if (input->group != shape->group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), /*firstExtra=*/1, *shape);
  if (failed(epilogue))
    return failure();
  unsigned result = op->getNumOperands();

  int64_t perUnit = b.threads() * kItemsPerThread;
  Value total = b.mul(shape->rows(b), shape->vectors);
  forEachItem(b, total, perUnit, [&](Value item) {
    Value row = b.div(item, shape->vectors);
    Value vector = b.rem(item, shape->vectors);
    Value value = epilogue->apply(
        b.load4(0, item), epilogue->loadChannels(vector), row, vector, item);
    b.store4(value, result, item);
  });
  KernelInfo info;
  info.units = shape->units(op.getContext(), shape->vectors, perUnit);
  info.flop = noFlop(op.getContext());
  return info;
}
