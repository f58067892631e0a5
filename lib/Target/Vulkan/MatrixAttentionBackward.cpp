//===- MatrixAttentionBackward.cpp - Attention's adjoint by matrices ------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As in Simt/AttentionBackward.cpp, by cooperative matrices: a workgroup takes
// one head of one image. For each block of queries it computes the statistics
// of the queries in one pass over the keys and dq in another, then for each
// block of keys dk and dv in a pass over the queries. Workgroup memory holds
// both operands of the block, those of `chunk` tokens of the pass, and for
// these the products in f32: scores and dp, which are transposed in the passes
// over queries. From there p and scale * ds are rounded and stored as left
// operands of the next products, whose sums stay in matrices.
//
// Two subgroups share 16 rows of a block: one makes the scores, the other dp;
// they have half the columns of dq each, then one dk, the other dv. For
// everything else four threads share a row and take a quarter of the columns.
//
//===----------------------------------------------------------------------===//

#include "MatrixEmitters.h"

#include "../Common/Math.h"
#include "../Simt/AttentionBackward.h"
#include "../Simt/NarrowVectors.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;
using namespace mlir::vit::vulkan;

using Reduction = SimtBuilder::Reduction;

/// Subgroups that share the rows of a matrix of a block, and threads that share
/// a row.
static constexpr int64_t kSharing = 2, kThreadsPerRow = 4;

namespace {
class MatrixAttentionBackward : AttentionBackwardHead {
public:
  MatrixAttentionBackward(kernel::AttentionBackwardOp op, SimtBuilder &b,
                          ArrayRef<Activation> shapes);
  void emit();

private:
  using Values = SmallVector<Value>;

  /// Two matrices in workgroup memory, one after the other, of rows of `pitch`
  /// vectors.
  struct Pair {
    int64_t rows, pitch;
    Value memory;
    int64_t size() const { return rows * pitch; } ///< of one matrix
  };
  /// The beginning of the matrix of a pair that this subgroup takes.
  Value getOwn(const Pair &pair) { return b.mul(turn, pair.size()); }

  /// What is needed to recompute the probabilities of a query. Of each, an
  /// f32, or a vector for four of them.
  struct Statistics {
    Value largest, inverse, delta;
  };
  /// A vector of scores times log2(e), with the bias, and of dp.
  struct Products {
    Value scores, terms;
  };

  /// Copies tokens of two arguments from `first` on, the last one in place of
  /// those after it.
  void copy(const Pair &pair, Argument left, Argument right, Value first);
  /// Copies tokens of the pass and multiplies them by the block.
  void makeProducts(Argument left, Argument right, Value first);
  /// Vector `i` of those that this thread takes: its number in a row.
  Value getVector(int64_t i) { return b.add(quarter, i * kThreadsPerRow); }
  /// Loads vector `i` of this thread. `tokens` returns the query and the key of
  /// a column.
  Products load(int64_t i,
                function_ref<std::pair<Value, Value>(Value column)> getTokens);
  /// Vector `i` of this thread with zeros for keys that do not exist.
  Value maskKeys(int64_t i, Value first, Value four);
  /// p and scale * ds.
  std::pair<Value, Value> getFactors(const Products &products,
                                     const Statistics &statistics);
  void putFactor(int64_t which, int64_t i, Value factor);
  /// Adds the products of factors and operands of the pass with number `which`,
  /// of the columns that begin at these vectors.
  void multiply(MutableArrayRef<Value> sums, ArrayRef<Value> columns,
                Value which);
  Statistics getStatistics(Value firstQuery);
  void takeQueries(Value firstQuery);
  void takeKeys(Value firstKey);
  /// Calls `body` for vectors of 4 sums of a matrix, with the row of the block
  /// and the number of the vector in the matrix.
  void
  forEachVector(Value sums,
                function_ref<void(Value row, Value vector, Value four)> body);
  void store(Argument argument, Value first, Value row, Value vector,
             Value four);

  MatrixShape shape;
  int64_t rows, chunk; ///< of a block and of a step of a pass
  int64_t ownVectors;  ///< of a thread
  Pair block, moving, products, factors;
  Value statistics; ///< largest, inverse and delta of all queries
  int64_t paddedQueries;
  Value subgroup, lane;
  Value firstRow, turn; ///< of the subgroup: its rows, its number among two
  Value row, quarter;   ///< of the thread
};
} // namespace

MatrixAttentionBackward::MatrixAttentionBackward(kernel::AttentionBackwardOp op,
                                                 SimtBuilder &b,
                                                 ArrayRef<Activation> shapes)
    : AttentionBackwardHead(op, b, shapes), shape(getMatrixShape(b)),
      rows(op.getTile().getRows()), chunk(op.getTile().getChunk()),
      ownVectors(chunk / kVectorLanes / kThreadsPerRow),
      paddedQueries(kernel::padTo(queries, rows)) {
  auto allocate = [&](int64_t rows, int64_t pitch) {
    return Pair{rows, pitch, b.allocateNarrow(2 * rows * pitch)};
  };
  block = allocate(rows, vectors + kGap);
  moving = allocate(chunk, vectors + kGap);
  factors = allocate(rows, chunk / kVectorLanes + kGap);
  int64_t productPitch = chunk / kVectorLanes + 1;
  products = {rows, productPitch, b.allocateShared4(2 * rows * productPitch)};
  statistics = b.allocateShared(3 * paddedQueries);
  image = b.div(b.unit(), heads);
  head = b.rem(b.unit(), heads);
  subgroup = gpu::SubgroupIdOp::create(b, /*upper_bound=*/nullptr);
  lane = gpu::LaneIdOp::create(b, /*upper_bound=*/nullptr);
  firstRow = b.mul(b.div(subgroup, kSharing), shape.rows);
  turn = b.rem(subgroup, kSharing);
  row = b.div(b.thread(), kThreadsPerRow);
  quarter = b.rem(b.thread(), kThreadsPerRow);
}

void MatrixAttentionBackward::copy(const Pair &pair, Argument left,
                                   Argument right, Value first) {
  Value last = b.index(shapes[left].tokens - 1);
  b.loop(
      b.thread(), b.index(pair.rows * vectors), b.threads(), [&](Value item) {
        Value row = b.div(item, vectors), vector = b.rem(item, vectors);
        Value token = b.min(b.add(first, row), last);
        Value to = b.add(b.mul(row, pair.pitch), vector);
        for (Argument argument : {left, right}) {
          Value from = b.add(at(argument, token), vector);
          b.storeShared(b.loadNarrow4(number(argument), from), pair.memory, to);
          to = b.add(to, pair.size());
        }
      });
}

void MatrixAttentionBackward::makeProducts(Argument left, Argument right,
                                           Value first) {
  copy(moving, left, right, first);
  b.barrier();
  Value from = b.add(getOwn(block), b.mul(firstRow, block.pitch));
  Value to = b.add(getOwn(products), b.mul(firstRow, products.pitch));
  for (int64_t column = 0; column < chunk; column += shape.columns) {
    Value sum = makeZeroMatrix(b);
    for (int64_t depth = 0; depth < vectors; depth += shape.depthVectors()) {
      Value own = loadLeft(b, block.memory, b.add(from, depth), block.pitch);
      Value other = loadRight(
          b, moving.memory,
          b.add(getOwn(moving), column * moving.pitch + depth), moving.pitch,
          /*transposed=*/true);
      sum = multiplyMatrices(b, own, other, sum);
    }
    storeMatrix(b, sum, products.memory, b.add(to, column / kVectorLanes),
                products.pitch);
  }
  b.barrier();
}

MatrixAttentionBackward::Products MatrixAttentionBackward::load(
    int64_t i, function_ref<std::pair<Value, Value>(Value column)> getTokens) {
  Value from = b.add(b.mul(row, products.pitch), getVector(i));
  Products found;
  found.scores =
      b.mulf(b.loadShared(products.memory, from), b.splat(scale * kLog2E));
  found.terms = b.loadShared(products.memory, b.add(from, products.size()));
  if (!hasBias)
    return found;
  Values biases;
  for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
    auto [query, key] =
        getTokens(b.add(b.mul(getVector(i), kVectorLanes), lane));
    biases.push_back(b.load(kBias, biasAt(b.min(query, b.index(queries - 1)),
                                          b.min(key, b.index(keys - 1)))));
  }
  found.scores = b.fma(b.fromElements(biases), b.splat(kLog2E), found.scores);
  return found;
}

Value MatrixAttentionBackward::maskKeys(int64_t i, Value first, Value four) {
  if (keys % chunk == 0)
    return four;
  Values lanes;
  for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
    Value key = b.add(b.add(first, b.mul(getVector(i), kVectorLanes)), lane);
    lanes.push_back(b.select(b.isLess(key, b.index(keys)),
                             b.extract(four, lane), b.scalar(0)));
  }
  return b.fromElements(lanes);
}

std::pair<Value, Value>
MatrixAttentionBackward::getFactors(const Products &products,
                                    const Statistics &statistics) {
  Value power =
      emitExp2OfNegative(b, b.subf(products.scores, statistics.largest));
  Value p = b.mulf(power, statistics.inverse);
  Value ds = b.mulf(p, b.subf(products.terms, statistics.delta));
  return {p, b.mulf(ds, b.splat(scale))};
}

void MatrixAttentionBackward::putFactor(int64_t which, int64_t i,
                                        Value factor) {
  Value to = b.add(b.mul(row, factors.pitch), getVector(i));
  b.storeShared(emitNarrow4(b, b.elementType(Query), factor), factors.memory,
                b.add(to, which * factors.size()));
}

void MatrixAttentionBackward::multiply(MutableArrayRef<Value> sums,
                                       ArrayRef<Value> columns, Value which) {
  b.barrier();
  Value from =
      b.add(b.mul(which, factors.size()), b.mul(firstRow, factors.pitch));
  Value operand = b.mul(which, moving.size());
  for (int64_t depth = 0; depth < chunk; depth += shape.depth) {
    Value left = loadLeft(b, factors.memory, b.add(from, depth / kVectorLanes),
                          factors.pitch);
    for (auto [sum, column] : llvm::zip(sums, columns)) {
      Value at = b.add(b.add(operand, column), depth * moving.pitch);
      Value right = loadRight(b, moving.memory, at, moving.pitch,
                              /*transposed=*/false);
      sum = multiplyMatrices(b, left, right, sum);
    }
  }
  b.barrier();
}

MatrixAttentionBackward::Statistics
MatrixAttentionBackward::getStatistics(Value firstQuery) {
  // Of this thread's keys: the largest score, and the sums of exponentials
  // relative to it and of their products with dp.
  Values carried = {b.scalar(-std::numeric_limits<double>::infinity()),
                    b.scalar(0), b.scalar(0)};
  Value query = b.add(firstQuery, row);
  carried = b.loop(
      llvm::divideCeil(keys, chunk), carried,
      [&](Value number, ValueRange values) {
        Value first = b.mul(number, chunk);
        makeProducts(Key, Val, first);
        Value largest = values[0], sum = values[1], dot = values[2];
        SmallVector<Products> found;
        for (int64_t i = 0; i < ownVectors; ++i) {
          found.push_back(load(i, [&](Value column) {
            return std::pair{query, b.add(first, column)};
          }));
          // A key past the end repeats the last one, so the maximum is not
          // affected.
          largest =
              b.combine(Reduction::Max,
                        b.reduce(Reduction::Max, found[i].scores), largest);
        }
        Value shrink = emitExp2OfNegative(b, b.subf(values[0], largest));
        sum = b.mulf(sum, shrink);
        dot = b.mulf(dot, shrink);
        for (int64_t i = 0; i < ownVectors; ++i) {
          Value powers =
              maskKeys(i, first,
                       emitExp2OfNegative(
                           b, b.subf(found[i].scores, b.broadcast(largest))));
          sum = b.addf(sum, b.reduce(Reduction::Add, powers));
          dot = b.addf(
              dot, b.reduce(Reduction::Add, b.mulf(powers, found[i].terms)));
        }
        return Values{largest, sum, dot};
      });
  Value largest = b.reduceWorkgroup(Reduction::Max, carried[0], kThreadsPerRow);
  Value shrink = emitExp2OfNegative(b, b.subf(carried[0], largest));
  auto reduce = [&](Value sum) {
    return b.reduceWorkgroup(Reduction::Add, b.mulf(sum, shrink),
                             kThreadsPerRow);
  };
  Value inverse = b.divf(b.scalar(1), reduce(carried[1]));
  return {largest, inverse, b.mulf(reduce(carried[2]), inverse)};
}

void MatrixAttentionBackward::takeQueries(Value firstQuery) {
  copy(block, Query, Gradient, firstQuery);
  Statistics found = getStatistics(firstQuery);
  Value query = b.add(firstQuery, row);
  // All probabilities of a query that does not exist are zero.
  Value exists = b.isLess(query, b.index(queries));
  Value infinity = b.scalar(std::numeric_limits<double>::infinity());
  Value entries[] = {b.select(exists, found.largest, infinity),
                     b.select(exists, found.inverse, b.scalar(0)),
                     b.select(exists, found.delta, b.scalar(0))};
  b.ifThen(b.isEqual(quarter, b.index(0)), [&] {
    for (auto [i, entry] : llvm::enumerate(entries))
      b.storeShared(entry, statistics,
                    b.add(query, static_cast<int64_t>(i) * paddedQueries));
  });
  Statistics splat = {b.broadcast(found.largest), b.broadcast(found.inverse),
                      b.broadcast(found.delta)};
  // If the number of columns is odd, both subgroups compute the last one.
  int64_t across = shape.columnVectors(), count = vectors / across;
  Values columns, sums(llvm::divideCeil(count, kSharing), makeZeroMatrix(b));
  for (int64_t i = 0; i < count; i += kSharing)
    columns.push_back(b.mul(b.min(b.add(turn, i), b.index(count - 1)), across));
  sums = b.loop(
      llvm::divideCeil(keys, chunk), sums,
      [&](Value number, ValueRange carried) {
        Value first = b.mul(number, chunk);
        makeProducts(Key, Val, first);
        for (int64_t i = 0; i < ownVectors; ++i) {
          Products found = load(i, [&](Value column) {
            return std::pair{query, b.add(first, column)};
          });
          putFactor(0, i, maskKeys(i, first, getFactors(found, splat).second));
        }
        Values next(carried);
        multiply(next, columns, b.index(0));
        return next;
      });
  for (auto [i, sum] : llvm::enumerate(sums)) {
    bool isShared = kSharing * i + 1 == static_cast<size_t>(count);
    forEachVector(
        sum, [&, column = columns[i]](Value row, Value vector, Value four) {
          auto storeOne = [&] {
            store(QueryGradient, firstQuery, row, b.add(column, vector), four);
          };
          if (isShared)
            b.ifThen(b.isEqual(turn, b.index(0)), storeOne);
          else
            storeOne();
        });
  }
}

void MatrixAttentionBackward::takeKeys(Value firstKey) {
  copy(block, Key, Val, firstKey);
  Value key = b.add(firstKey, row);
  int64_t across = shape.columnVectors();
  Values columns, sums(vectors / across, makeZeroMatrix(b));
  for (int64_t i = 0; i < vectors; i += across)
    columns.push_back(b.index(i));
  sums = b.loop(
      llvm::divideCeil(queries, chunk), sums,
      [&](Value number, ValueRange carried) {
        Value first = b.mul(number, chunk);
        makeProducts(Query, Gradient, first);
        for (int64_t i = 0; i < ownVectors; ++i) {
          Products found = load(i, [&](Value column) {
            return std::pair{b.add(first, column), key};
          });
          Value query = b.add(first, b.mul(getVector(i), kVectorLanes));
          auto loadFour = [&](int64_t which) {
            Values four;
            for (int64_t lane = 0; lane < kVectorLanes; ++lane)
              four.push_back(b.loadShared(
                  statistics, b.add(query, which * paddedQueries + lane)));
            return b.fromElements(four);
          };
          auto [p, ds] =
              getFactors(found, {loadFour(0), loadFour(1), loadFour(2)});
          putFactor(0, i, ds);
          putFactor(1, i, p);
        }
        Values next(carried);
        multiply(next, columns, turn);
        return next;
      });
  for (auto [sum, column] : llvm::zip(sums, columns))
    forEachVector(sum,
                  [&, column = column](Value row, Value vector, Value four) {
                    Value at = b.add(column, vector);
                    b.ifThen(
                        b.isEqual(turn, b.index(0)),
                        [&] { store(KeyGradient, firstKey, row, at, four); },
                        [&] { store(ValueGradient, firstKey, row, at, four); });
                  });
}

void MatrixAttentionBackward::forEachVector(
    Value sums, function_ref<void(Value, Value, Value)> body) {
  int64_t across = shape.columnVectors(), count = shape.rows * across;
  // The products are no longer read.
  Value mine = b.mul(subgroup, count);
  storeMatrix(b, sums, products.memory, mine, across);
  b.barrier();
  for (int64_t first = 0; first < count; first += shape.subgroup) {
    Value item = b.add(lane, first);
    body(b.add(firstRow, b.div(item, across)), b.rem(item, across),
         b.loadShared(products.memory, b.add(mine, item)));
  }
  b.barrier(); // The next matrix overwrites this one.
}

void MatrixAttentionBackward::store(Argument argument, Value first, Value row,
                                    Value vector, Value four) {
  int64_t tokens = shapes[argument].tokens;
  Value token = b.add(first, row);
  auto storeFour = [&] {
    b.store4(four, number(argument), b.add(at(argument, token), vector));
  };
  if (tokens % rows == 0)
    storeFour();
  else
    b.ifThen(b.isLess(token, b.index(tokens)), storeFour);
}

void MatrixAttentionBackward::emit() {
  auto forEachBlock = [&](int64_t tokens, function_ref<void(Value)> body) {
    b.loop(0, llvm::divideCeil(tokens, rows),
           [&](Value number) { body(b.mul(number, rows)); });
  };
  forEachBlock(queries, [&](Value first) { takeQueries(first); });
  forEachBlock(keys, [&](Value first) { takeKeys(first); });
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(kernel::AttentionBackwardOp op,
                                const MatrixShape &shape) {
  kernel::TileAttr tile = op.getTile();
  if (tile.getRows() % shape.rows == 0 &&
      tile.getThreads() == kThreadsPerRow * tile.getRows() &&
      tile.getThreads() * shape.rows ==
          tile.getRows() * kSharing * shape.subgroup &&
      tile.getCols() == kernel::padTo(op.getHeadDim(), kernel::kChannelPad) &&
      tile.getChunk() % shape.columns == 0 &&
      tile.getChunk() % shape.depth == 0 &&
      tile.getRows() % tile.getChunk() == 0)
    return success();
  return op.emitOpError("has a tile that its subgroups do not cover: ") << tile;
}

FailureOr<KernelInfo>
vulkan::emitMatrixAttentionBackward(kernel::AttentionBackwardOp op,
                                    SimtBuilder &b) {
  return emitMatrixBackward<MatrixAttentionBackward>(
      op, b, [&](kernel::AttentionBackwardOp backward) {
        return verifyTile(backward, getMatrixShape(b));
      });
}
