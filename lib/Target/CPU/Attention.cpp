//===- Attention.cpp - Softmax attention, fused ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is a chunk of query row blocks of one head of one image. The keys
// of the head are transposed into scratch once. Then each row block of queries
// computes its scores S = Q K^T in scratch (a few KB, in L1), replaces them by
// exponentials relative to the largest score of the row (in two passes), and
// multiplies by the values, which are read in their layout. The result is
// scaled by the reciprocal of the sum of exponentials. A bias is added to the
// scores in the pass that finds the largest one.
//
// If keys and values do not fit the cache, some row blocks of queries go
// through each of these steps together, so that what they read is read once for
// all.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

/// Bytes of a head's keys from which on the row blocks of queries are grouped,
/// and the number of row blocks of a group, whose scores stay in the
/// second-level cache.
static constexpr int64_t kGroupedBytes = 256 << 10;
static constexpr int64_t kGroupBlocks = 4;

namespace {
struct Attention {
  kernel::AttentionOp op;
  KernelBuilder &b;
  Blocked query, key, value, result;
  Scores products;
  int64_t heads, headDim, headVectors;
  Value transposed;  ///< scratch: the keys of the head
  Value scores;      ///< scratch: the scores of a group of row blocks
  int64_t group;     ///< row blocks of queries
  Value reciprocals; ///< scratch: a vector for each row of a group

  int64_t scoreRow() const { return products.rowElements(); }
  /// Returns the offset of `head` in the row block at `base` of operand
  /// `operand`.
  Value getHead(unsigned operand, const Blocked &shape, Value base, Value head);
  /// Computes those of the scores at `base` and returns the factors of the
  /// rows.
  SmallVector<Value> computeExponentials(const RowBlock &block, Value base,
                                         Value head);
  /// Returns the offsets in the bias of the rows of the block; padded rows have
  /// that of the last token.
  SmallVector<Value> getBiasRows(const RowBlock &block, Value head);
  /// Returns the argument that is result `number`.
  Value getResult(unsigned number) {
    return b.argument(op->getNumOperands() + number);
  }
  void storeProbabilities(const RowBlock &block, Value base, Value image,
                          Value head, ArrayRef<Value> factors);
  /// The sum of a strip of `width` vectors of the values.
  void sumStrip(const RowBlock &block, Value base, Value image, Value head,
                Value firstVector, int64_t width, ArrayRef<Value> factors);
  void forEachStrip(function_ref<void(Value firstVector, int64_t width)> body);
  RowBlock getQueries(Value image, Value local);
  void emitBlock(Value image, Value head, Value local);
  void emitGroup(Value image, Value head, Value first, Value blocks);
  void emit(int64_t chunk);
};
} // namespace

Value Attention::getHead(unsigned operand, const Blocked &shape, Value base,
                         Value head) {
  return getHeadOffset(b, shape, base, head, headVectors,
                       op.getOffsets()[operand]);
}

SmallVector<Value> Attention::getBiasRows(const RowBlock &block, Value head) {
  SmallVector<Value> offsets;
  for (int64_t row = 0; row < query.rows; ++row) {
    Value token = b.add(b.mul(block.local, query.rows), row);
    if (query.mayBePadding(row))
      token = b.min(token, b.index(query.tokens - 1));
    offsets.push_back(
        b.mul(b.add(b.mul(head, query.tokens), token), key.tokens));
  }
  return offsets;
}

SmallVector<Value> Attention::computeExponentials(const RowBlock &block,
                                                  Value base, Value head) {
  int64_t rows = query.rows;
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
    return b.add(b.add(base, b.mul(vector, kVectorLanes)), row * scoreRow());
  };
  auto visitScores = [&](double start,
                         function_ref<Value(Value vector, int64_t row,
                                            int64_t lanes, Value carried)>
                             body) {
    return forEachVector(b, key.tokens, Carried(rows, b.splat(start)),
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
    power = b.keepLanes(power, lanes);
    b.store(power, scores, at(vector, row));
    return b.combine(Reduction::Add, carried, power);
  });
  // Clear the scores of padded keys after the last vector that has a token.
  for (int64_t v = llvm::divideCeil(key.tokens, kVectorLanes);
       v < scoreRow() / kVectorLanes; ++v)
    for (int64_t row = 0; row < rows; ++row)
      b.store(b.splat(0), scores, at(b.index(v), row));
  Value one = b.scalar(1);
  for (Value &sum : sums)
    sum = b.broadcast(b.divf(one, b.reduce(Reduction::Add, sum)));
  return sums;
}

void Attention::storeProbabilities(const RowBlock &block, Value scoresBase,
                                   Value image, Value head,
                                   ArrayRef<Value> factors) {
  Value target = getResult(1);
  Value matrix = b.mul(b.add(b.mul(image, heads), head), query.tokens);
  for (int64_t row = 0; row < query.rows; ++row) {
    Value token = b.add(b.mul(block.local, query.rows), row);
    auto storeRow = [&] {
      Value base = b.mul(b.add(matrix, token), key.tokens);
      forEachVector(b, key.tokens, {}, [&](Value v, int64_t lanes, Carried) {
        Value offset = b.mul(v, kVectorLanes);
        Value from = b.add(b.add(scoresBase, offset), row * scoreRow());
        Value p = b.load(scores, from);
        b.storeLanes(b.mulf(p, factors[row]), target, b.add(base, offset),
                     lanes);
        return Carried();
      });
    };
    if (query.mayBePadding(row))
      b.ifThen(b.isLess(token, b.index(query.tokens)), storeRow);
    else
      storeRow();
  }
}

void Attention::forEachStrip(
    function_ref<void(Value firstVector, int64_t width)> body) {
  int64_t width = b.stripVectors(result.rows, headVectors);
  b.loop(0, headVectors / width,
         [&](Value strip) { body(b.mul(strip, width), width); });
}

void Attention::sumStrip(const RowBlock &block, Value scoresBase, Value image,
                         Value head, Value firstVector, int64_t width,
                         ArrayRef<Value> factors) {
  int64_t rows = result.rows;
  Value base =
      getHead(2, value,
              b.mul(image, value.blocksPerImage * value.blockElements()), head);
  Tile tile;
  tile.rows = rows;
  tile.vectors = width;
  tile.steps = value.blocksPerImage;
  tile.unroll = value.rows;
  tile.left = scores;
  tile.leftBase = scoresBase;
  tile.leftRow = scoreRow();
  tile.leftStep = value.rows;
  tile.right = b.argument(2);
  tile.rightBase = b.add(base, b.mul(firstVector, value.vectorElements()));
  tile.rightDepth = kChannelPad;
  tile.rightStep = value.blockElements();
  tile.rightVector = value.vectorElements();
  SmallVector<Value> sums = emitTile(b, tile);
  Value target =
      b.add(block.base, b.mul(b.add(b.mul(head, headVectors), firstVector),
                              result.vectorElements()));
  for (int64_t v = 0; v < width; ++v)
    for (int64_t row = 0; row < rows; ++row) {
      Value x = b.mulf(sums[row * width + v], factors[row]);
      b.store(zeroPaddedRow(b, result, block, row, x), getResult(0),
              b.add(target, v * result.vectorElements() + row * kChannelPad));
    }
}

RowBlock Attention::getQueries(Value image, Value local) {
  Value number = b.add(b.mul(image, result.blocksPerImage), local);
  RowBlock block = getRowBlock(b, result, number);
  block.local = local;
  return block;
}

void Attention::emitBlock(Value image, Value head, Value local) {
  RowBlock block = getQueries(image, local);
  Value from = b.mul(block.block, query.blockElements());
  Value base = b.index(0);
  products.multiply(b.argument(0), getHead(0, query, from, head), transposed,
                    scores, base);
  SmallVector<Value> factors = computeExponentials(block, base, head);
  if (op.getProbabilities())
    storeProbabilities(block, base, image, head, factors);
  forEachStrip([&](Value firstVector, int64_t width) {
    sumStrip(block, base, image, head, firstVector, width, factors);
  });
}

void Attention::emitGroup(Value image, Value head, Value first, Value blocks) {
  int64_t rows = result.rows;
  auto forEachBlock =
      [&](function_ref<void(const RowBlock &block, Value base, Value firstRow)>
              body) {
        b.loop(b.index(0), blocks, [&](Value i) {
          body(getQueries(image, b.add(first, i)), b.mul(i, rows * scoreRow()),
               b.mul(i, rows));
        });
      };
  Value from = b.mul(getQueries(image, first).block, query.blockElements());
  products.multiply(b.argument(0), getHead(0, query, from, head), transposed,
                    scores, b.index(0), blocks);
  forEachBlock([&](const RowBlock &block, Value base, Value firstRow) {
    SmallVector<Value> factors = computeExponentials(block, base, head);
    if (op.getProbabilities())
      storeProbabilities(block, base, image, head, factors);
    for (int64_t row = 0; row < rows; ++row)
      b.store(factors[row], reciprocals,
              b.mul(b.add(firstRow, row), kVectorLanes));
  });
  forEachStrip([&](Value firstVector, int64_t width) {
    forEachBlock([&](const RowBlock &block, Value base, Value firstRow) {
      SmallVector<Value> factors;
      for (int64_t row = 0; row < rows; ++row)
        factors.push_back(
            b.load(reciprocals, b.mul(b.add(firstRow, row), kVectorLanes)));
      sumStrip(block, base, image, head, firstVector, width, factors);
    });
  });
}

void Attention::emit(int64_t chunk) {
  int64_t chunks = llvm::divideCeil(result.blocksPerImage, chunk);
  // The head whose keys are in scratch. The units of a head are consecutive.
  Value none = b.index(-1);
  b.loop(b.begin(), b.end(), 1, ValueRange{none},
         [&](Value unit, ValueRange carried) {
           Value pair = b.div(unit, chunks);
           Value image = b.div(pair, heads), head = b.rem(pair, heads);
           Value isNew = b.compare(arith::CmpIPredicate::ne, pair, carried[0]);
           b.ifThen(isNew, [&] {
             Value first =
                 b.mul(image, key.blocksPerImage * key.blockElements());
             products.transpose(b.argument(1), getHead(1, key, first, head),
                                transposed);
           });
           Value first = b.mul(b.rem(unit, chunks), chunk);
           Value last =
               b.min(b.add(first, chunk), b.index(result.blocksPerImage));
           if (group == 1)
             b.loop(first, last,
                    [&](Value local) { emitBlock(image, head, local); });
           else
             b.loop(first, last, group, [&](Value local) {
               Value blocks = b.min(b.index(group), b.sub(last, local));
               emitGroup(image, head, local, blocks);
             });
           return SmallVector<Value>{pair};
         });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::AttentionOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> query = Blocked::get(op, op.getQuery().getType());
  FailureOr<Blocked> key = Blocked::get(op, op.getKey().getType());
  FailureOr<Blocked> value = Blocked::get(op, op.getValue().getType());
  FailureOr<Blocked> result = Blocked::get(op, op.getResult().getType());
  if (failed(query) || failed(key) || failed(value) || failed(result))
    return failure();
  int64_t headDim = op.getHeadDim();
  const Blocked *shapes[] = {&*query, &*key, &*value, &*result};
  for (auto [i, shape] : llvm::enumerate(shapes))
    if (failed(verifyHeads(op, *shape, headDim, i < 3 ? op.getOffsets()[i] : 0,
                           result->rows)))
      return failure();
  if (op.getBias() && failed(verifyFlat(op, op.getBias().getType())))
    return failure();
  if (auto probabilities = op.getProbabilities())
    if (tensorOf(probabilities).getEncoding())
      return op.emitOpError("writes probabilities row-major only");

  int64_t headVectors = llvm::divideCeil(headDim, kChannelPad);
  Scores products(b, *query, *key, headVectors);
  Attention attention{op,      b,          *query,   *key,
                      *value,  *result,    products, int64_t(op.getHeads()),
                      headDim, headVectors};
  int64_t transposedElements = products.transposedElements();
  attention.transposed = b.scratch();
  attention.scores = b.scratch(transposedElements * sizeof(float));
  int64_t chunk = op.getTile() ? op.getTile().getChunk() : 0;
  chunk = chunk > 0 ? std::min(chunk, result->blocksPerImage)
                    : result->blocksPerImage;
  int64_t scoreElements = result->rows * attention.scoreRow();
  bool grouped = transposedElements * int64_t(sizeof(float)) > kGroupedBytes;
  attention.group = grouped ? std::min(kGroupBlocks, chunk) : 1;
  int64_t elements = transposedElements + attention.group * scoreElements;
  if (attention.group > 1) {
    attention.reciprocals = b.scratch(elements * sizeof(float));
    elements += attention.group * result->rows * kVectorLanes;
  }
  attention.emit(chunk);

  int64_t chunks = llvm::divideCeil(result->blocksPerImage, chunk);
  return KernelInfo{
      perImage(op, attention.heads * chunks),
      perImage(op, 4 * attention.heads * query->tokens * key->tokens * headDim),
      elements * int64_t(sizeof(float))};
}
