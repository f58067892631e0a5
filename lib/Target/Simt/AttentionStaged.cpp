//===- AttentionStaged.cpp - Attention through workgroup memory -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Workgroup memory holds the queries, a block of keys (later of values), the
// scores of the block and their exponentials. A thread computes the scores of
// two queries with every eighth key. For everything else, four threads share a
// query: each takes a quarter of the keys of the block for the exponentials,
// and a quarter of the vectors of the head for the sums.
//
//===----------------------------------------------------------------------===//

#include "../Common/Math.h"
#include "Attention.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = SimtBuilder::Reduction;

namespace {
struct Staged {
  Attention &a;
  SimtBuilder &b;
  int64_t rows, chunk, threads;
  int64_t stride;  ///< vectors from one key or value to the next, so that
                   ///< eight keys are in different banks
  int64_t ownKeys; ///< keys of a block whose exponentials a thread computes
  int64_t ownSums; ///< vectors of the result that a thread sums
  Value queries, block, scores, powers; ///< workgroup memory
  Value row, quarter;                   ///< those of the thread
  Value token;                          ///< the query of the thread

  explicit Staged(Attention &a);
  void copyQueries();
  void copyBlock(Attention::Argument argument, Value first);
  void makeScores(Value first);
  SmallVector<Value> makePowers(Value first, ArrayRef<Value> carried);
  void addValues(MutableArrayRef<Value> sums);
  void emit();
};
} // namespace

Staged::Staged(Attention &a)
    : a(a), b(a.b), rows(a.tile.getRows()), chunk(a.tile.getChunk()),
      threads(a.tile.getThreads()), stride(a.vectors + 1), ownKeys(chunk / 4),
      ownSums(a.vectors / 4) {
  queries = b.allocateShared4(rows * a.vectors);
  block = b.allocateShared4(chunk * stride);
  scores = b.allocateShared(rows * (chunk + 1));
  powers = b.allocateShared4(rows * chunk / kVectorLanes);
  row = b.div(b.thread(), 4);
  quarter = b.rem(b.thread(), 4);
  token = b.add(a.firstQuery, row);
}

void Staged::copyQueries() {
  Value factor = b.splat(a.factor);
  b.loop(b.thread(), b.index(rows * a.vectors), threads, [&](Value item) {
    Value token = b.add(a.firstQuery, b.div(item, a.vectors));
    Value q =
        a.load(Attention::Query, a.clampQuery(token), b.rem(item, a.vectors));
    b.storeShared(b.mulf(q, factor), queries, item);
  });
}

void Staged::copyBlock(Attention::Argument argument, Value first) {
  b.loop(b.thread(), b.index(chunk * a.vectors), threads, [&](Value item) {
    Value key = b.div(item, a.vectors), v = b.rem(item, a.vectors);
    Value x = a.load(argument, a.clampKey(b.add(first, key)), v);
    b.storeShared(x, block, b.add(b.mul(key, stride), v));
  });
}

void Staged::makeScores(Value first) {
  int64_t count = chunk / 8, half = rows / 2;
  Value firstRow = b.div(b.thread(), 8), firstKey = b.rem(b.thread(), 8);
  Value left = b.mul(firstRow, a.vectors), right = b.mul(firstKey, stride);
  SmallVector<Value> sums(2 * count, b.scalar(0));
  sums = b.loop(a.vectors, sums, [&](Value v, ValueRange carried) {
    SmallVector<Value> next(carried);
    SmallVector<Value> k;
    for (int64_t j = 0; j < count; ++j)
      k.push_back(b.loadShared(block, b.add(b.add(right, v), j * 8 * stride)));
    for (int64_t i = 0; i < 2; ++i) {
      Value q =
          b.loadShared(queries, b.add(b.add(left, v), i * half * a.vectors));
      for (int64_t lane = 0; lane < kVectorLanes; ++lane)
        for (int64_t j = 0; j < count; ++j) {
          Value &sum = next[i * count + j];
          sum = b.fma(b.extract(q, lane), b.extract(k[j], lane), sum);
        }
    }
    return next;
  });
  Value target = b.add(b.mul(firstRow, chunk + 1), firstKey);
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < count; ++j) {
      Value score = sums[i * count + j];
      if (a.op.getBias())
        score = a.addBias(score, b.add(b.add(a.firstQuery, firstRow), i * half),
                          b.add(b.add(first, firstKey), j * 8));
      b.storeShared(score, scores,
                    b.add(target, i * half * (chunk + 1) + j * 8));
    }
}

/// The carried values are the largest score, the part of this thread in the sum
/// of exponentials, and its sums of values.
SmallVector<Value> Staged::makePowers(Value first, ArrayRef<Value> carried) {
  SmallVector<Value> next(carried);
  Value base = b.mul(row, chunk + 1);
  // A key past the end repeats the last one, so the maximum is not affected.
  Value largest = carried[0];
  for (int64_t j = 0; j < chunk; ++j)
    largest = b.combine(Reduction::Max, b.loadShared(scores, b.add(base, j)),
                        largest);
  Value shrink = emitExp2OfNegative(b, b.subf(carried[0], largest));
  Value sum = b.mulf(carried[1], shrink);
  Value own = b.mul(quarter, ownKeys);
  Value target = b.add(b.mul(row, chunk), own);
  for (int64_t j = 0; j < ownKeys; j += kVectorLanes) {
    SmallVector<Value> four;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Value inBlock = b.add(own, j + lane);
      Value key = b.add(first, inBlock);
      Value score = b.loadShared(scores, b.add(base, inBlock));
      if (a.op.getProbabilities())
        a.storeScore(score, token, key);
      Value power = a.getPower(b.subf(score, largest));
      if (a.keys % chunk != 0)
        power = b.select(b.isLess(key, b.index(a.keys)), power, b.scalar(0));
      sum = b.addf(sum, power);
      four.push_back(power);
    }
    b.storeShared(b.fromElements(four), powers,
                  b.div(b.add(target, j), kVectorLanes));
  }
  next[0] = largest;
  next[1] = sum;
  for (Value &value : MutableArrayRef<Value>(next).drop_front(2))
    value = b.mulf(value, b.broadcast(shrink));
  return next;
}

void Staged::addValues(MutableArrayRef<Value> sums) {
  Value base = b.mul(row, chunk / kVectorLanes);
  SmallVector<Value> next =
      b.loop(chunk / kVectorLanes, SmallVector<Value>(sums),
             [&](Value j, ValueRange carried) {
               SmallVector<Value> sums(carried);
               Value four = b.loadShared(powers, b.add(base, j));
               Value from = b.add(b.mul(j, kVectorLanes * stride), quarter);
               for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
                 Value power = b.broadcast(b.extract(four, lane));
                 for (int64_t v = 0; v < ownSums; ++v) {
                   Value x =
                       b.loadShared(block, b.add(from, lane * stride + 4 * v));
                   sums[v] = b.fma(power, x, sums[v]);
                 }
               }
               return sums;
             });
  llvm::copy(next, sums.begin());
}

void Staged::emit() {
  copyQueries();
  SmallVector<Value> carried = {
      b.scalar(-std::numeric_limits<double>::infinity()), b.scalar(0)};
  carried.append(ownSums, b.splat(0));
  int64_t blocks = llvm::divideCeil(a.keys, chunk);
  carried = b.loop(blocks, carried, [&](Value number, ValueRange values) {
    Value first = b.mul(number, chunk);
    b.barrier();
    copyBlock(Attention::Key, first);
    b.barrier();
    makeScores(first);
    b.barrier();
    copyBlock(Attention::Val, first);
    SmallVector<Value> next = makePowers(first, SmallVector<Value>(values));
    b.barrier();
    addValues(MutableArrayRef<Value>(next).drop_front(2));
    return next;
  });
  Value sum = b.reduceWorkgroup(Reduction::Add, carried[1], /*segment=*/4);
  Value inverse = b.divf(b.scalar(1), sum);
  a.ifQuery(token, [&] {
    for (int64_t v = 0; v < ownSums; ++v)
      b.store4(b.mulf(carried[2 + v], b.broadcast(inverse)),
               a.number(Attention::Result),
               a.at(Attention::Result, token, b.add(quarter, 4 * v)));
    if (!a.op.getProbabilities())
      return;
    b.loop(0, blocks, [&](Value number) {
      Value first = b.add(b.mul(number, chunk), b.mul(quarter, ownKeys));
      Value end = b.min(b.add(first, ownKeys), b.index(a.keys));
      b.loop(first, end, [&](Value key) {
        a.normalizeScore(token, key, carried[0], inverse);
      });
    });
  });
}

void mlir::vit::simt::emitAttentionStaged(Attention &a) { Staged(a).emit(); }
