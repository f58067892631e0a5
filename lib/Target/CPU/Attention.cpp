//===- Attention.cpp - Softmax attention, fused ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A work unit is one head of one image by a chunk of its query row blocks. The
// head's keys are transposed into scratch once; then each row block of queries
// makes its scores S = Q K^T in scratch (a few KB, L1), turns them into
// exponentials about the row's largest score (two passes: exact), and sums them
// over the values, which are read as they lie. The sum's reciprocal scales the
// result.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

/// Transposes 16 vectors of 16 with two-operand shuffles only.
static SmallVector<Value> transpose(KernelBuilder &b, SmallVector<Value> rows) {
  // Exchange, for each bit of the lane's number, that bit with the row's.
  for (int64_t bit = 1; bit < kLanes; bit *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      int64_t other = lane & bit ? kLanes : 0; // the second operand
      low.push_back(other + (lane & ~bit));
      high.push_back(other + (lane | bit));
    }
    SmallVector<Value> next(kLanes);
    for (int64_t row = 0; row < kLanes; ++row) {
      if (row & bit)
        continue;
      next[row] = b.shuffle(rows[row], rows[row | bit], low);
      next[row | bit] = b.shuffle(rows[row], rows[row | bit], high);
    }
    rows = next;
  }
  return rows;
}

namespace {
struct Attention {
  kernel::AttentionOp op;
  KernelBuilder &b;
  Blocked query, key, value, result;
  int64_t heads, headDim, headVectors;
  int64_t vectors;  ///< of keys, padded
  Value transposed; ///< scratch: panels [depth][vectors of the panel][16]
  Value scores;     ///< scratch: [rows][vectors][16]

  struct Unit {
    Value image, head, chunk;
  };
  /// Vectors per panel of keys and how many such panels, widest first.
  SmallVector<std::pair<int64_t, int64_t>> getPanels() const;
  int64_t depth() const { return headVectors * kLanes; }
  int64_t scoreRow() const { return vectors * kLanes; }
  /// First channel vector of `head` in operand `operand`.
  Value getChannel(unsigned operand, const Blocked &shape, Value head);
  void transposeKeys(Value image, Value head);
  void computeScores(const RowBlock &block, Value head);
  SmallVector<Value> computeExponentials();
  void storeProbabilities(const RowBlock &block, Value image, Value head,
                          ArrayRef<Value> factors);
  void sumValues(const RowBlock &block, Value image, Value head,
                 ArrayRef<Value> factors);
  void emit(int64_t chunk);
};
} // namespace

SmallVector<std::pair<int64_t, int64_t>> Attention::getPanels() const {
  // As even as can be: a panel left narrow has too few accumulators to hide the
  // latency of the FMA.
  int64_t wide = 1;
  while (wide < vectors && wide < 4 &&
         b.level.stripVectors(result.rows, wide + 1) == wide + 1)
    ++wide;
  int64_t count = llvm::divideCeil(vectors, wide);
  int64_t narrow = vectors / count, wider = vectors % count;
  SmallVector<std::pair<int64_t, int64_t>> panels;
  if (wider > 0)
    panels.push_back({narrow + 1, wider});
  panels.push_back({narrow, count - wider});
  return panels;
}

Value Attention::getChannel(unsigned operand, const Blocked &shape,
                            Value head) {
  int64_t offset =
      kernel::paddedChannel(op.getOffsets()[operand], shape.group) / kLanes;
  return b.add(b.mul(head, headVectors), offset);
}

void Attention::transposeKeys(Value image, Value head) {
  Value source = b.argument(1);
  Value base = b.add(b.mul(image, key.blocksPerImage * key.blockElements()),
                     b.mul(getChannel(1, key, head), key.vectorElements()));
  Value lastRow = b.index(key.blocksPerImage * key.rows - 1);
  auto transposeVector = [&](Value vector, Value target, int64_t stride) {
    // Rows beyond the last repeat it: their scores are not used.
    SmallVector<Value> offsets;
    for (int64_t i = 0; i < kLanes; ++i) {
      Value row = b.min(b.add(b.mul(vector, kLanes), i), lastRow);
      offsets.push_back(
          b.add(base, b.add(b.mul(b.div(row, key.rows), key.blockElements()),
                            b.mul(b.rem(row, key.rows), kLanes))));
    }
    b.loop(0, headVectors, [&](Value v) {
      SmallVector<Value> rows;
      Value from = b.mul(v, key.vectorElements());
      for (Value offset : offsets)
        rows.push_back(b.load(source, b.add(offset, from)));
      Value to = b.add(target, b.mul(v, kLanes * stride));
      for (auto [i, row] : llvm::enumerate(transpose(b, rows)))
        b.store(row, transposed, b.add(to, i * stride));
    });
  };
  int64_t first = 0;
  for (auto [width, count] : getPanels()) {
    int64_t begin = first, panelWidth = width;
    b.loop(0, count * width, [&](Value i) {
      Value panel = b.div(i, panelWidth), v = b.rem(i, panelWidth);
      Value target =
          b.add(b.mul(panel, panelWidth * kLanes * depth()), b.mul(v, kLanes));
      transposeVector(b.add(i, begin), b.add(target, begin * kLanes * depth()),
                      panelWidth * kLanes);
    });
    first += count * width;
  }
}

void Attention::computeScores(const RowBlock &block, Value head) {
  int64_t first = 0;
  for (auto [width, count] : getPanels()) {
    int64_t begin = first, panelWidth = width;
    b.loop(0, count, [&](Value panel) {
      Tile tile;
      tile.rows = query.rows;
      tile.vectors = panelWidth;
      tile.steps = headVectors;
      tile.unroll = kLanes;
      tile.left = b.argument(0);
      tile.leftBase =
          b.add(b.mul(block.block, query.blockElements()),
                b.mul(getChannel(0, query, head), query.vectorElements()));
      tile.leftRow = kLanes;
      tile.leftStep = query.vectorElements();
      tile.right = transposed;
      tile.rightBase = b.add(b.mul(panel, panelWidth * kLanes * depth()),
                             begin * kLanes * depth());
      tile.rightDepth = panelWidth * kLanes;
      tile.rightStep = tile.rightDepth * kLanes;
      tile.rightVector = kLanes;
      SmallVector<Value> sums = emitTile(b, tile);
      Value target = b.add(b.mul(panel, panelWidth * kLanes), begin * kLanes);
      for (int64_t row = 0; row < tile.rows; ++row)
        for (int64_t v = 0; v < panelWidth; ++v)
          b.store(sums[row * panelWidth + v], scores,
                  b.add(target, row * scoreRow() + v * kLanes));
    });
    first += count * width;
  }
}

SmallVector<Value> Attention::computeExponentials() {
  int64_t rows = query.rows;
  int64_t whole = key.tokens / kLanes, tail = key.tokens % kLanes;
  double factor = op.getScale().convertToDouble() * 1.44269504088896341;
  // exp(scale (s - m)) = 2^(factor s - factor m), m the score with the largest
  // scale s.
  Reduction kind = factor < 0 ? Reduction::Min : Reduction::Max;
  double worst = factor < 0 ? std::numeric_limits<double>::infinity()
                            : -std::numeric_limits<double>::infinity();
  auto at = [&](Value vector, int64_t row) {
    return b.add(b.mul(vector, kLanes), row * scoreRow());
  };
  auto forEachVector = [&](double start,
                           function_ref<Value(Value vector, int64_t row,
                                              int64_t lanes, Value carried)>
                               body) {
    SmallVector<Value> carried(rows, b.splat(start));
    auto visit = [&](Value vector, int64_t lanes) {
      for (int64_t row = 0; row < rows; ++row)
        carried[row] = body(vector, row, lanes, carried[row]);
    };
    if (whole > 0)
      carried = b.loop(b.index(0), b.index(whole), 1, carried,
                       [&](Value i, ValueRange values) {
                         carried.assign(values.begin(), values.end());
                         visit(i, kLanes);
                         return carried;
                       });
    if (tail > 0)
      visit(b.index(whole), tail);
    return carried;
  };

  SmallVector<Value> best = forEachVector(
      worst, [&](Value vector, int64_t row, int64_t lanes, Value carried) {
        Value s = b.load(scores, at(vector, row));
        if (lanes != kLanes)
          s = b.select(b.laneMask(lanes), s, b.splat(worst));
        return b.combine(kind, s, carried);
      });
  for (Value &value : best) {
    Value scalar = b.reduce(kind, value);
    value = arith::NegFOp::create(
        b, arith::MulFOp::create(b, b.broadcast(scalar), b.splat(factor)));
  }
  SmallVector<Value> sums = forEachVector(0, [&](Value vector, int64_t row,
                                                 int64_t lanes, Value carried) {
    Value s = b.load(scores, at(vector, row));
    Value power = emitExp2OfNegative(b, b.fma(s, b.splat(factor), best[row]));
    if (lanes != kLanes)
      power = b.select(b.laneMask(lanes), power, b.splat(0));
    b.store(power, scores, at(vector, row));
    return b.combine(Reduction::Add, carried, power);
  });
  // Keys beyond the last vector with a token: padding of the last row block.
  for (int64_t v = llvm::divideCeil(key.tokens, kLanes); v < vectors; ++v)
    for (int64_t row = 0; row < rows; ++row)
      b.store(b.splat(0), scores, at(b.index(v), row));
  Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
  for (Value &sum : sums)
    sum = b.broadcast(
        arith::DivFOp::create(b, one, b.reduce(Reduction::Add, sum)));
  return sums;
}

void Attention::storeProbabilities(const RowBlock &block, Value image,
                                   Value head, ArrayRef<Value> factors) {
  Value target = b.argument(4);
  int64_t whole = key.tokens / kLanes, tail = key.tokens % kLanes;
  Value matrix = b.mul(b.add(b.mul(image, heads), head), query.tokens);
  for (int64_t row = 0; row < query.rows; ++row) {
    Value token = b.add(b.mul(block.local, query.rows), row);
    auto storeRow = [&] {
      Value base = b.mul(b.add(matrix, token), key.tokens);
      auto storeVector = [&](Value v, int64_t lanes) {
        Value offset = b.mul(v, kLanes);
        Value p = b.load(scores, b.add(offset, row * scoreRow()));
        b.storeLanes(arith::MulFOp::create(b, p, factors[row]), target,
                     b.add(base, offset), lanes);
      };
      if (whole > 0)
        b.loop(0, whole, [&](Value v) { storeVector(v, kLanes); });
      if (tail > 0)
        storeVector(b.index(whole), tail);
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
  Value base = b.add(b.mul(image, value.blocksPerImage * value.blockElements()),
                     b.mul(getChannel(2, value, head), value.vectorElements()));
  int64_t width = b.level.stripVectors(rows, headVectors);
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
    tile.rightDepth = kLanes;
    tile.rightStep = value.blockElements();
    tile.rightVector = value.vectorElements();
    SmallVector<Value> sums = emitTile(b, tile);
    Value target =
        b.add(block.base, b.mul(b.add(b.mul(head, headVectors), firstVector),
                                result.vectorElements()));
    for (int64_t v = 0; v < width; ++v)
      for (int64_t row = 0; row < rows; ++row) {
        Value x = arith::MulFOp::create(b, sums[row * width + v], factors[row]);
        b.store(zeroPaddedRow(b, result, block, row, x), b.argument(3),
                b.add(target, v * result.vectorElements() + row * kLanes));
      }
  });
}

void Attention::emit(int64_t chunk) {
  int64_t chunks = llvm::divideCeil(result.blocksPerImage, chunk);
  // The head whose keys are in scratch; units come head by head.
  Value none = b.index(-1);
  b.loop(b.begin(), b.end(), 1, ValueRange{none},
         [&](Value unit, ValueRange carried) {
           Value pair = b.div(unit, chunks);
           Value image = b.div(pair, heads), head = b.rem(pair, heads);
           Value isNew = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                               pair, carried[0]);
           b.ifThen(isNew, [&] { transposeKeys(image, head); });
           Value first = b.mul(b.rem(unit, chunks), chunk);
           Value last =
               b.min(b.add(first, chunk), b.index(result.blocksPerImage));
           Value imageBlock = b.mul(image, result.blocksPerImage);
           b.loop(first, last, [&](Value local) {
             RowBlock block = getRowBlock(b, result, b.add(imageBlock, local));
             block.local = local;
             computeScores(block, head);
             SmallVector<Value> factors = computeExponentials();
             if (op.getProbabilities())
               storeProbabilities(block, image, head, factors);
             sumValues(block, image, head, factors);
           });
           return SmallVector<Value>{pair};
         });
}

FailureOr<KernelInfo> mlir::vit::cpu::emitAttention(kernel::AttentionOp op,
                                                    KernelBuilder &b) {
  FailureOr<Blocked> query = Blocked::get(op, op.getQuery().getType());
  FailureOr<Blocked> key = Blocked::get(op, op.getKey().getType());
  FailureOr<Blocked> value = Blocked::get(op, op.getValue().getType());
  FailureOr<Blocked> result = Blocked::get(op, op.getResult().getType());
  if (failed(query) || failed(key) || failed(value) || failed(result))
    return failure();
  int64_t headDim = op.getHeadDim();
  const Blocked *shapes[] = {&*query, &*key, &*value, &*result};
  for (auto [i, shapeOf] : llvm::enumerate(shapes)) {
    const Blocked &shape = *shapeOf;
    // Each head must begin at a vector.
    int64_t offset = i < 3 ? op.getOffsets()[i] : 0;
    bool aligned = shape.group == 0
                       ? headDim % kLanes == 0 && offset % kLanes == 0
                       : shape.group == headDim && offset % headDim == 0;
    if (!aligned || shape.rows != result->rows || !shape.isPerImage())
      return op.emitOpError("has heads of ")
             << headDim << " channels that do not begin at a vector, or "
             << "unequal row blocks; run vit-layout first";
  }
  if (auto probabilities = op.getProbabilities())
    if (cast<RankedTensorType>(probabilities.getType()).getEncoding())
      return op.emitOpError("writes probabilities row-major only");

  Attention attention{op, b, *query, *key, *value, *result};
  attention.heads = op.getHeads();
  attention.headDim = headDim;
  attention.headVectors = llvm::divideCeil(headDim, kLanes);
  attention.vectors = llvm::divideCeil(key->blocksPerImage * key->rows, kLanes);
  int64_t transposedElements = attention.vectors * kLanes * attention.depth();
  attention.transposed = b.scratch();
  attention.scores = b.scratch(transposedElements * sizeof(float));
  int64_t chunk = op.getTile() ? op.getTile()->getChunk() : 0;
  chunk = chunk > 0 ? std::min(chunk, result->blocksPerImage)
                    : result->blocksPerImage;
  attention.emit(chunk);

  KernelInfo info;
  int64_t chunks = llvm::divideCeil(result->blocksPerImage, chunk);
  info.units =
      kernel::ExtentAttr::get(op.getContext(), attention.heads * chunks, 1, 1);
  info.flop = kernel::ExtentAttr::get(
      op.getContext(),
      4 * attention.heads * query->tokens * key->tokens * headDim, 1, 1);
  info.scratch = (transposedElements + result->rows * attention.scoreRow()) *
                 int64_t(sizeof(float));
  return info;
}
