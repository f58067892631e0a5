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
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

namespace {
struct Attention {
  kernel::AttentionOp op;
  KernelBuilder &b;
  Blocked query, key, value, result;
  Scores products;
  int64_t heads, headDim, headVectors;
  Value transposed; ///< scratch: the keys of the head
  Value scores;     ///< scratch: the scores of a row block of queries

  int64_t scoreRow() const { return products.rowElements(); }
  /// Returns the offset of `head` in the row block at `base` of operand
  /// `operand`.
  Value getHead(unsigned operand, const Blocked &shape, Value base, Value head);
  SmallVector<Value> computeExponentials(const RowBlock &block, Value head);
  /// Returns the offsets in the bias of the rows of the block; padded rows have
  /// that of the last token.
  SmallVector<Value> getBiasRows(const RowBlock &block, Value head);
  /// Returns the argument that is result `number`.
  Value getResult(unsigned number) {
    return b.argument(op->getNumOperands() + number);
  }
  void storeProbabilities(const RowBlock &block, Value image, Value head,
                          ArrayRef<Value> factors);
  void sumValues(const RowBlock &block, Value image, Value head,
                 ArrayRef<Value> factors);
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
                                                  Value head) {
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
    return b.add(b.mul(vector, kVectorLanes), row * scoreRow());
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

void Attention::storeProbabilities(const RowBlock &block, Value image,
                                   Value head, ArrayRef<Value> factors) {
  Value target = getResult(1);
  Value matrix = b.mul(b.add(b.mul(image, heads), head), query.tokens);
  for (int64_t row = 0; row < query.rows; ++row) {
    Value token = b.add(b.mul(block.local, query.rows), row);
    auto storeRow = [&] {
      Value base = b.mul(b.add(matrix, token), key.tokens);
      forEachVector(b, key.tokens, {}, [&](Value v, int64_t lanes, Carried) {
        Value offset = b.mul(v, kVectorLanes);
        Value p = b.load(scores, b.add(offset, row * scoreRow()));
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

void Attention::sumValues(const RowBlock &block, Value image, Value head,
                          ArrayRef<Value> factors) {
  int64_t rows = result.rows;
  Value base =
      getHead(2, value,
              b.mul(image, value.blocksPerImage * value.blockElements()), head);
  int64_t width = b.stripVectors(rows, headVectors);
  b.loop(0, headVectors / width, [&](Value strip) {
    Value firstVector = b.mul(strip, width);
    Tile tile;
    tile.rows = rows;
    tile.vectors = width;
    tile.steps = value.blocksPerImage;
    tile.unroll = value.rows;
    tile.left = scores;
    tile.leftBase = b.index(0);
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
           Value imageBlock = b.mul(image, result.blocksPerImage);
           b.loop(first, last, [&](Value local) {
             RowBlock block = getRowBlock(b, result, b.add(imageBlock, local));
             block.local = local;
             Value from = b.mul(block.block, query.blockElements());
             products.multiply(b.argument(0), getHead(0, query, from, head),
                               transposed, scores, b.index(0));
             SmallVector<Value> factors = computeExponentials(block, head);
             if (op.getProbabilities())
               storeProbabilities(block, image, head, factors);
             sumValues(block, image, head, factors);
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
  attention.emit(chunk);

  int64_t chunks = llvm::divideCeil(result->blocksPerImage, chunk);
  int64_t scratch = transposedElements + result->rows * attention.scoreRow();
  return KernelInfo{
      perImage(op, attention.heads * chunks),
      perImage(op, 4 * attention.heads * query->tokens * key->tokens * headDim),
      scratch * int64_t(sizeof(float))};
}
