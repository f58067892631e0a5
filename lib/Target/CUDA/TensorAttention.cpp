//===- TensorAttention.cpp - Attention by tensor cores --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// softmax(scale q k^T) v in one pass over blocks of `chunk` keys, as described
// in Simt/Attention.h (and by Dao, "FlashAttention-2", arXiv:2307.08691, for
// tensor cores). A warp has 16 queries: their operands stay in its registers,
// as do the scores of a block, whose exponentials, rounded, are the left
// operand of the products with the values and with ones, which add them. While
// a block of keys is multiplied, its values are copied to workgroup memory, and
// while these are, the next keys.
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Common/Math.h"
#include "../Simt/Attention.h"
#include "TensorBuilder.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;

namespace {
class TensorAttention {
public:
  TensorAttention(Attention &a, TensorBuilder &t);
  void emit();

private:
  /// What a lane carries from block to block, for rows g and g + 8 of its warp.
  struct State {
    std::array<Value, 2> largest; ///< scaled score of the row
    /// Weighted sums of values, then a block of the sum of the weights.
    SmallVector<Value> result;

    SmallVector<Value> flatten() const;
    static State get(ValueRange values);
  };

  /// Starts copying tokens `first`, ... of an argument, zeros where there are
  /// none, as a group.
  void startCopies(Attention::Argument argument, const CopyShare &share,
                   Value first);
  /// The left operands of the queries, kLeftWords for each depth.
  SmallVector<SmallVector<Value>> loadQueries();
  /// The products with the first `count` keys in workgroup memory, kSums for
  /// each kMmaColumns keys.
  SmallVector<Value> multiplyKeys(int64_t count);
  /// Turns products into scaled scores.
  void scale(MutableArrayRef<Value> scores, Value firstKey, bool isRagged);
  /// Turns scores into exponentials relative to the largest of their row, and
  /// scales the state down where that has become larger.
  void exponentiate(MutableArrayRef<Value> scores, State &state);
  void addValues(ArrayRef<Value> powers, State &state);
  /// Adds the block of keys that begins at `firstKey`, which has `count` keys.
  /// If that is not `keys`, it is the last.
  State addBlock(State state, Value firstKey, int64_t count);
  void store(const State &state);

  Attention &a;
  SimtBuilder &b;
  TensorBuilder &t;
  int64_t keys, depth; ///< of a block; channels of a padded head
  SharedMatrix query, key, value;
  CopyShare shares[3];
  SmallVector<SmallVector<Value>> queries;
};
} // namespace

TensorAttention::TensorAttention(Attention &a, TensorBuilder &t)
    : a(a), b(a.b), t(t), keys(a.tile.getChunk()),
      depth(a.vectors * kVectorLanes) {
  int64_t chunks = depth / t.operands.chunk();
  query = t.allocate(1, a.tile.getRows(), chunks);
  key = t.allocate(1, keys, chunks);
  value = t.allocate(1, keys, chunks);
  shares[Attention::Query] = t.share(query);
  shares[Attention::Key] = t.share(key);
  shares[Attention::Val] = t.share(value);
}

SmallVector<Value> TensorAttention::State::flatten() const {
  SmallVector<Value> values(largest.begin(), largest.end());
  values.append(result);
  return values;
}

TensorAttention::State TensorAttention::State::get(ValueRange values) {
  return {{values[0], values[1]}, SmallVector<Value>(values.drop_front(2))};
}

void TensorAttention::startCopies(Attention::Argument argument,
                                  const CopyShare &share, Value first) {
  int64_t tokens = a.shapes[argument].tokens;
  share.forEach(b, [&](int64_t i, int64_t j) {
    Value token = b.add(b.add(first, share.row), i * share.down), exists;
    if (tokens % share.matrix.rows != 0) {
      exists = b.isLess(token, b.index(tokens));
      token = b.min(token, b.index(tokens - 1));
    }
    Value from = b.mul(a.at(argument, token, b.index(0)), kVectorLanes);
    Value chunk = b.add(share.chunk, j * share.across);
    t.copy(a.number(argument), b.add(from, b.mul(chunk, share.matrix.chunk)),
           share.matrix, share.at(b, b.index(0), i, j), exists);
  });
  t.commit();
}

SmallVector<SmallVector<Value>> TensorAttention::loadQueries() {
  SmallVector<SmallVector<Value>> words;
  Value row = b.mul(t.warp(), kMmaRows);
  for (int64_t chunk = 0; chunk < query.chunks; chunk += 2)
    words.push_back(t.load(query, t.leftElement(query, row, chunk)));
  return words;
}

SmallVector<Value> TensorAttention::multiplyKeys(int64_t count) {
  SmallVector<Value> scores(count / kMmaColumns * kSums, b.scalar(0));
  for (int64_t chunk = 0; chunk < key.chunks; chunk += 2) {
    Value from = t.rightElement(key, b.index(0), chunk);
    for (int64_t pair = 0; pair < count / kPairColumns; ++pair) {
      int64_t rows = pair * kPairColumns * key.rowElements();
      t.multiplyPair(queries[chunk / 2], t.load(key, b.add(from, rows)), scores,
                     pair);
    }
  }
  return scores;
}

void TensorAttention::scale(MutableArrayRef<Value> scores, Value firstKey,
                            bool isRagged) {
  Value row = b.add(b.mul(t.warp(), kMmaRows), b.div(t.lane(), 4));
  Value column = b.mul(b.rem(t.lane(), 4), 2);
  Value none = b.scalar(-std::numeric_limits<double>::infinity());
  for (auto [i, score] : llvm::enumerate(scores)) {
    int64_t block = i / kSums, half = i % kSums / 2, second = i % 2;
    score = b.mulf(score, b.scalar(a.factor));
    if (!a.op.getBias() && !isRagged)
      continue;
    Value keyToken =
        b.add(b.add(firstKey, column), block * kMmaColumns + second);
    Value queryToken = b.add(b.add(a.firstQuery, row), half * 8);
    score = a.addBias(score, queryToken, keyToken);
    if (isRagged)
      score = b.select(b.isLess(keyToken, b.index(a.keys)), score, none);
  }
}

void TensorAttention::exponentiate(MutableArrayRef<Value> scores,
                                   State &state) {
  for (int64_t half : {0, 1}) {
    SmallVector<Value *> row;
    for (size_t i = 2 * half; i < scores.size(); i += kSums)
      row.append({&scores[i], &scores[i + 1]});
    Value largest = *row.front();
    for (Value *score : llvm::drop_begin(row))
      largest = b.combine(Reduction::Max, largest, *score);
    largest = t.reduceRow(Reduction::Max, largest);
    largest = b.combine(Reduction::Max, largest, state.largest[half]);
    Value shrink = t.exp2(b.subf(state.largest[half], largest));
    // That of a key that does not exist is 0.
    for (Value *score : row)
      *score = t.exp2(b.subf(*score, largest));
    state.largest[half] = largest;
    for (size_t i = 2 * half; i < state.result.size(); i += kSums)
      for (Value &sum : MutableArrayRef<Value>(state.result).slice(i, 2))
        sum = b.mulf(sum, shrink);
  }
}

void TensorAttention::addValues(ArrayRef<Value> powers, State &state) {
  SmallVector<SmallVector<Value>> left = t.packLeft(powers);
  MutableArrayRef<Value> sum(state.result.end() - kSums, kSums);
  for (ArrayRef<Value> words : left)
    llvm::copy(t.multiply(words, {t.ones(), t.ones()}, sum), sum.begin());
  int64_t pairs = depth / kPairColumns;
  TransposedOperand right =
      t.planTransposed(value, b.index(0), pairs, /*isLeft=*/false);
  for (int64_t pair = 0; pair < pairs; ++pair)
    for (auto [i, words] : llvm::enumerate(left)) {
      int64_t row = static_cast<int64_t>(i) * t.operands.depth();
      t.multiplyPair(words, t.loadTransposed(right, b.index(0), row, pair),
                     state.result, pair);
    }
}

TensorAttention::State TensorAttention::addBlock(State state, Value firstKey,
                                                 int64_t count) {
  bool isRagged = count != keys;
  t.wait(0);
  // The keys are there, and no warp reads the values of the block before.
  b.barrier();
  startCopies(Attention::Val, shares[Attention::Val], firstKey);
  SmallVector<Value> scores = multiplyKeys(kernel::padTo(count, kPairColumns));
  t.wait(0);
  b.barrier();
  if (!isRagged) {
    Value next = b.add(firstKey, keys);
    b.ifThen(b.isLess(next, b.index(a.keys)), [&] {
      startCopies(Attention::Key, shares[Attention::Key], next);
    });
  }
  scale(scores, firstKey, isRagged);
  exponentiate(scores, state);
  addValues(scores, state);
  return state;
}

void TensorAttention::store(const State &state) {
  Value row = b.add(b.mul(t.warp(), kMmaRows), b.div(t.lane(), 4));
  for (int64_t half : {0, 1}) {
    Value sum = state.result[depth / kMmaColumns * kSums + half * 2];
    Value inverse = b.divf(b.scalar(1), sum);
    SmallVector<Value> values;
    for (int64_t block = 0; block < depth / kMmaColumns; ++block)
      for (int64_t i : {0, 1})
        values.push_back(
            b.mulf(state.result[block * kSums + half * 2 + i], inverse));
    Value token = b.add(b.add(a.firstQuery, row), half * 8);
    Value to = b.mul(a.at(Attention::Result, token, b.index(0)), kVectorLanes);
    t.storeRow(values, a.number(Attention::Result), to, a.isQuery(token));
  }
}

void TensorAttention::emit() {
  startCopies(Attention::Query, shares[Attention::Query], a.firstQuery);
  startCopies(Attention::Key, shares[Attention::Key], b.index(0));
  t.wait(1);
  b.barrier();
  queries = loadQueries();
  State state;
  state.largest.fill(b.scalar(-std::numeric_limits<double>::infinity()));
  state.result.assign((depth / kMmaColumns + 1) * kSums, b.scalar(0));
  int64_t whole = a.keys / keys;
  if (whole != 0) {
    SmallVector<Value> carried =
        b.loop(whole, state.flatten(), [&](Value block, ValueRange values) {
          return addBlock(State::get(values), b.mul(block, keys), keys)
              .flatten();
        });
    state = State::get(carried);
  }
  if (int64_t rest = a.keys % keys)
    state = addBlock(state, b.index(whole * keys), rest);
  store(state);
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(const Attention &a) {
  kernel::TileAttr tile = a.tile;
  int64_t width = a.vectors * kVectorLanes;
  kernel::AttentionOp op = a.op;
  int64_t chunks = width / Operands::of(op).chunk();
  if (tile.getThreads() * kMmaRows == tile.getRows() * kWarp &&
      tile.getCols() == width && tile.getChunk() % kPairColumns == 0 &&
      canShare(tile.getThreads(), tile.getRows(), chunks, /*run=*/2) &&
      canShare(tile.getThreads(), tile.getChunk(), chunks, /*run=*/2))
    return success();
  return op.emitOpError("has a tile that its warps do not cover: ") << tile;
}

FailureOr<KernelInfo>
mlir::vit::cuda::emitTensorAttention(kernel::AttentionOp op, SimtBuilder &b) {
  FailureOr<Attention> a = Attention::get(op, b);
  if (failed(a) || failed(verifyTile(*a)))
    return failure();
  a->locate(b.unit());
  TensorBuilder t(b, Operands::of(op));
  TensorAttention(*a, t).emit();
  return a->getInfo();
}
