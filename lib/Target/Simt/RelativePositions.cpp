//===- RelativePositions.cpp - Biases of attention and their tables -------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Common/RelativePositions.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::PackRelativePositionsOp op,
                                            SimtBuilder &b) {
  if (failed(Activation::getFlat(op, op.getSource().getType())) ||
      failed(Activation::getFlat(op, op.getType())))
    return failure();
  b.useScalars();
  RelativePositionsCode code(b, op.getGrid(), op.getPrefix());
  int64_t heads = op.getType().getDimSize(0), tokens = code.tokens();
  int64_t tables = op.getSource().getType().getDimSize(0) / code.rows();
  int64_t total = heads * tokens * tokens;
  KernelInfo info = emitPerItem(op, b, total, [&](Value item) {
    Value head = b.div(item, tokens * tokens);
    Value pair = b.rem(item, tokens * tokens);
    Value row = code.getRow(b.div(pair, tokens), b.rem(pair, tokens));
    Value at = b.add(b.mul(row, heads), head);
    Value sum = b.load(0, at);
    for (int64_t table = 1; table < tables; ++table)
      sum = b.addf(sum, b.load(0, b.add(at, table * code.rows() * heads)));
    b.store(sum, 1, item);
  });
  storeZeroTail(b, 1, total);
  return info;
}

FailureOr<KernelInfo>
mlir::vit::simt::emit(kernel::RelativePositionsBackwardOp op, SimtBuilder &b) {
  if (failed(Activation::getFlat(op, op.getGradient().getType())) ||
      failed(Activation::getFlat(op, op.getType())))
    return failure();
  b.useScalars();
  RelativePositionsCode code(b, op.getGrid(), op.getPrefix());
  int64_t heads = op.getType().getDimSize(1), tokens = code.tokens();
  int64_t total = heads * code.rows();
  KernelInfo info = emitPerItem(op, b, total, [&](Value item) {
    Value base = b.mul(b.rem(item, heads), tokens * tokens);
    Value sum = code.sumPairs(b.div(item, heads), [&](Value element) {
      return b.load(0, b.add(base, element));
    });
    b.store(sum, 1, item);
  });
  storeZeroTail(b, 1, total);
  return info;
}
