//===- MatrixAttention.cpp - Attention by cooperative matrices ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// softmax(scale q k^T) v in one pass over blocks of `chunk` keys, as described
// in Simt/Attention.h. Workgroup memory holds the queries and a block of keys,
// later of values, as they are stored, the exponentials of a block rounded to
// bf16, and a block of products in f32: the scores, then what the values add.
// Products go through workgroup memory because it is not known which element of
// a matrix an invocation has.
//
// Two subgroups share the rows of a matrix of queries, of which they take the
// matrices of a block of products in turn. For everything else four threads
// share a query: each takes a quarter of the keys of the block for the
// exponentials, and a quarter of the vectors of the head for the sums.
//
//===----------------------------------------------------------------------===//

#include "MatrixEmitters.h"

#include "../Common/Math.h"
#include "../Simt/Attention.h"
#include "../Simt/NarrowVectors.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using namespace mlir::vit::vulkan;

using Reduction = SimtBuilder::Reduction;

/// Subgroups that share the queries of a matrix, and threads that share a
/// query.
static constexpr int64_t kSharing = 2, kThreadsPerQuery = 4;

namespace {
class MatrixAttention {
public:
  explicit MatrixAttention(Attention &a);
  void emit();

private:
  using Values = SmallVector<Value>;

  /// Copies `count` tokens of an argument from `first` on, the last one in
  /// place of those after it, to rows of `pitch` vectors.
  void copy(Attention::Argument argument, Value memory, int64_t count,
            Value first);
  void makeScores();
  /// `carried`: the largest score, the part of this thread in the sum of
  /// exponentials, and its sums of values. Returns them relative to the largest
  /// score of this block, too, with the exponentials of the block added.
  Values makePowers(Value first, ValueRange carried);
  void multiplyValues();
  Values addBlock(Value first, ValueRange carried);

  Attention &a;
  SimtBuilder &b;
  MatrixShape shape;
  int64_t rows, keys; ///< queries of a workgroup, keys of a block
  int64_t pitch;      ///< vectors from a query, key or value to the next
  int64_t powerPitch, productPitch;       ///< from a query to the next
  int64_t ownPowers, ownSums;             ///< vectors of a thread
  Value queries, block, powers, products; ///< workgroup memory
  Value firstRow, turn; ///< of the subgroup: its queries, its first matrix
  Value row, quarter;   ///< of the thread
};
} // namespace

MatrixAttention::MatrixAttention(Attention &a)
    : a(a), b(a.b), shape(getMatrixShape(b)), rows(a.tile.getRows()),
      keys(a.tile.getChunk()), pitch(a.vectors + kGap),
      powerPitch(keys / kVectorLanes + kGap),
      productPitch(std::max(keys / kVectorLanes, a.vectors) + 1),
      ownPowers(keys / kVectorLanes / kThreadsPerQuery),
      ownSums(a.vectors / kThreadsPerQuery) {
  queries = b.allocateNarrow(rows * pitch);
  block = b.allocateNarrow(keys * pitch);
  powers = b.allocateNarrow(rows * powerPitch);
  products = b.allocateShared4(rows * productPitch);
  Value subgroup = gpu::SubgroupIdOp::create(b, /*upper_bound=*/nullptr);
  firstRow = b.mul(b.div(subgroup, kSharing), shape.rows);
  turn = b.rem(subgroup, kSharing);
  row = b.div(b.thread(), kThreadsPerQuery);
  quarter = b.rem(b.thread(), kThreadsPerQuery);
}

void MatrixAttention::copy(Attention::Argument argument, Value memory,
                           int64_t count, Value first) {
  Value last = b.index(a.shapes[argument].tokens - 1);
  b.loop(b.thread(), b.index(count * a.vectors), a.tile.getThreads(),
         [&](Value item) {
           Value row = b.div(item, a.vectors), vector = b.rem(item, a.vectors);
           Value token = b.min(b.add(first, row), last);
           Value words =
               b.loadNarrow4(a.number(argument), a.at(argument, token, vector));
           b.storeShared(words, memory, b.add(b.mul(row, pitch), vector));
         });
}

void MatrixAttention::makeScores() {
  for (int64_t i = 0; i < keys / shape.columns; i += kSharing) {
    Value column = b.mul(b.add(turn, i), shape.columns);
    Value sum = makeZeroMatrix(b);
    for (int64_t depth = 0; depth < a.vectors; depth += shape.depthVectors()) {
      Value left =
          loadLeft(b, queries, b.add(b.mul(firstRow, pitch), depth), pitch);
      Value right = loadRight(b, block, b.add(b.mul(column, pitch), depth),
                              pitch, /*transposed=*/true);
      sum = multiplyMatrices(b, left, right, sum);
    }
    storeMatrix(
        b, sum, products,
        b.add(b.mul(firstRow, productPitch), b.div(column, kVectorLanes)),
        productPitch);
  }
}

SmallVector<Value> MatrixAttention::makePowers(Value first,
                                               ValueRange carried) {
  Value own = b.mul(quarter, ownPowers);
  Value from = b.add(b.mul(row, productPitch), own);
  Value query = b.add(a.firstQuery, row);
  Values scores, existing;
  // A key past the end repeats the last one, so the maximum is not affected.
  Value largest = carried[0];
  for (int64_t i = 0; i < ownPowers; ++i) {
    Value four =
        b.mulf(b.loadShared(products, b.add(from, i)), b.splat(a.factor));
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Value key = b.add(b.add(first, b.mul(b.add(own, i), kVectorLanes)), lane);
      scores.push_back(a.addBias(b.extract(four, lane), query, key));
      existing.push_back(b.isLess(key, b.index(a.keys)));
      largest = b.combine(Reduction::Max, scores.back(), largest);
    }
  }
  largest = b.reduceWorkgroup(Reduction::Max, largest, kThreadsPerQuery);
  Value shrink = emitExp2OfNegative(b, b.subf(carried[0], largest));
  Value sum = b.mulf(carried[1], shrink);
  for (auto [score, exists] : llvm::zip(scores, existing)) {
    score = a.getPower(b.subf(score, largest));
    if (a.keys % keys != 0)
      score = b.select(exists, score, b.scalar(0));
    sum = b.addf(sum, score);
  }
  Value to = b.add(b.mul(row, powerPitch), own);
  for (int64_t i = 0; i < ownPowers; ++i) {
    auto four = ArrayRef<Value>(scores).slice(i * kVectorLanes, kVectorLanes);
    b.storeShared(
        emitNarrow4(b, b.elementType(Attention::Query), b.fromElements(four)),
        powers, b.add(to, i));
  }
  Values next = {largest, sum};
  for (Value value : carried.drop_front(2))
    next.push_back(b.mulf(value, b.broadcast(shrink)));
  return next;
}

void MatrixAttention::multiplyValues() {
  Values lefts;
  for (int64_t depth = 0; depth < keys; depth += shape.depth)
    lefts.push_back(loadLeft(
        b, powers, b.add(b.mul(firstRow, powerPitch), depth / kVectorLanes),
        powerPitch));
  int64_t count = a.vectors / shape.columnVectors();
  for (int64_t i = 0; i < count; i += kSharing) {
    Value vector = b.mul(b.add(turn, i), shape.columnVectors());
    auto multiply = [&] {
      Value sum = makeZeroMatrix(b);
      for (auto [depth, left] : llvm::enumerate(lefts)) {
        int64_t key = static_cast<int64_t>(depth) * shape.depth;
        Value right = loadRight(b, block, b.add(vector, key * pitch), pitch,
                                /*transposed=*/false);
        sum = multiplyMatrices(b, left, right, sum);
      }
      storeMatrix(b, sum, products,
                  b.add(b.mul(firstRow, productPitch), vector), productPitch);
    };
    if (i + kSharing <= count)
      multiply();
    else
      b.ifThen(b.isLess(turn, b.index(count - i)), multiply);
  }
}

SmallVector<Value> MatrixAttention::addBlock(Value first, ValueRange carried) {
  // No thread reads the last values any more.
  copy(Attention::Key, block, keys, first);
  b.barrier();
  makeScores();
  b.barrier();
  copy(Attention::Val, block, keys, first);
  Values next = makePowers(first, carried);
  b.barrier();
  multiplyValues();
  b.barrier();
  Value from = b.add(b.mul(row, productPitch), quarter);
  for (int64_t i = 0; i < ownSums; ++i) {
    Value &sum = next[2 + i];
    Value added = b.loadShared(products, b.add(from, i * kThreadsPerQuery));
    sum = b.addf(sum, added);
  }
  return next;
}

void MatrixAttention::emit() {
  copy(Attention::Query, queries, rows, a.firstQuery);
  Values carried = {b.scalar(-std::numeric_limits<double>::infinity()),
                    b.scalar(0)};
  carried.append(ownSums, b.splat(0));
  carried = b.loop(llvm::divideCeil(a.keys, keys), carried,
                   [&](Value number, ValueRange values) {
                     return addBlock(b.mul(number, keys), values);
                   });
  Value sum = b.reduceWorkgroup(Reduction::Add, carried[1], kThreadsPerQuery);
  Value inverse = b.broadcast(b.divf(b.scalar(1), sum));
  Value token = b.add(a.firstQuery, row);
  a.ifQuery(token, [&] {
    for (int64_t i = 0; i < ownSums; ++i)
      b.store4(
          b.mulf(carried[2 + i], inverse), a.number(Attention::Result),
          a.at(Attention::Result, token, b.add(quarter, i * kThreadsPerQuery)));
  });
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(const Attention &a) {
  kernel::TileAttr tile = a.tile;
  MatrixShape shape = getMatrixShape(a.b);
  if (tile.getRows() % shape.rows == 0 &&
      tile.getThreads() == kThreadsPerQuery * tile.getRows() &&
      tile.getThreads() * shape.rows ==
          tile.getRows() * kSharing * shape.subgroup &&
      tile.getCols() == a.vectors * kVectorLanes &&
      tile.getChunk() % (kSharing * shape.columns) == 0 &&
      tile.getChunk() % shape.depth == 0)
    return success();
  kernel::AttentionOp op = a.op;
  return op.emitOpError("has a tile that its subgroups do not cover: ") << tile;
}

FailureOr<KernelInfo> vulkan::emitMatrixAttention(kernel::AttentionOp op,
                                                  SimtBuilder &b) {
  FailureOr<Attention> a = Attention::get(op, b);
  if (failed(a) || failed(verifyTile(*a)))
    return failure();
  a->locate(b.unit());
  MatrixAttention(*a).emit();
  return a->getInfo();
}
