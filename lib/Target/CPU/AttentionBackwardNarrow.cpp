//===- AttentionBackwardNarrow.cpp - Gradients of attention, bf16 ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one head of one image, as in AttentionBackward.cpp. All
// operands are packed into scratch. The queries are processed in steps of 32:
// their scores q k^T and dp = dy v^T, in f32, become p and scale ds, in bf16,
// row by row as the left operand of ds k, the gradient of the queries, and
// transposed. After a chunk of steps, p^T dy and ds^T q are added to the
// gradients of values and keys, which stay in scratch, in f32.
//
//===----------------------------------------------------------------------===//

#include "Packed.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

/// Bytes of the transposed p and ds of a chunk, which stay in the second-level
/// cache beside the other operands of the head.
static constexpr int64_t kChunkBytes = 400 << 10;
/// Rows whose softmax is computed together.
static constexpr int64_t kSoftmaxRows = 4;
/// Elements of 32 rows by 32 columns.
static constexpr int64_t kSquare = kStepDepth * kStepDepth;

namespace {
enum Operand : unsigned { kGradient, kQuery, kKey, kValue, kBias };

struct NarrowBackward {
  kernel::AttentionBackwardOp op;
  KernelBuilder &b;
  Blocked operands[4];
  Blocked results[3]; ///< of query, key and value
  int64_t chunkSteps = 1;
  std::optional<Tiles> tiles = {};

  // Scratch.
  Value keyColumns, valueColumns;      ///< words of two channels by keys
  Value keyWords;                      ///< words of two keys by channels
  Value queryRows, gradientRows;       ///< [step][line of the head][row][32]
  Value queryWords, gradientWords;     ///< words of two queries by channels
  Value scores, dp;                    ///< f32, of a step: [row][keyRows()]
  Value p, ds;                         ///< of a step: [line of keys][row][32]
  Value pTransposed, dsTransposed;     ///< [step][key][32]
  Value transposed;                    ///< of a transposition
  Value querySums, keySums, valueSums; ///< f32, [token][headElements()]

  int64_t heads() { return op.getHeads(); }
  int64_t headDim() { return op.getHeadDim(); }
  int64_t headLines() { return llvm::divideCeil(headDim(), kStepDepth); }
  int64_t headElements() { return headLines() * kStepDepth; }
  int64_t headVectors() { return llvm::divideCeil(headDim(), kChannelPad); }
  int64_t queries() const { return operands[kQuery].tokens; }
  int64_t keys() const { return operands[kKey].tokens; }
  int64_t querySteps() const { return llvm::divideCeil(queries(), kStepDepth); }
  int64_t keyLines() const { return llvm::divideCeil(keys(), kStepDepth); }
  int64_t keyRows() const { return keyLines() * kStepDepth; }
  int64_t keyVectors() const { return keyRows() / kVectorLanes; }
  bool hasBias() { return bool(op.getBias()); }

  int64_t allocate();
  PackedHead getHead(Operand operand, Value image, Value head);
  void multiply(const PackedRows &left, const PackedColumns &right,
                int64_t steps, Value target, int64_t row, bool adds);
  using VisitScores =
      function_ref<Carried(Value at, Value vector, int64_t lanes, Carried)>;
  Carried visitScores(Value firstRow, Carried carried, VisitScores body);
  void addBias(Value firstRow, Value firstToken, Value head);
  void applySoftmax(Value firstRow, Value firstToken, Value head);
  void transpose(Value from, Value to, Value step);
  void storeGradient(unsigned result, Value sums, Value image, Value head,
                     Value firstToken, int64_t rows);
  void clearPadding(unsigned result, Value image, Value head);
  void emitStep(Value step, Value firstToken, Value image, Value head);
  void emitHead(Value image, Value head);
  void emit();
};
} // namespace

int64_t NarrowBackward::allocate() {
  ScratchLayout scratch(b);
  Type bf16 = b.getBF16Type(), f32 = b.getF32Type();
  int64_t chunkElements = chunkSteps * kStepDepth * headElements();
  for (Value *buffer : {&keyColumns, &valueColumns, &keyWords})
    *buffer = scratch.take(keyRows() * headElements(), bf16);
  for (Value *buffer : {&queryRows, &gradientRows, &queryWords, &gradientWords})
    *buffer = scratch.take(chunkElements, bf16);
  for (Value *buffer : {&scores, &dp})
    *buffer = scratch.take(kStepDepth * keyRows(), f32);
  for (Value *buffer : {&p, &ds})
    *buffer = scratch.take(kStepDepth * keyRows(), bf16);
  for (Value *buffer : {&pTransposed, &dsTransposed})
    *buffer = scratch.take(chunkSteps * kStepDepth * keyRows(), bf16);
  transposed = scratch.take(kSquare, bf16);
  querySums = scratch.take(kStepDepth * headElements(), f32);
  for (Value *buffer : {&keySums, &valueSums})
    *buffer = scratch.take(keyRows() * headElements(), f32);
  return scratch.getBytes();
}

PackedHead NarrowBackward::getHead(Operand operand, Value image, Value head) {
  return {b,
          b.argument(operand),
          operands[operand],
          headLines(),
          operand == kGradient ? 0 : op.getOffsets()[operand - 1],
          image,
          head};
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// Calls `body` for each vector of keys of kSoftmaxRows rows, with its offset
/// from the first row's scores.
Carried NarrowBackward::visitScores(Value firstRow, Carried carried,
                                    VisitScores body) {
  Value base = b.mul(firstRow, keyRows());
  return forEachVector(b, keys(), carried,
                       [&](Value vector, int64_t lanes, Carried values) {
                         return body(b.add(base, b.mul(vector, kVectorLanes)),
                                     vector, lanes, values);
                       });
}

/// The scores become scale q k^T + bias.
void NarrowBackward::addBias(Value firstRow, Value firstToken, Value head) {
  double scale = op.getScale().convertToDouble();
  SmallVector<Value> offsets;
  for (int64_t row = 0; row < kSoftmaxRows; ++row) {
    Value token =
        b.min(b.add(b.add(firstToken, firstRow), row), b.index(queries() - 1));
    offsets.push_back(b.mul(b.add(b.mul(head, queries()), token), keys()));
  }
  visitScores(firstRow, {},
              [&](Value at, Value vector, int64_t lanes, Carried carried) {
                for (int64_t row = 0; row < kSoftmaxRows; ++row) {
                  Value from = b.add(offsets[row], b.mul(vector, kVectorLanes));
                  Value bias = b.loadLanes(b.argument(kBias), from, lanes);
                  Value to = b.add(at, row * keyRows());
                  b.store(b.fma(b.load(scores, to), b.splat(scale), bias),
                          scores, to);
                }
                return carried;
              });
}

/// Replaces the scores and dp of kSoftmaxRows rows by p and scale ds. Those of
/// rows after the last query are zero.
void NarrowBackward::applySoftmax(Value firstRow, Value firstToken,
                                  Value head) {
  constexpr int64_t rows = kSoftmaxRows;
  if (hasBias())
    addBias(firstRow, firstToken, head);
  // As in the forward kernel, exp(scale (s - m)) = 2^(factor s - factor m).
  double scale = op.getScale().convertToDouble();
  double factor = hasBias() ? kLog2E : scale * kLog2E;
  Reduction kind = factor < 0 ? Reduction::Min : Reduction::Max;
  double worst = factor < 0 ? std::numeric_limits<double>::infinity()
                            : -std::numeric_limits<double>::infinity();
  Carried best =
      visitScores(firstRow, Carried(rows, b.splat(worst)),
                  [&](Value at, Value, int64_t lanes, Carried carried) {
                    for (int64_t row = 0; row < rows; ++row) {
                      Value s = b.load(scores, b.add(at, row * keyRows()));
                      carried[row] = b.combine(
                          kind, b.keepLanes(s, lanes, worst), carried[row]);
                    }
                    return carried;
                  });
  for (Value &value : best)
    value = b.negf(b.mulf(b.broadcast(b.reduce(kind, value)), b.splat(factor)));
  // The sum of the exponentials, and the sum of their products with dp.
  Carried sums = visitScores(
      firstRow, Carried(2 * rows, b.splat(0)),
      [&](Value at, Value, int64_t lanes, Carried carried) {
        for (int64_t row = 0; row < rows; ++row) {
          Value from = b.add(at, row * keyRows());
          Value power = emitExp2OfNegative(
              b, b.fma(b.load(scores, from), b.splat(factor), best[row]));
          power = b.keepLanes(power, lanes);
          b.store(power, scores, from);
          carried[2 * row] = b.addf(carried[2 * row], power);
          carried[2 * row + 1] =
              b.fma(power, b.load(dp, from), carried[2 * row + 1]);
        }
        return carried;
      });
  Carried shares, means;
  for (int64_t row = 0; row < rows; ++row) {
    Value sum = b.reduce(Reduction::Add, sums[2 * row]);
    Value product = b.reduce(Reduction::Add, sums[2 * row + 1]);
    Value exists =
        b.isLess(b.add(b.add(firstToken, firstRow), row), b.index(queries()));
    Value share = b.select(exists, b.divf(b.scalar(1), sum), b.scalar(0));
    shares.push_back(b.broadcast(share));
    means.push_back(b.broadcast(b.divf(product, sum)));
  }
  auto storeAt = [&](Value vector, int64_t row) {
    return b.add(b.add(b.mul(b.div(vector, 2), kSquare),
                       b.mul(b.rem(vector, 2), kVectorLanes)),
                 b.mul(b.add(firstRow, row), kStepDepth));
  };
  visitScores(firstRow, {},
              [&](Value at, Value vector, int64_t lanes, Carried carried) {
                for (int64_t row = 0; row < rows; ++row) {
                  Value from = b.add(at, row * keyRows());
                  Value probability = b.mulf(b.load(scores, from), shares[row]);
                  Value difference = b.subf(b.load(dp, from), means[row]);
                  Value d =
                      b.mulf(b.mulf(probability, b.splat(scale)), difference);
                  b.store(probability, p, storeAt(vector, row));
                  b.store(b.keepLanes(d, lanes), ds, storeAt(vector, row));
                }
                return carried;
              });
  for (int64_t v = llvm::divideCeil(keys(), kVectorLanes); v < keyVectors();
       ++v)
    for (int64_t row = 0; row < rows; ++row)
      for (Value buffer : {p, ds})
        b.store(b.splat(0), buffer, storeAt(b.index(v), row));
}

/// Transposes p or ds of a step.
void NarrowBackward::transpose(Value from, Value to, Value step) {
  b.loop(0, keyLines(), [&](Value line) {
    Value square = b.mul(line, kSquare);
    SmallVector<Value> lines;
    for (int64_t row = 0; row < kStepDepth; ++row)
      lines.push_back(b.loadLine(from, b.add(square, row * kStepDepth)));
    Value target = b.add(b.mul(step, keyLines() * kSquare), square);
    storeTransposed(b, lines, transposed, to, target);
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Stores `rows` rows of sums, the gradient of the tokens from `firstToken` on.
void NarrowBackward::storeGradient(unsigned result, Value sums, Value image,
                                   Value head, Value firstToken, int64_t rows) {
  const Blocked &shape = results[result];
  Value target = b.argument(op->getNumOperands() + result);
  Value last = b.min(b.index(rows), b.sub(b.index(shape.tokens), firstToken));
  b.loop(b.index(0), last, [&](Value row) {
    Value base = getRowOffset(b, shape, image, b.add(firstToken, row));
    b.loop(0, headVectors(), [&](Value vector) {
      Value sum = b.load(
          sums, b.add(b.mul(row, headElements()), b.mul(vector, kVectorLanes)));
      storeVector(b, shape, sum, target, base, /*row=*/0,
                  b.add(b.mul(head, headVectors()), vector));
    });
  });
}

/// Stores zeros in the rows after the last token.
void NarrowBackward::clearPadding(unsigned result, Value image, Value head) {
  const Blocked &shape = results[result];
  Value target = b.argument(op->getNumOperands() + result);
  b.loop(shape.tokens, shape.blocksPerImage * shape.rows, [&](Value row) {
    Value base = getRowOffset(b, shape, image, row);
    b.loop(0, headVectors(), [&](Value vector) {
      storeVector(b, shape, b.splat(0), target, base, /*row=*/0,
                  b.add(b.mul(head, headVectors()), vector));
    });
  });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void NarrowBackward::multiply(const PackedRows &left,
                              const PackedColumns &right, int64_t steps,
                              Value target, int64_t row, bool adds) {
  multiplyPacked(b, tiles ? &*tiles : nullptr, left, right, steps, target,
                 b.index(0), row, adds);
}

/// One step of a chunk, whose first query is token `firstToken`.
void NarrowBackward::emitStep(Value step, Value firstToken, Value image,
                              Value head) {
  Value rows = b.mul(step, headLines() * kSquare), zero = b.index(0);
  multiply({queryRows, rows, kStepDepth}, {keyColumns, zero, keyVectors()},
           headLines(), scores, keyRows(), /*adds=*/false);
  multiply({gradientRows, rows, kStepDepth}, {valueColumns, zero, keyVectors()},
           headLines(), dp, keyRows(),
           /*adds=*/false);
  b.loop(0, kStepDepth / kSoftmaxRows, [&](Value i) {
    applySoftmax(b.mul(i, kSoftmaxRows), firstToken, head);
  });
  transpose(p, pTransposed, step);
  transpose(ds, dsTransposed, step);
  multiply({ds, zero, kStepDepth}, {keyWords, zero, 2 * headLines()},
           keyLines(), querySums, headElements(), /*adds=*/false);
  b.ifThen(b.isLess(firstToken, b.index(queries())), [&] {
    storeGradient(0, querySums, image, head, firstToken, kStepDepth);
  });
}

void NarrowBackward::emitHead(Value image, Value head) {
  Value zero = b.index(0);
  PackedHead key = getHead(kKey, image, head);
  PackedHead query = getHead(kQuery, image, head);
  PackedHead gradient = getHead(kGradient, image, head);
  key.storeColumns(keyColumns, keyVectors());
  key.storeWords(keyWords, zero, keyLines());
  getHead(kValue, image, head).storeColumns(valueColumns, keyVectors());
  int64_t sumElements = keyRows() * headElements();
  b.loop(0, sumElements / kVectorLanes, [&](Value i) {
    for (Value sums : {keySums, valueSums})
      b.store(b.splat(0), sums, b.mul(i, kVectorLanes));
  });
  b.loop(0, llvm::divideCeil(querySteps(), chunkSteps), [&](Value chunk) {
    Value first = b.mul(chunk, chunkSteps * kStepDepth);
    query.storeRows(queryRows, first, chunkSteps);
    query.storeWords(queryWords, first, chunkSteps);
    gradient.storeRows(gradientRows, first, chunkSteps);
    gradient.storeWords(gradientWords, first, chunkSteps);
    b.loop(0, chunkSteps, [&](Value step) {
      emitStep(step, b.add(first, b.mul(step, kStepDepth)), image, head);
    });
    multiply({pTransposed, zero, keyRows()},
             {gradientWords, zero, 2 * headLines()}, chunkSteps, valueSums,
             headElements(), /*adds=*/true);
    multiply({dsTransposed, zero, keyRows()},
             {queryWords, zero, 2 * headLines()}, chunkSteps, keySums,
             headElements(), /*adds=*/true);
  });
  storeGradient(1, keySums, image, head, zero, keyRows());
  storeGradient(2, valueSums, image, head, zero, keyRows());
  for (unsigned result : {0, 1, 2})
    clearPadding(result, image, head);
}

void NarrowBackward::emit() {
  if (hasTiles(b, b.getBF16Type()))
    tiles.emplace(b, kTileRows);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    emitHead(b.div(unit, heads()), b.rem(unit, heads()));
  });
  if (tiles)
    tiles->release();
}

FailureOr<KernelInfo>
mlir::vit::cpu::emitNarrowAttentionBackward(kernel::AttentionBackwardOp op,
                                            KernelBuilder &b) {
  NarrowBackward kernel{op, b, {}, {}};
  int64_t headDim = op.getHeadDim(), rows = 0;
  auto get = [&](Value value, int64_t offset, Blocked &shape) -> LogicalResult {
    FailureOr<Blocked> found =
        Blocked::get(op, tensorOf(value), Elements::Narrow);
    if (failed(found))
      return failure();
    shape = *found;
    rows = rows == 0 ? shape.rows : rows;
    return verifyHeads(op, shape, headDim, offset, rows);
  };
  Value values[] = {op.getGradient(), op.getQuery(), op.getKey(),
                    op.getValue()};
  for (auto [i, value] : llvm::enumerate(values))
    if (failed(get(value, i == kGradient ? 0 : op.getOffsets()[i - 1],
                   kernel.operands[i])))
      return failure();
  for (OpResult result : op->getResults())
    if (failed(get(result, 0, kernel.results[result.getResultNumber()])))
      return failure();
  if (op.getBias() && failed(verifyFlat(op, op.getBias().getType())))
    return failure();

  int64_t stepBytes = 2 * kStepDepth * kernel.keyRows() * int64_t(2);
  int64_t most = std::max<int64_t>(1, kChunkBytes / stepBytes);
  int64_t chunks = llvm::divideCeil(kernel.querySteps(), most);
  kernel.chunkSteps = llvm::divideCeil(kernel.querySteps(), chunks);
  int64_t scratch = kernel.allocate();
  kernel.emit();
  return KernelInfo{perImage(op, kernel.heads()),
                    perImage(op, 10 * kernel.heads() * kernel.queries() *
                                     kernel.keys() * headDim),
                    scratch};
}
