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
using namespace mlir::vit::cpu;

// A work unit is the row of one head and one query.
FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::PackRelativePositionsOp op,
                                           KernelBuilder &b) {
  if (failed(verifyFlat(op, op.getSource().getType())) ||
      failed(verifyFlat(op, op.getType())))
    return failure();
  RelativePositionsCode code(b, op.getGrid(), op.getPrefix());
  int64_t heads = op.getType().getDimSize(0), tokens = code.tokens();
  int64_t tables = op.getSource().getType().getDimSize(0) / code.rows();
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value head = b.div(unit, tokens), query = b.rem(unit, tokens);
    b.loop(0, tokens, [&](Value key) {
      Value at = b.add(b.mul(code.getRow(query, key), heads), head);
      Value sum = b.loadScalar(b.argument(0), at);
      for (int64_t table = 1; table < tables; ++table)
        sum = b.addf(sum, b.loadScalar(b.argument(0),
                                       b.add(at, table * code.rows() * heads)));
      b.storeScalar(sum, b.argument(1), b.add(b.mul(unit, tokens), key));
    });
  });
  zeroTail(b, op.getResult(), b.argument(1));
  return withoutBatch(op, heads * tokens);
}

// A work unit is one row of the table.
FailureOr<KernelInfo>
mlir::vit::cpu::emit(kernel::RelativePositionsBackwardOp op, KernelBuilder &b) {
  if (failed(verifyFlat(op, op.getGradient().getType())) ||
      failed(verifyFlat(op, op.getType())))
    return failure();
  RelativePositionsCode code(b, op.getGrid(), op.getPrefix());
  int64_t heads = op.getType().getDimSize(1), tokens = code.tokens();
  b.loop(b.begin(), b.end(), [&](Value row) {
    b.loop(0, heads, [&](Value head) {
      Value base = b.mul(head, tokens * tokens);
      Value sum = code.sumPairs(row, [&](Value element) {
        return b.loadScalar(b.argument(0), b.add(base, element));
      });
      b.storeScalar(sum, b.argument(1), b.add(b.mul(row, heads), head));
    });
  });
  zeroTail(b, op.getResult(), b.argument(1));
  return withoutBatch(op, code.rows());
}
