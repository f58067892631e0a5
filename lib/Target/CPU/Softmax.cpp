//===- Softmax.cpp - From scores to weights -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

SmallVector<Value> Softmax::getBiasRows(const RowBlock &block, Value head) {
  SmallVector<Value> offsets;
  for (int64_t row = 0; row < rows; ++row) {
    Value token = getRow(b, query, block, row);
    if (block.firstRow || query.mayBePadding(row))
      token = b.min(token, b.index(query.tokens - 1));
    offsets.push_back(b.mul(b.add(b.mul(head, query.tokens), token), keys));
  }
  return offsets;
}

SmallVector<Value> Softmax::computeExponentials(const RowBlock &block,
                                                Value base, Value target,
                                                Value head) {
  SmallVector<Value> biasRows;
  if (op.getBias())
    biasRows = getBiasRows(block, head);
  // With a bias the first pass scales the scores.
  double scale = op.getScale().convertToDouble();
  double factor = op.getBias() ? kLog2E : scale * kLog2E;
  // exp(scale (s - m)) = 2^(factor s - factor m), where m is the score with the
  // largest scale * s.
  Reduction kind = factor < 0 ? Reduction::Min : Reduction::Max;
  double worst = factor < 0 ? std::numeric_limits<double>::infinity()
                            : -std::numeric_limits<double>::infinity();
  auto at = [&](Value vector, int64_t row) {
    return b.add(b.add(base, b.mul(vector, kVectorLanes)), row * scoreRow);
  };
  auto weightAt = [&](Value vector, int64_t row) {
    return b.add(b.add(target, b.mul(vector, kVectorLanes)), row * weightRow);
  };
  auto visitScores = [&](double start,
                         function_ref<Value(Value vector, int64_t row,
                                            int64_t lanes, Value carried)>
                             body) {
    return forEachVector(b, keys, Carried(rows, b.splat(start)),
                         [&](Value vector, int64_t lanes, Carried carried) {
                           for (int64_t row = 0; row < rows; ++row)
                             carried[row] =
                                 body(vector, row, lanes, carried[row]);
                           return carried;
                         });
  };

  SmallVector<Value> best = visitScores(
      worst, [&](Value vector, int64_t row, int64_t lanes, Value carried) {
        Value s = b.load(scores, at(vector, row));
        if (op.getBias()) {
          Value from = b.add(biasRows[row], b.mul(vector, kVectorLanes));
          s = b.fma(s, b.splat(scale), b.loadLanes(b.argument(3), from, lanes));
          b.store(s, scores, at(vector, row));
        }
        return b.combine(kind, b.keepLanes(s, lanes, worst), carried);
      });
  for (Value &value : best) {
    Value scalar = b.reduce(kind, value);
    value = b.negf(b.mulf(b.broadcast(scalar), b.splat(factor)));
  }
  SmallVector<Value> sums = visitScores(0, [&](Value vector, int64_t row,
                                               int64_t lanes, Value carried) {
    Value s = b.load(scores, at(vector, row));
    Value power = emitExp2OfNegative(b, b.fma(s, b.splat(factor), best[row]));
    power = b.roundTo(b.keepLanes(power, lanes), weightType);
    b.store(power, weights, weightAt(vector, row));
    return b.combine(Reduction::Add, carried, power);
  });
  // Clear the weights of padded keys after the last vector that has a token.
  for (int64_t v = llvm::divideCeil(keys, kVectorLanes);
       v < weightRow / kVectorLanes; ++v)
    for (int64_t row = 0; row < rows; ++row)
      b.store(b.splat(0), weights, weightAt(b.index(v), row));
  Value one = b.scalar(1);
  for (Value &sum : sums)
    sum = b.broadcast(b.divf(one, b.reduce(Reduction::Add, sum)));
  return sums;
}

void Softmax::storeProbabilities(const RowBlock &block, Value base, Value image,
                                 Value head, ArrayRef<Value> factors) {
  Value target = b.argument(op->getNumOperands() + 1);
  Value matrix =
      b.mul(b.add(b.mul(image, int64_t(op.getHeads())), head), query.tokens);
  for (int64_t row = 0; row < rows; ++row) {
    Value token = getRow(b, query, block, row);
    auto storeRow = [&] {
      Value to = b.mul(b.add(matrix, token), keys);
      forEachVector(b, keys, {}, [&](Value v, int64_t lanes, Carried) {
        Value offset = b.mul(v, kVectorLanes);
        Value from = b.add(b.add(base, offset), row * weightRow);
        Value p = b.load(weights, from);
        b.storeLanes(b.mulf(p, factors[row]), target, b.add(to, offset), lanes);
        return Carried();
      });
    };
    if (block.firstRow || query.mayBePadding(row))
      b.ifThen(b.isLess(token, b.index(query.tokens)), storeRow);
    else
      storeRow();
  }
}

SmallVector<Value> Softmax::apply(const RowBlock &block, Value base,
                                  Value target, Value image, Value head) {
  SmallVector<Value> factors = computeExponentials(block, base, target, head);
  if (op.getProbabilities())
    storeProbabilities(block, target, image, head, factors);
  return factors;
}
