//===- AttentionDirect.cpp - Attention, each thread by itself -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For devices without fast workgroup memory, and for heads that are too large
// for it. A thread computes the scores of its queries with a block of keys in
// registers, then adds the values. A head wider than `thread_cols` is split
// into parts, each of which recomputes the scores.
//
//===----------------------------------------------------------------------===//

#include "../Common/Math.h"
#include "Attention.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = SimtBuilder::Reduction;

/// Keys that a thread takes at a time: two vectors of exponentials.
static constexpr int64_t kKeys = 2 * kVectorLanes;

namespace {
struct Direct {
  Attention &a;
  SimtBuilder &b;
  int64_t rows, sums; ///< queries, and vectors of the result per query
  Value part;         ///< first vector of the head that this unit computes
  SmallVector<Value> query, clamped;

  explicit Direct(Attention &a);
  /// Returns the scores of all queries with the keys, [row * kKeys + key].
  SmallVector<Value> getScores(ArrayRef<Value> key);
  void addValues(MutableArrayRef<Value> results, ArrayRef<Value> powers,
                 Value firstKey);
  /// Emits `body` so that it runs in only one of the parts, the one that stores
  /// probabilities.
  void inFirstPart(function_ref<void()> body);
  SmallVector<Value> step(Value block, ValueRange carried);
  void storeResult(Value token, Value largest, Value sum,
                   ArrayRef<Value> values);
  void emit();
};
} // namespace

Direct::Direct(Attention &a)
    : a(a), b(a.b), rows(a.tile.getThreadRows()),
      sums(a.tile.getThreadCols() / kVectorLanes) {
  int64_t blocks = llvm::divideCeil(a.queries, a.tile.getRows());
  int64_t parts = a.vectors / sums;
  part = b.mul(b.rem(b.div(b.unit(), blocks), parts), sums);
  for (int64_t i = 0; i < rows; ++i) {
    query.push_back(
        b.add(b.add(a.firstQuery, b.thread()), i * a.tile.getThreads()));
    clamped.push_back(a.clampQuery(query.back()));
  }
}

SmallVector<Value> Direct::getScores(ArrayRef<Value> key) {
  SmallVector<Value> left, right;
  Value zero = b.index(0);
  for (Value token : clamped)
    left.push_back(a.at(Attention::Query, token, zero));
  for (Value token : key)
    right.push_back(a.at(Attention::Key, token, zero));
  SmallVector<Value> start(rows * kKeys, b.scalar(0));
  SmallVector<Value> scores = b.loop(
      zero, b.index(a.vectors), 1, start, [&](Value v, ValueRange carried) {
        SmallVector<Value> scores(carried);
        SmallVector<Value> k;
        for (Value base : right)
          k.push_back(b.load4(Attention::Key, b.add(base, v)));
        for (int64_t i = 0; i < rows; ++i) {
          Value q = b.load4(Attention::Query, b.add(left[i], v));
          for (int64_t lane = 0; lane < kVectorLanes; ++lane)
            for (int64_t j = 0; j < kKeys; ++j) {
              Value &score = scores[i * kKeys + j];
              score = b.fma(b.extract(q, lane), b.extract(k[j], lane), score);
            }
        }
        return scores;
      });
  for (auto [i, score] : llvm::enumerate(scores))
    score = a.addBias(b.mulf(score, b.scalar(a.factor)), clamped[i / kKeys],
                      key[i % kKeys]);
  return scores;
}

/// A loop over keys, because drivers of CPU devices take long to compile loads.
void Direct::addValues(MutableArrayRef<Value> results, ArrayRef<Value> powers,
                       Value firstKey) {
  SmallVector<Value> packed[2];
  for (int64_t group : {0, 1})
    for (int64_t i = 0; i < rows; ++i)
      packed[group].push_back(b.fromElements(
          powers.slice(i * kKeys + group * kVectorLanes, kVectorLanes)));
  SmallVector<Value> next = b.loop(
      kKeys, SmallVector<Value>(results), [&](Value j, ValueRange carried) {
        SmallVector<Value> sums(carried);
        SmallVector<Value> factors;
        Value lane = b.rem(j, kVectorLanes),
              isFirst = b.isLess(j, b.index(kVectorLanes));
        for (int64_t i = 0; i < rows; ++i)
          factors.push_back(b.broadcast(
              b.extract(b.select(isFirst, packed[0][i], packed[1][i]), lane)));
        Value token = a.clampKey(b.add(firstKey, j));
        Value base = a.at(Attention::Val, token, part);
        for (int64_t v = 0; v < this->sums; ++v) {
          Value x = b.load4(Attention::Val, b.add(base, v));
          for (int64_t i = 0; i < rows; ++i) {
            Value &sum = sums[i * this->sums + v];
            sum = b.fma(factors[i], x, sum);
          }
        }
        return sums;
      });
  llvm::copy(next, results.begin());
}

void Direct::inFirstPart(function_ref<void()> body) {
  if (!a.op.getProbabilities())
    return;
  if (sums == a.vectors)
    body();
  else
    b.ifThen(b.isEqual(part, b.index(0)), body);
}

/// Processes one block of keys. The carried values are, for each query, the
/// largest score and the sum of exponentials, then the sums of values.
SmallVector<Value> Direct::step(Value block, ValueRange carried) {
  SmallVector<Value> next(carried);
  SmallVector<Value> key, clampedKey;
  bool mayMiss = a.keys % kKeys != 0;
  for (int64_t j = 0; j < kKeys; ++j) {
    key.push_back(b.add(b.mul(block, kKeys), j));
    clampedKey.push_back(mayMiss ? a.clampKey(key.back()) : key.back());
  }
  SmallVector<Value> powers = getScores(clampedKey);
  for (int64_t i = 0; i < rows; ++i) {
    MutableArrayRef<Value> row =
        MutableArrayRef<Value>(powers).slice(i * kKeys, kKeys);
    inFirstPart([&] {
      for (int64_t j = 0; j < kKeys; ++j)
        a.storeScore(row[j], query[i], key[j]);
    });
    // A key past the end repeats the last one, so the maximum is not affected.
    Value largest = next[2 * i];
    for (Value score : row)
      largest = b.combine(Reduction::Max, score, largest);
    Value shrink = emitExp2OfNegative(b, b.subf(next[2 * i], largest));
    Value sum = b.mulf(next[2 * i + 1], shrink);
    for (int64_t j = 0; j < kKeys; ++j) {
      row[j] = a.getPower(b.subf(row[j], largest));
      if (mayMiss)
        row[j] =
            b.select(b.isLess(key[j], b.index(a.keys)), row[j], b.scalar(0));
      sum = b.addf(sum, row[j]);
    }
    next[2 * i] = largest;
    next[2 * i + 1] = sum;
    for (int64_t v = 0; v < sums; ++v) {
      Value &result = next[2 * rows + i * sums + v];
      result = b.mulf(result, b.broadcast(shrink));
    }
  }
  addValues(MutableArrayRef<Value>(next).drop_front(2 * rows), powers, key[0]);
  return next;
}

void Direct::storeResult(Value token, Value largest, Value sum,
                         ArrayRef<Value> values) {
  Value inverse = b.divf(b.scalar(1), sum);
  Value target = a.at(Attention::Result, token, part);
  b.loop(sums, values, [&](Value v, ValueRange carried) {
    b.store4(b.mulf(carried[0], b.broadcast(inverse)),
             a.number(Attention::Result), b.add(target, v));
    SmallVector<Value> next(carried);
    std::rotate(next.begin(), next.begin() + 1, next.end());
    return next;
  });
  inFirstPart([&] {
    b.loop(0, a.keys,
           [&](Value key) { a.normalizeScore(token, key, largest, inverse); });
  });
}

void Direct::emit() {
  SmallVector<Value> carried;
  for (int64_t i = 0; i < rows; ++i) {
    carried.push_back(b.scalar(-std::numeric_limits<double>::infinity()));
    carried.push_back(b.scalar(0));
  }
  carried.append(rows * sums, b.splat(0));
  int64_t blocks = llvm::divideCeil(a.keys, kKeys);
  carried = b.loop(blocks, carried, [&](Value block, ValueRange values) {
    return step(block, values);
  });
  // A loop over queries and vectors that stores the first vector, then moves
  // all others up. Drivers of CPU devices take long to compile stores.
  b.loop(rows, carried, [&](Value i, ValueRange values) {
    SmallVector<Value> next(values);
    auto statistics = MutableArrayRef<Value>(next).take_front(2 * rows);
    auto results = MutableArrayRef<Value>(next).drop_front(2 * rows);
    Value token = b.add(query[0], b.mul(i, a.tile.getThreads()));
    a.ifQuery(token, [&] {
      storeResult(token, statistics[0], statistics[1],
                  results.take_front(sums));
    });
    std::rotate(statistics.begin(), statistics.begin() + 2, statistics.end());
    std::rotate(results.begin(), results.begin() + sums, results.end());
    return next;
  });
}

void mlir::vit::simt::emitAttentionDirect(Attention &a) { Direct(a).emit(); }
