//===- TensorAttentionBackward.cpp - Attention's adjoint ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As in Simt/AttentionBackward.cpp, by tensor cores: a workgroup takes one head
// of one image. For each block of queries it computes the statistics of the
// queries in one pass over the keys and dq in another, then for each block of
// keys dk and dv in a pass over the queries. A warp has 16 rows of a block. The
// operands of a block stay in workgroup memory, those of a pass go through two
// buffers, `chunk` tokens at a time. p and scale * ds are rounded, as
// left operands of the next product; the transposed scores k q^T make p^T and
// ds^T without an exchange between threads.
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Common/Arguments.h"
#include "../Common/Math.h"
#include "../Simt/AttentionBackward.h"
#include "TensorBuilder.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;

/// Buffers of the operands of a pass.
static constexpr int64_t kStages = 2;

namespace {
/// What is needed to recompute the probabilities of a query.
struct Statistics {
  Value largest, inverse, delta;
};

class TensorAttentionBackward : AttentionBackwardArguments {
public:
  TensorAttentionBackward(kernel::AttentionBackwardOp op, SimtBuilder &b,
                          ArrayRef<Activation> shapes);
  void emit();

private:
  // The operands of the op but for the bias, then its results.
  using Values = SmallVector<Value>;

  /// The number of the kernel's argument. The bias is number 4.
  unsigned number(Argument argument) const {
    return AttentionBackwardArguments::number(argument, hasBias);
  }
  /// The first element of the head in a token.
  Value at(Argument argument, Value token);
  /// Starts copying tokens `first`, ... to the buffer that begins at `base`,
  /// zeros where there are none.
  void startCopies(Argument argument, const CopyShare &share, Value first,
                   Value base);
  /// Starts copying the operands of the block that begins at token `first` of
  /// both arguments. They are part of the first step of the pass that follows.
  void copyBlock(Argument left, Argument right, Value first);
  /// Runs `use` for the tokens of a pass over both arguments, `chunk` at a
  /// time: it gets the first and the elements at which the buffers begin.
  Values forEachChunk(
      Argument left, Argument right, int64_t tokens, ArrayRef<Value> init,
      function_ref<Values(Value first, ArrayRef<Value> bases, ValueRange)> use);
  /// The products of the block's operands with those of the chunk, of `left`
  /// with `left` and `right` with `right`.
  std::pair<Values, Values> getProducts(ArrayRef<Value> bases);
  /// Turns products into scores times log2(e), with the bias.
  void scale(MutableArrayRef<Value> scores,
             function_ref<std::pair<Value, Value>(int64_t)> getTokens);
  /// The token of score `i` in a chunk that begins at `first`.
  Value getToken(Value first, int64_t i);
  /// Makes the scores of keys that do not exist -inf, whose power is 0.
  void maskKeys(MutableArrayRef<Value> scores, Value first);
  /// Adds the product of `factors`, rounded, and the operand at `base`.
  void add(MutableArrayRef<Value> sums, ArrayRef<Value> factors,
           const SharedMatrix &matrix, Value base);
  /// Row i % 2 of the 16 of this warp.
  Value getRow(Value first, int64_t half);
  void getStatistics(Value firstQuery, std::array<Statistics, 2> &found);
  void takeQueries(Value firstQuery);
  void takeKeys(Value firstKey);
  void store(Argument argument, Value first, ArrayRef<Value> sums);

  kernel::AttentionBackwardOp op;
  SimtBuilder &b;
  TensorBuilder t;
  SmallVector<Activation> shapes; ///< those of operands and results
  kernel::TileAttr tile;
  bool hasBias;
  int64_t queries, keys, depth, chunk; ///< depth: channels of a padded head
  int64_t blockSums;                   ///< of a chunk in a lane
  double factor;
  Value image, head;
  SharedMatrix block[2], moving[2]; ///< the left and the right operands
  CopyShare blockShare[2], movingShare[2];
  Value statistics; ///< largest, inverse and delta of each query
};
} // namespace

TensorAttentionBackward::TensorAttentionBackward(kernel::AttentionBackwardOp op,
                                                 SimtBuilder &b,
                                                 ArrayRef<Activation> shapes)
    : op(op), b(b), t(b, Operands::of(op)), shapes(shapes), tile(op.getTile()),
      hasBias(op.getBias() != nullptr), queries(shapes[Query].tokens),
      keys(shapes[Key].tokens),
      depth(kernel::padTo(op.getHeadDim(), kernel::kChannelPad)),
      chunk(tile.getChunk()), blockSums(chunk / kMmaColumns * kSums),
      factor(op.getScale().convertToDouble() * kLog2E) {
  image = b.div(b.unit(), op.getHeads());
  head = b.rem(b.unit(), op.getHeads());
  for (int64_t i : {0, 1}) {
    int64_t chunks = depth / t.operands.chunk();
    block[i] = t.allocate(1, tile.getRows(), chunks);
    moving[i] = t.allocate(kStages, chunk, chunks);
    blockShare[i] = t.share(block[i]);
    movingShare[i] = t.share(moving[i]);
  }
  statistics = b.allocateShared(3 * kernel::padTo(queries, tile.getRows()));
}

Value TensorAttentionBackward::at(Argument argument, Value token) {
  const Activation &shape = shapes[argument];
  int64_t offset = offsetOf(argument, op.getOffsets());
  Value row = b.add(b.mul(image, shape.tokens), token);
  Value channel =
      b.add(b.mul(head, depth), kernel::paddedChannel(offset, shape.group));
  return b.add(b.mul(row, shape.vectors * kVectorLanes), channel);
}

void TensorAttentionBackward::startCopies(Argument argument,
                                          const CopyShare &share, Value first,
                                          Value base) {
  int64_t tokens = shapes[argument].tokens;
  share.forEach(b, [&](int64_t i, int64_t j) {
    Value token = b.add(b.add(first, share.row), i * share.down), exists;
    if (tokens % share.matrix.rows != 0) {
      exists = b.isLess(token, b.index(tokens));
      token = b.min(token, b.index(tokens - 1));
    }
    Value channel =
        b.mul(b.add(share.chunk, j * share.across), share.matrix.chunk);
    t.copy(number(argument), b.add(at(argument, token), channel), share.matrix,
           share.at(b, base, i, j), exists);
  });
}

void TensorAttentionBackward::copyBlock(Argument left, Argument right,
                                        Value first) {
  // Other warps may still read the last block.
  b.barrier();
  startCopies(left, blockShare[0], first, b.index(0));
  startCopies(right, blockShare[1], first, b.index(0));
}

TensorAttentionBackward::Values TensorAttentionBackward::forEachChunk(
    Argument left, Argument right, int64_t tokens, ArrayRef<Value> init,
    function_ref<Values(Value, ArrayRef<Value>, ValueRange)> use) {
  Argument arguments[] = {left, right};
  auto getBases = [&](Value buffer) {
    return Values{b.mul(buffer, moving[0].bufferElements()),
                  b.mul(buffer, moving[1].bufferElements())};
  };
  return t.pipeline(
      kStages, b.index(llvm::divideCeil(tokens, chunk)), init,
      [&](Value step, Value buffer) {
        Values bases = getBases(buffer);
        for (int64_t i : {0, 1})
          startCopies(arguments[i], movingShare[i], b.mul(step, chunk),
                      bases[i]);
      },
      [&](Value step, Value buffer, ValueRange carried) {
        return use(b.mul(step, chunk), getBases(buffer), carried);
      });
}

std::pair<TensorAttentionBackward::Values, TensorAttentionBackward::Values>
TensorAttentionBackward::getProducts(ArrayRef<Value> bases) {
  Values products[] = {Values(blockSums, b.scalar(0)),
                       Values(blockSums, b.scalar(0))};
  Value row = b.mul(t.warp(), kMmaRows);
  for (int64_t channels = 0; channels < block[0].chunks; channels += 2)
    for (int64_t i : {0, 1}) {
      Values left = t.load(block[i], t.leftElement(block[i], row, channels));
      Value from =
          b.add(bases[i], t.rightElement(moving[i], b.index(0), channels));
      for (int64_t pair = 0; pair < chunk / kPairColumns; ++pair) {
        int64_t rows = pair * kPairColumns * moving[i].rowElements();
        t.multiplyPair(left, t.load(moving[i], b.add(from, rows)), products[i],
                       pair);
      }
    }
  return {products[0], products[1]};
}

void TensorAttentionBackward::scale(
    MutableArrayRef<Value> scores,
    function_ref<std::pair<Value, Value>(int64_t)> getTokens) {
  for (auto [i, score] : llvm::enumerate(scores)) {
    score = b.mulf(score, b.scalar(factor));
    if (!hasBias)
      continue;
    auto [query, key] = getTokens(i);
    Value row = b.add(b.mul(head, queries), b.min(query, b.index(queries - 1)));
    Value at = b.add(b.mul(row, keys), b.min(key, b.index(keys - 1)));
    score = b.fma(b.load(kBias, at), b.scalar(kLog2E), score);
  }
}

void TensorAttentionBackward::add(MutableArrayRef<Value> sums,
                                  ArrayRef<Value> factors,
                                  const SharedMatrix &matrix, Value base) {
  SmallVector<Values> left = t.packLeft(factors);
  int64_t pairs = depth / kPairColumns;
  TransposedOperand right =
      t.planTransposed(matrix, b.index(0), pairs, /*isLeft=*/false);
  for (int64_t pair = 0; pair < pairs; ++pair)
    for (auto [i, words] : llvm::enumerate(left)) {
      int64_t row = static_cast<int64_t>(i) * t.operands.depth();
      t.multiplyPair(words, t.loadTransposed(right, base, row, pair), sums,
                     pair);
    }
}

Value TensorAttentionBackward::getRow(Value first, int64_t half) {
  Value row = b.add(b.mul(t.warp(), kMmaRows), b.div(t.lane(), 4));
  return b.add(b.add(first, row), half * 8);
}

/// The column of sum `i` of a lane.
static Value getColumn(SimtBuilder &b, TensorBuilder &t, int64_t i) {
  return b.add(b.mul(b.rem(t.lane(), 4), 2), i / kSums * kMmaColumns + i % 2);
}

Value TensorAttentionBackward::getToken(Value first, int64_t i) {
  return b.add(first, getColumn(b, t, i));
}

void TensorAttentionBackward::maskKeys(MutableArrayRef<Value> scores,
                                       Value first) {
  if (keys % chunk == 0)
    return;
  Value none = b.scalar(-std::numeric_limits<double>::infinity());
  for (auto [i, score] : llvm::enumerate(scores))
    score = b.select(b.isLess(getToken(first, i), b.index(keys)), score, none);
}

void TensorAttentionBackward::getStatistics(Value firstQuery,
                                            std::array<Statistics, 2> &found) {
  // For both rows of the lane: the largest score, and this lane's sums of
  // exponentials and of their products with dp.
  Value none = b.scalar(-std::numeric_limits<double>::infinity());
  Values carried = {none, b.scalar(0), b.scalar(0),
                    none, b.scalar(0), b.scalar(0)};
  carried = forEachChunk(
      Key, Val, keys, carried,
      [&](Value first, ArrayRef<Value> bases, ValueRange values) {
        auto [scores, products] = getProducts(bases);
        scale(scores, [&](int64_t i) {
          return std::pair{getRow(firstQuery, i % kSums / 2),
                           getToken(first, i)};
        });
        maskKeys(scores, first);
        Values next(values);
        for (int64_t half : {0, 1}) {
          Value &largest = next[3 * half], &sum = next[3 * half + 1],
                &dot = next[3 * half + 2], before = largest;
          for (int64_t i = 0; i < blockSums; ++i) {
            if (i % kSums / 2 != half)
              continue;
            largest = b.combine(Reduction::Max, scores[i], largest);
          }
          largest = t.reduceRow(Reduction::Max, largest);
          Value shrink = t.exp2(b.subf(before, largest));
          sum = b.mulf(sum, shrink);
          dot = b.mulf(dot, shrink);
          for (int64_t i = 0; i < blockSums; ++i) {
            if (i % kSums / 2 != half)
              continue;
            Value power = t.exp2(b.subf(scores[i], largest));
            sum = b.addf(sum, power);
            dot = b.fma(power, products[i], dot);
          }
        }
        return next;
      });
  Value isFirst = b.isEqual(b.rem(t.lane(), 4), b.index(0));
  for (int64_t half : {0, 1}) {
    Value sum = t.reduceRow(Reduction::Add, carried[3 * half + 1]);
    Value dot = t.reduceRow(Reduction::Add, carried[3 * half + 2]);
    Value inverse = b.divf(b.scalar(1), sum);
    found[half] = {carried[3 * half], inverse, b.mulf(dot, inverse)};
    // All probabilities of a query that does not exist are zero.
    Value query = getRow(firstQuery, half);
    Value exists = b.isLess(query, b.index(queries));
    Value infinity = b.scalar(std::numeric_limits<double>::infinity());
    Value entries[] = {b.select(exists, found[half].largest, infinity),
                       b.select(exists, inverse, b.scalar(0)),
                       b.select(exists, found[half].delta, b.scalar(0))};
    b.ifThen(isFirst, [&] {
      for (auto [i, entry] : llvm::enumerate(entries))
        b.storeShared(entry, statistics, b.add(b.mul(query, 3), i));
    });
  }
}

void TensorAttentionBackward::takeQueries(Value firstQuery) {
  copyBlock(Query, Gradient, firstQuery);
  std::array<Statistics, 2> found;
  getStatistics(firstQuery, found);
  b.barrier();
  Values sums(depth / kMmaColumns * kSums, b.scalar(0));
  sums = forEachChunk(
      Key, Val, keys, sums,
      [&](Value first, ArrayRef<Value> bases, ValueRange carried) {
        auto [scores, products] = getProducts(bases);
        scale(scores, [&](int64_t i) {
          return std::pair{getRow(firstQuery, i % kSums / 2),
                           getToken(first, i)};
        });
        // 0 is far above the largest score of some queries, and an infinite
        // power times the zeros of such a key is NaN.
        maskKeys(scores, first);
        for (int64_t i = 0; i < blockSums; ++i) {
          const Statistics &row = found[i % kSums / 2];
          Value power = t.exp2(b.subf(scores[i], row.largest));
          Value p = b.mulf(power, row.inverse);
          Value ds = b.mulf(p, b.subf(products[i], row.delta));
          scores[i] = b.mulf(ds, b.scalar(op.getScale().convertToDouble()));
        }
        Values next(carried);
        add(next, scores, moving[0], bases[0]);
        return next;
      });
  store(QueryGradient, firstQuery, sums);
}

void TensorAttentionBackward::takeKeys(Value firstKey) {
  copyBlock(Key, Val, firstKey);
  int64_t count = depth / kMmaColumns * kSums;
  Values sums(2 * count, b.scalar(0));
  sums = forEachChunk(
      Query, Gradient, queries, sums,
      [&](Value first, ArrayRef<Value> bases, ValueRange carried) {
        auto [scores, products] = getProducts(bases);
        scale(scores, [&](int64_t i) {
          return std::pair{getToken(first, i), getRow(firstKey, i % kSums / 2)};
        });
        for (int64_t i = 0; i < blockSums; ++i) {
          Value entry = b.mul(getToken(first, i), 3);
          Value largest = b.loadShared(statistics, entry);
          Value inverse = b.loadShared(statistics, b.add(entry, 1));
          Value delta = b.loadShared(statistics, b.add(entry, 2));
          Value power = t.exp2(b.subf(scores[i], largest));
          scores[i] = b.mulf(power, inverse);
          Value ds = b.mulf(scores[i], b.subf(products[i], delta));
          products[i] = b.mulf(ds, b.scalar(op.getScale().convertToDouble()));
        }
        Values next(carried);
        MutableArrayRef<Value> all(next);
        add(all.take_front(count), products, moving[0], bases[0]);
        add(all.drop_front(count), scores, moving[1], bases[1]);
        return next;
      });
  store(KeyGradient, firstKey, ArrayRef<Value>(sums).take_front(count));
  store(ValueGradient, firstKey, ArrayRef<Value>(sums).drop_front(count));
}

void TensorAttentionBackward::store(Argument argument, Value first,
                                    ArrayRef<Value> sums) {
  int64_t tokens = shapes[argument].tokens;
  for (int64_t half : {0, 1}) {
    Value token = getRow(first, half);
    b.ifThen(b.isLess(token, b.index(tokens)), [&] {
      Value to = at(argument, token);
      for (size_t i = 2 * half; i < sums.size(); i += kSums)
        t.storePair(sums.slice(i, 2), number(argument),
                    b.add(to, getColumn(b, t, static_cast<int64_t>(i))));
    });
  }
}

void TensorAttentionBackward::emit() {
  auto forEachBlock = [&](int64_t tokens, function_ref<void(Value)> body) {
    b.loop(0, llvm::divideCeil(tokens, tile.getRows()),
           [&](Value number) { body(b.mul(number, tile.getRows())); });
  };
  forEachBlock(queries, [&](Value first) { takeQueries(first); });
  forEachBlock(keys, [&](Value first) { takeKeys(first); });
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(kernel::AttentionBackwardOp op) {
  kernel::TileAttr tile = op.getTile();
  int64_t width = kernel::padTo(op.getHeadDim(), kernel::kChannelPad);
  int64_t chunks = width / Operands::of(op).chunk();
  if (tile.getThreads() * kMmaRows == tile.getRows() * kWarp &&
      tile.getCols() == width && tile.getChunk() % kPairColumns == 0 &&
      tile.getRows() % tile.getChunk() == 0 &&
      canShare(tile.getThreads(), tile.getRows(), chunks, /*run=*/2) &&
      canShare(tile.getThreads(), tile.getChunk(), chunks, /*run=*/2))
    return success();
  return op.emitOpError("has a tile that its warps do not cover: ") << tile;
}

FailureOr<KernelInfo>
mlir::vit::cuda::emitTensorAttentionBackward(kernel::AttentionBackwardOp op,
                                             SimtBuilder &b) {
  return emitMatrixBackward<TensorAttentionBackward>(op, b, verifyTile);
}
