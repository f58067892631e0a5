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
  Softmax softmax;   ///< of the scores of a group of row blocks, in scratch
  int64_t group;     ///< row blocks of queries
  Value reciprocals; ///< scratch: a vector for each row of a group

  int64_t scoreRow() const { return products.rowElements(); }
  /// Returns the offset of `head` in the row block at `base` of operand
  /// `operand`.
  Value getHead(unsigned operand, const Blocked &shape, Value base, Value head);
  /// Returns the argument that is result `number`.
  Value getResult(unsigned number) {
    return b.argument(op->getNumOperands() + number);
  }
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
  tile.left = softmax.scores;
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
                    softmax.scores, base);
  SmallVector<Value> factors = softmax.apply(block, base, base, image, head);
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
                    softmax.scores, b.index(0), blocks);
  forEachBlock([&](const RowBlock &block, Value base, Value firstRow) {
    SmallVector<Value> factors = softmax.apply(block, base, base, image, head);
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
  if (!op.getQuery().getType().getElementType().isF32())
    return emitNarrowAttention(op, b);
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
  int64_t transposedElements = products.transposedElements();
  Value scores = b.scratch(transposedElements * sizeof(float));
  int64_t scoreRow = products.rowElements();
  Softmax softmax{op,     b,        *query, query->rows, key->tokens,
                  scores, scoreRow, scores, scoreRow,    b.getF32Type()};
  Attention attention{op,      b,           *query,      *key,
                      *value,  *result,     products,    int64_t(op.getHeads()),
                      headDim, headVectors, b.scratch(), softmax};
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
