//===- AttentionNarrow.cpp - Attention of f16 and bf16 --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is a chunk of query row blocks of one head of one image, as in
// Attention.cpp. The keys and values of the head are first packed into scratch,
// interleaved as the products read them: keys as words of two channels by
// vectors of 16 keys, values as words of two keys by vectors of 16 channels.
// The scores are f32, the weights (exponentials relative to the largest score
// of a row) are of the type of the operands. Either product is computed by the
// level's instruction. If that is one of f32, all operands are widened when
// they are packed, and so are the weights in scratch, after they were rounded:
// the same products, without taking words apart in each of them.
//
//===----------------------------------------------------------------------===//

#include "Packed.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace {
struct NarrowAttention {
  kernel::AttentionOp op;
  KernelBuilder &b;
  Blocked query, key, value, result;
  int64_t headDim;
  Type element; ///< of the operands

  // Scratch.
  Value packedKeys;   ///< [headLines * depths()][keyVectors][packedVector()]
  Value packedValues; ///< [keyLines * depths()][headLines * 2][packedVector()]
  Value queries;      ///< widened: those of a strip, [rows][queryRow()]
  Value scores;       ///< [rows][scoreRow()], f32
  Value weights;      ///< [rows][weightRow()]
  Value sums;         ///< of a row block's result, in tiles, f32

  int64_t line() const { return query.line; }
  int64_t heads() { return op.getHeads(); }
  int64_t headLines() const { return llvm::divideCeil(headDim, line()); }
  int64_t headVectors() const { return llvm::divideCeil(headDim, kChannelPad); }
  int64_t keyVectors() const {
    return llvm::divideCeil(key.tokens, kVectorLanes);
  }
  int64_t keyLines() const { return llvm::divideCeil(key.tokens, line()); }
  int64_t scoreRow() const { return keyVectors() * kVectorLanes; }
  int64_t weightRow() const { return keyLines() * line(); }
  bool isWidened() const {
    return ::vit::format::isWidened(b.getProduct(element));
  }
  Type packedType() const {
    return isWidened() ? Type(b.getF32Type()) : element;
  }
  /// Depths in a line of channels or keys: words of two, or single elements.
  int64_t depths() const { return isWidened() ? line() : kVectorLanes; }
  /// Elements of a packed vector: 16 words.
  int64_t packedVector() const { return isWidened() ? kVectorLanes : line(); }
  /// Elements of a row of the packed keys or values, for a depth.
  int64_t keyRow() const { return keyVectors() * packedVector(); }
  int64_t valueRow() const { return headLines() * 2 * packedVector(); }
  int64_t queryRow() const { return headLines() * line(); }

  int64_t allocate();
  void packKeys(const PackedHead &keys);
  void packValues(const PackedHead &values);
  void widenQueries(Value base);
  void multiply(Value left, Value leftBase, int64_t leftRow, int64_t leftStep,
                Value right, int64_t steps, int64_t vectors, int64_t rightRow,
                function_ref<void(Value vector, ArrayRef<Value> sums)> store);
  void multiplyTiles(Tiles &tiles, Value left, Value leftBase, int64_t leftRow,
                     int64_t leftStep, Value right, int64_t steps,
                     int64_t vectors, int64_t rightRow, Value target,
                     int64_t targetRow);
  void storeResult(const RowBlock &strip, Value head, Value vector,
                   ArrayRef<Value> sums, ArrayRef<Value> factors);
  void emitBlock(Softmax &softmax, Tiles *tiles, Value image, Value head,
                 Value local);
  void emitTiled(Softmax &softmax, Tiles &tiles, const RowBlock &block,
                 Value queryBase, Value image, Value head);
  void emit(int64_t chunk);
};
} // namespace

/// Lays out the scratch memory and returns its bytes.
int64_t NarrowAttention::allocate() {
  ScratchLayout scratch(b);
  Type f32 = b.getF32Type();
  packedKeys = scratch.take(headLines() * depths() * keyRow(), packedType());
  packedValues = scratch.take(keyLines() * depths() * valueRow(), packedType());
  if (isWidened())
    queries = scratch.take(stripRows(query) * queryRow(), f32);
  scores = scratch.take(query.rows * scoreRow(), f32);
  weights = scratch.take(query.rows * weightRow(), packedType());
  if (hasTiles(b, element))
    sums = scratch.take(query.rows * headLines() * line(), f32);
  return scratch.getBytes();
}

void NarrowAttention::packKeys(const PackedHead &keys) {
  if (!isWidened())
    return keys.storeColumns(packedKeys, keyVectors());
  b.loop(0, keyVectors(), [&](Value vector) {
    SmallVector<Value> offsets;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane)
      offsets.push_back(
          keys.getToken(b.add(b.mul(vector, kVectorLanes), lane)));
    b.loop(0, headLines(), [&](Value part) {
      Value to = b.add(b.mul(part, depths() * keyRow()),
                       b.mul(vector, packedVector()));
      for (int64_t first = 0; first < line(); first += kVectorLanes) {
        Value from = b.add(b.mul(part, key.lineElements()), first);
        SmallVector<Value> rows;
        for (Value offset : offsets)
          rows.push_back(b.load(keys.buffer, b.add(offset, from)));
        for (Value depth : transposeVectors(b, rows)) {
          b.store(depth, packedKeys, to);
          to = b.add(to, keyRow());
        }
      }
    });
  });
}

void NarrowAttention::packValues(const PackedHead &values) {
  if (!isWidened())
    return values.storeWords(packedValues, b.index(0), keyLines());
  b.loop(0, keyLines() * depths(), [&](Value depth) {
    Value token = values.getToken(depth);
    for (int64_t v = 0; v < headLines() * 2; ++v) {
      int64_t from = v / 2 * value.lineElements() + v % 2 * kVectorLanes;
      b.store(b.load(values.buffer, b.add(token, from)), packedValues,
              b.add(b.mul(depth, valueRow()), v * kVectorLanes));
    }
  });
}

/// Widens a strip of queries, of which `base` is the offset.
void NarrowAttention::widenQueries(Value base) {
  b.loop(0, headLines(), [&](Value part) {
    for (int64_t row = 0; row < stripRows(query); ++row)
      for (int64_t half = 0; half < line(); half += kVectorLanes) {
        Value from = b.add(b.add(base, b.mul(part, query.lineElements())),
                           row * line() + half);
        b.store(b.load(b.argument(0), from), queries,
                b.add(b.mul(part, line()), row * queryRow() + half));
      }
  });
}

/// Multiplies a strip of rows by `vectors` vectors of packed columns, in the
/// vector registers. `store` gets the sums of each strip of columns.
void NarrowAttention::multiply(
    Value left, Value leftBase, int64_t leftRow, int64_t leftStep, Value right,
    int64_t steps, int64_t vectors, int64_t rightRow,
    function_ref<void(Value vector, ArrayRef<Value> sums)> store) {
  int64_t rows = stripRows(query);
  int64_t first = 0;
  for (auto [width, count] : divideEvenly(b, rows, vectors)) {
    int64_t begin = first, stripVectors = width;
    b.loop(0, count, [&](Value strip) {
      Value vector = b.add(b.mul(strip, stripVectors), begin);
      Tile tile;
      tile.rows = rows;
      tile.vectors = stripVectors;
      tile.steps = steps;
      tile.unroll = depths();
      tile.left = left;
      tile.leftBase = leftBase;
      tile.leftRow = leftRow;
      tile.leftDepth = line() / depths();
      tile.leftStep = leftStep;
      tile.right = right;
      tile.rightBase = b.mul(vector, packedVector());
      tile.rightDepth = rightRow;
      tile.rightStep = rightRow * depths();
      tile.rightVector = packedVector();
      store(vector, emitTile(b, tile));
    });
    first += count * width;
  }
}

/// Multiplies the rows of a block by `vectors` vectors of packed columns, in
/// tiles, and stores the sums row by row.
void NarrowAttention::multiplyTiles(Tiles &tiles, Value left, Value leftBase,
                                    int64_t leftRow, int64_t leftStep,
                                    Value right, int64_t steps, int64_t vectors,
                                    int64_t rightRow, Value target,
                                    int64_t targetRow) {
  auto multiplyColumns = [&](Value vector, int64_t width) {
    Tiles::Shape shape{1, width};
    tiles.zeroSums(shape);
    b.loop(0, steps, [&](Value step) {
      Value from = b.add(leftBase, b.mul(step, leftStep));
      Value column =
          b.add(b.mul(step, rightRow * depths()), b.mul(vector, line()));
      tiles.multiply(shape, left, from, leftRow, /*leftTile=*/0, right, column,
                     rightRow, line());
    });
    tiles.storeSums(shape, target, b.mul(vector, kVectorLanes), targetRow);
  };
  constexpr int64_t most = 4;
  b.loop(0, vectors / most,
         [&](Value group) { multiplyColumns(b.mul(group, most), most); });
  if (vectors % most)
    multiplyColumns(b.index(vectors / most * most), vectors % most);
}

void NarrowAttention::storeResult(const RowBlock &strip, Value head,
                                  Value vector, ArrayRef<Value> sums,
                                  ArrayRef<Value> factors) {
  int64_t rows = stripRows(query), width = sums.size() / rows;
  Value target = b.argument(op->getNumOperands());
  Value base = getStripBase(b, result, strip);
  Value first = b.add(b.mul(head, headVectors()), vector);
  for (int64_t v = 0; v < width; ++v)
    for (int64_t row = 0; row < rows; ++row) {
      Value x = b.mulf(sums[row * width + v], factors[row]);
      storeVector(b, result, zeroPaddedRow(b, result, strip, row, x), target,
                  base, row, b.add(first, v));
    }
}

void NarrowAttention::emitTiled(Softmax &softmax, Tiles &tiles,
                                const RowBlock &block, Value queryBase,
                                Value image, Value head) {
  multiplyTiles(tiles, b.argument(0), queryBase, line(), query.lineElements(),
                packedKeys, headLines(), keyVectors(), keyRow(), scores,
                scoreRow());
  // The factor of each row is stored behind its sums.
  int64_t rows = stripRows(query), strips = query.rows / rows;
  auto forEach = [&](function_ref<void(const RowBlock &, Value first)> body) {
    if (strips == 1)
      return body(block, b.index(0));
    forEachStrip(b, query, block,
                 [&](const RowBlock &strip) { body(strip, strip.firstRow); });
  };
  forEach([&](const RowBlock &strip, Value first) {
    SmallVector<Value> factors =
        softmax.apply(strip, b.mul(first, scoreRow()),
                      b.mul(first, weightRow()), image, head);
    // The scores are no longer needed.
    for (int64_t row = 0; row < rows; ++row)
      b.store(factors[row], scores, b.mul(b.add(first, row), scoreRow()));
  });
  int64_t sumRow = headLines() * line();
  multiplyTiles(tiles, weights, b.index(0), weightRow(), line(), packedValues,
                keyLines(), headVectors(), valueRow(), sums, sumRow);
  forEach([&](const RowBlock &strip, Value first) {
    SmallVector<Value> factors;
    for (int64_t row = 0; row < rows; ++row)
      factors.push_back(b.load(scores, b.mul(b.add(first, row), scoreRow())));
    b.loop(0, headVectors(), [&](Value vector) {
      SmallVector<Value> loaded;
      for (int64_t row = 0; row < rows; ++row)
        loaded.push_back(b.load(sums, b.add(b.mul(b.add(first, row), sumRow),
                                            b.mul(vector, kVectorLanes))));
      storeResult(strip, head, vector, loaded, factors);
    });
  });
}

void NarrowAttention::emitBlock(Softmax &softmax, Tiles *tiles, Value image,
                                Value head, Value local) {
  Value number = b.add(b.mul(image, result.blocksPerImage), local);
  RowBlock block = getRowBlock(b, query, number);
  block.local = local;
  Value queryBase = getHeadOffset(b, query, block.base, head, headLines(),
                                  op.getOffsets()[0]);
  if (tiles)
    return emitTiled(softmax, *tiles, block, queryBase, image, head);
  forEachStrip(b, query, block, [&](const RowBlock &strip) {
    Value first = strip.firstRow ? strip.firstRow : b.index(0);
    Value base = b.add(queryBase, b.mul(first, line()));
    auto storeScores = [&](Value vector, ArrayRef<Value> sums) {
      int64_t width = sums.size() / stripRows(query);
      Value to = b.mul(vector, kVectorLanes);
      for (auto [i, sum] : llvm::enumerate(sums))
        b.store(sum, scores,
                b.add(to, int64_t(i) / width * scoreRow() +
                              int64_t(i) % width * kVectorLanes));
    };
    if (isWidened()) {
      widenQueries(base);
      multiply(queries, b.index(0), queryRow(), line(), packedKeys, headLines(),
               keyVectors(), keyRow(), storeScores);
    } else {
      multiply(b.argument(0), base, line(), query.lineElements(), packedKeys,
               headLines(), keyVectors(), keyRow(), storeScores);
    }
    SmallVector<Value> factors =
        softmax.apply(strip, b.index(0), b.index(0), image, head);
    multiply(weights, b.index(0), weightRow(), line(), packedValues, keyLines(),
             headVectors(), valueRow(),
             [&](Value vector, ArrayRef<Value> sums) {
               storeResult(strip, head, vector, sums, factors);
             });
  });
}

void NarrowAttention::emit(int64_t chunk) {
  int64_t chunks = llvm::divideCeil(result.blocksPerImage, chunk);
  Softmax softmax{op,     b,          query,   stripRows(query), key.tokens,
                  scores, scoreRow(), weights, weightRow(),      element};
  std::optional<Tiles> tiles;
  if (hasTiles(b, element))
    tiles.emplace(b, query.rows);
  // The head whose keys and values are packed. The units of a head are
  // consecutive.
  Value none = b.index(-1);
  b.loop(b.begin(), b.end(), 1, ValueRange{none},
         [&](Value unit, ValueRange carried) {
           Value pair = b.div(unit, chunks);
           Value image = b.div(pair, heads()), head = b.rem(pair, heads());
           Value isNew = b.compare(arith::CmpIPredicate::ne, pair, carried[0]);
           b.ifThen(isNew, [&] {
             auto operand = [&](unsigned index, const Blocked &shape) {
               return PackedHead{b,           b.argument(index),      shape,
                                 headLines(), op.getOffsets()[index], image,
                                 head};
             };
             packKeys(operand(1, key));
             packValues(operand(2, value));
           });
           Value first = b.mul(b.rem(unit, chunks), chunk);
           Value last =
               b.min(b.add(first, chunk), b.index(result.blocksPerImage));
           b.loop(first, last, [&](Value local) {
             emitBlock(softmax, tiles ? &*tiles : nullptr, image, head, local);
           });
           return SmallVector<Value>{pair};
         });
  if (tiles)
    tiles->release();
}

FailureOr<KernelInfo>
mlir::vit::cpu::emitNarrowAttention(kernel::AttentionOp op, KernelBuilder &b) {
  auto get = [&](Value value) {
    return Blocked::get(op, tensorOf(value), Elements::Narrow);
  };
  FailureOr<Blocked> query = get(op.getQuery()), key = get(op.getKey()),
                     value = get(op.getValue()), result = get(op.getResult());
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

  NarrowAttention attention{
      op,     b,       *query,  *key,
      *value, *result, headDim, op.getQuery().getType().getElementType()};
  if (hasTiles(b, attention.element) &&
      failed(verifyTileRows(op, result->rows)))
    return failure();
  int64_t scratch = attention.allocate();
  int64_t blocks = result->blocksPerImage;
  int64_t chunk =
      op.getTile() ? std::min(op.getTile().getChunk(), blocks) : blocks;
  attention.emit(chunk);
  int64_t chunks = llvm::divideCeil(blocks, chunk);
  return KernelInfo{perImage(op, attention.heads() * chunks),
                    perImage(op, 4 * attention.heads() * query->tokens *
                                     key->tokens * headDim),
                    scratch};
}
