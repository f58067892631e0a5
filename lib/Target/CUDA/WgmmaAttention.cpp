//===- WgmmaAttention.cpp - Attention by warpgroups -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// softmax(scale q k^T) v in one pass over blocks of `chunk` keys, as described
// in Simt/Attention.h. A work unit are `rows` queries of a head; a workgroup
// takes several, as in WgmmaGemm.cpp. One thread of the last warpgroup copies
// queries into one ring of buffers, keys and values into another (TMA, zeros
// beyond the last token of an image). Each of the other warpgroups has 64
// queries: the scores of a block are in registers, and their exponentials,
// rounded, are the left operand of the product with the values there.
//
// The last block, which may have fewer keys, is the first one here; the other
// keys of its buffers are zeros and their scores -inf. The scores of a block
// are under way together with the product of the exponentials and values of the
// block before, and exponentials of the new scores are taken while that product
// is (Shah et al., "FlashAttention-3", arXiv:2407.08608, "Intra-warpgroup
// overlap"). So the order of the copies is k0, k1, v0, k2, v1, ...
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Common/Math.h"
#include "../Simt/Attention.h"
#include "WarpgroupBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;

/// Buffers of queries, so that those of the next unit arrive in time, and of
/// keys or values.
static constexpr int64_t kQueryBuffers = 2, kBlockBuffers = 4;

namespace {
class WgmmaAttention {
public:
  explicit WgmmaAttention(Attention &a);
  void emit();
  /// The first key of the block that is first, and those of it that exist.
  int64_t firstKey() const { return (count - 1) * keys; }
  int64_t firstKeys() const { return a.keys - firstKey(); }

private:
  using Positions = WarpgroupBuilder::Positions;
  /// What a thread carries from block to block, for rows g and g + 8 of its
  /// warp.
  struct State {
    std::array<Value, 2> largest; ///< score of the row
    std::array<Value, 2> weight;  ///< sum of the powers of this thread
    Value result;                 ///< sums of weighted values, 64 x width
    /// The exponentials of the last block, rounded.
    SmallVector<SmallVector<Value>> powers;
    RingPosition position; ///< in the ring of keys and values

    SmallVector<Value> flatten() const;
    static State get(ValueRange values);
  };

  void allocate();
  /// Copies tokens from `first` on into a buffer; returns the position after
  /// it.
  RingPosition copy(const Ring &ring, RingPosition position,
                    Attention::Argument argument, Value first);
  Positions copyUnit(Value unit, const Positions &positions);
  Positions computeUnit(Value unit, const Positions &positions);
  /// Starts the scores of the keys in a buffer that is full.
  Value startScores(RingPosition position);
  /// Starts weighting the values of such a buffer. `accumulates` is false for
  /// those of the first block.
  void startValues(RingPosition position, State &state, Value accumulates);
  /// Releases a buffer of keys or values; returns the position after it.
  RingPosition release(RingPosition position);
  /// Turns the scores of keys from `key` on into exponentials relative to the
  /// largest of their row. Returns by how much those of the blocks before
  /// become smaller, if this is not the first one.
  std::array<Value, 2> exponentiate(MutableArrayRef<Value> scores, Value key,
                                    State &state, bool isFirst);
  /// Adds the bias to the scores of keys that exist; the others become -inf.
  void adjust(MutableArrayRef<Value> scores, Value key, bool isFirst);
  /// Rounds the exponentials of a block, and adds them: in bf16 what they are
  /// then.
  void round(ArrayRef<Value> scores, const std::array<Value, 2> &shrink,
             State &state, bool isFirst);
  /// Weights the values of the block before, and takes the exponentials of the
  /// one with keys from `key` on. The buffer at the position of the state is
  /// full, before and after.
  State addBlock(State state, Value key, Value accumulates);
  void store(const State &state);
  Value max(Value x, Value y) { return LLVM::MaxNumOp::create(b, x, y); }

  Attention &a;
  SimtBuilder &b;
  WarpgroupBuilder w;
  TensorBuilder t;
  int64_t rows, keys; ///< of a unit, of a block
  int64_t count;      ///< of blocks
  int64_t width;      ///< channels of a padded head
  int64_t boxes;      ///< of a row of a head
  int64_t groups;     ///< warpgroups that multiply
  /// Scores are multiplied by a.factor before their largest is known, as they
  /// have a bias or the factor reverses their order.
  bool scalesFirst;
  Value maps[3];
  Ring queries, blocks;
  GroupOperand query; ///< of the unit
};
} // namespace

WgmmaAttention::WgmmaAttention(Attention &a)
    : a(a), b(a.b), w(b, Operands::of(a.op)), t(b, Operands::of(a.op)),
      rows(a.tile.getRows()), keys(a.tile.getChunk()),
      count(llvm::divideCeil(a.keys, keys)), width(a.vectors * kVectorLanes),
      boxes(llvm::divideCeil(width, kBoxColumns)), groups(rows / kGroupRows),
      scalesFirst(a.op.getBias() || !(a.factor > 0)) {
  for (Attention::Argument argument :
       {Attention::Query, Attention::Key, Attention::Val}) {
    const Activation &shape = a.shapes[argument];
    maps[argument] =
        w.addMap({a.number(argument), shape.vectors * kVectorLanes,
                  argument == Attention::Query ? rows : keys, shape.tokens});
  }
}

SmallVector<Value> WgmmaAttention::State::flatten() const {
  SmallVector<Value> values = {largest[0], largest[1],      weight[0],
                               weight[1],  position.buffer, position.round,
                               result};
  for (ArrayRef<Value> words : powers)
    values.append(words.begin(), words.end());
  return values;
}

WgmmaAttention::State WgmmaAttention::State::get(ValueRange values) {
  State state;
  state.largest = {values[0], values[1]};
  state.weight = {values[2], values[3]};
  state.position = {values[4], values[5]};
  state.result = values[6];
  for (size_t i = 7; i < values.size(); i += kLeftWords)
    state.powers.push_back(
        SmallVector<Value>(values.slice(i, size_t(kLeftWords))));
  return state;
}

void WgmmaAttention::allocate() {
  queries.buffers = kQueryBuffers;
  queries.bytes = rows * boxes * kBoxRowBytes;
  blocks.buffers = kBlockBuffers;
  blocks.bytes = keys * boxes * kBoxRowBytes;
  int64_t queryBytes = queries.buffers * queries.bytes;
  int64_t blockBytes = blocks.buffers * blocks.bytes;
  queries.memory = w.allocate(queryBytes + blockBytes + queries.barrierBytes() +
                              blocks.barrierBytes());
  blocks.memory = w.at(queries.memory, queryBytes);
  queries.full = w.at(blocks.memory, blockBytes);
  queries.empty = w.at(queries.full, queries.barrierBytes() / 2);
  blocks.full = w.at(queries.full, queries.barrierBytes());
  blocks.empty = w.at(blocks.full, blocks.barrierBytes() / 2);
  w.initialize({queries, blocks}, groups * kWarpgroup / kWarp);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

RingPosition WgmmaAttention::copy(const Ring &ring, RingPosition position,
                                  Attention::Argument argument, Value first) {
  w.beginFill(ring, position, ring.bytes);
  for (int64_t box = 0; box < boxes; ++box) {
    Value vector = a.inRow(argument, b.index(box * kBoxColumns / kVectorLanes));
    w.fill(ring, position, maps[argument],
           {b.mul(vector, kVectorLanes), first, a.image},
           w.at(w.buffer(ring, position), ring.bytes / boxes * box));
  }
  return w.next(ring, position);
}

WgmmaAttention::Positions WgmmaAttention::copyUnit(Value unit,
                                                   const Positions &positions) {
  a.locate(unit);
  RingPosition after =
      copy(queries, positions[0], Attention::Query, a.firstQuery);
  Value first = b.index(firstKey());
  RingPosition now = copy(blocks, positions[1], Attention::Key, first);
  // Carries the first token of the block before.
  auto copyBlocks = [&](Value block, ValueRange carried) {
    Value token = b.mul(b.sub(block, b.index(1)), keys);
    RingPosition now = {carried[0], carried[1]};
    now = copy(blocks, now, Attention::Key, token);
    now = copy(blocks, now, Attention::Val, carried[2]);
    return SmallVector<Value>{now.buffer, now.round, token};
  };
  if (count > 1) {
    SmallVector<Value> carried =
        b.loop(b.index(1), b.index(count), 1, {now.buffer, now.round, first},
               copyBlocks);
    now = {carried[0], carried[1]};
    first = carried[2];
  }
  return {after, copy(blocks, now, Attention::Val, first)};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Value WgmmaAttention::startScores(RingPosition position) {
  GroupOperand key = w.operand(w.buffer(blocks, position),
                               /*isTransposed=*/false, keys * kBoxRowBytes);
  w.beginProducts();
  Value scores = w.multiply(query, key, keys, width);
  w.endProducts();
  return scores;
}

void WgmmaAttention::startValues(RingPosition position, State &state,
                                 Value accumulates) {
  GroupOperand value = w.operand(w.buffer(blocks, position),
                                 /*isTransposed=*/true, keys * kBoxRowBytes);
  state.result = w.multiply(state.powers, value, state.result, accumulates);
  w.endProducts();
}

RingPosition WgmmaAttention::release(RingPosition position) {
  w.release(blocks, position.buffer);
  return w.next(blocks, position);
}

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

void WgmmaAttention::adjust(MutableArrayRef<Value> scores, Value key,
                            bool isFirst) {
  bool hasBias = a.op.getBias() != nullptr;
  Value none = b.scalar(-std::numeric_limits<double>::infinity());
  key = b.add(key, b.mul(b.rem(w.lane(), 4), 2));
  std::array<Value, 2> elements;
  for (int64_t half : {0, 1})
    if (hasBias)
      elements[half] = a.biasAt(b.add(a.firstQuery, w.row(half)));
  for (auto [i, score] : llvm::enumerate(scores)) {
    int64_t block = i / kBlockSums, half = i % kBlockSums / 2, second = i % 2;
    bool isRagged = isFirst && (block + 1) * kBlockColumns > firstKeys();
    Value own = b.add(key, block * kBlockColumns + second);
    if (scalesFirst)
      score = b.mulf(score, b.scalar(a.factor));
    if (hasBias)
      score = a.addBias(
          score, b.add(elements[half], isRagged ? a.clampKey(own) : own));
    if (isRagged)
      score = b.select(b.isLess(own, b.index(a.keys)), score, none);
  }
}

std::array<Value, 2> WgmmaAttention::exponentiate(MutableArrayRef<Value> scores,
                                                  Value key, State &state,
                                                  bool isFirst) {
  adjust(scores, key, isFirst);
  Value factor = b.scalar(scalesFirst ? 1 : a.factor);
  std::array<Value, 2> shrink;
  for (int64_t half : {0, 1}) {
    SmallVector<Value> powers;
    for (size_t i = 2 * half; i < scores.size(); i += kBlockSums)
      powers.append({scores[i], scores[i + 1]});
    Value largest =
        reduceInParts(powers, [&](Value x, Value y) { return max(x, y); });
    for (int32_t distance : {1, 2})
      largest = max(largest, t.exchange(largest, distance));
    if (!isFirst) {
      largest = max(largest, state.largest[half]);
      shrink[half] =
          t.exp2(b.mulf(b.subf(state.largest[half], largest), factor));
    }
    Value origin = b.negf(b.mulf(largest, factor));
    // That of a key that does not exist is 0.
    for (Value &score : powers)
      score = t.exp2(b.fma(score, factor, origin));
    state.largest[half] = largest;
    for (size_t i = 2 * half, j = 0; i < scores.size(); i += kBlockSums, j += 2)
      std::copy_n(powers.begin() + j, 2, scores.begin() + i);
  }
  return shrink;
}

void WgmmaAttention::round(ArrayRef<Value> scores,
                           const std::array<Value, 2> &shrink, State &state,
                           bool isFirst) {
  state.powers = t.packLeft(scores);
  for (int64_t half : {0, 1}) {
    SmallVector<Value> powers;
    if (t.operands.type == ::vit::format::ElementType::BF16) {
      for (ArrayRef<Value> words : state.powers)
        for (Value word : {words[half], words[half + 2]})
          llvm::append_range(powers, t.unpack(word));
    } else {
      // The errors are eight times less, and an instruction for each of these,
      // and for each word, would be a fifth of those of the loop.
      for (size_t i = 2 * half; i < scores.size(); i += kBlockSums)
        llvm::append_range(powers, scores.slice(i, 2));
    }
    Value weight =
        reduceInParts(powers, [&](Value x, Value y) { return b.addf(x, y); });
    state.weight[half] =
        isFirst ? weight : b.fma(state.weight[half], shrink[half], weight);
  }
}

//===----------------------------------------------------------------------===//
// Units
//===----------------------------------------------------------------------===//

WgmmaAttention::State WgmmaAttention::addBlock(State state, Value key,
                                               Value accumulates) {
  RingPosition keyAt = state.position, valueAt = w.next(blocks, keyAt);
  w.waitFull(blocks, valueAt);
  Value products = startScores(keyAt);
  startValues(valueAt, state, accumulates);
  w.waitProducts(1);
  release(keyAt);
  SmallVector<Value> scores = w.split(products);
  std::array<Value, 2> shrink =
      exponentiate(scores, key, state, /*isFirst=*/false);
  // Here, as ptxas would otherwise wait for the products with the values before
  // it takes the exponentials.
  state.position = w.next(blocks, valueAt);
  w.waitFull(blocks, state.position);
  w.waitProducts(0);
  release(valueAt);
  SmallVector<Value> sums = w.split(state.result);
  for (auto [i, sum] : llvm::enumerate(sums))
    sum = b.mulf(sum, shrink[i % kBlockSums / 2]);
  state.result = w.join(sums);
  round(scores, shrink, state, /*isFirst=*/false);
  return state;
}

void WgmmaAttention::store(const State &state) {
  SmallVector<Value> sums = w.split(state.result);
  for (int64_t half : {0, 1}) {
    Value weight = t.reduceRow(Reduction::Add, state.weight[half]);
    Value inverse = b.divf(b.scalar(1), weight);
    SmallVector<Value> values;
    for (size_t i = 2 * half; i < sums.size(); i += kBlockSums)
      for (Value sum : ArrayRef<Value>(sums).slice(i, 2))
        values.push_back(b.mulf(sum, inverse));
    Value token = b.add(a.firstQuery, w.row(half));
    Value to = b.mul(a.at(Attention::Result, token, b.index(0)), kVectorLanes);
    t.storeRow(values, a.number(Attention::Result), to, a.isQuery(token));
  }
}

WgmmaAttention::Positions
WgmmaAttention::computeUnit(Value unit, const Positions &positions) {
  a.locate(unit);
  w.waitFull(queries, positions[0]);
  query = w.operand(w.at(w.buffer(queries, positions[0]),
                         b.mul(w.group(), kGroupRows * kBoxRowBytes)),
                    /*isTransposed=*/false, rows * kBoxRowBytes);
  State state;
  w.waitFull(blocks, positions[1]);
  Value products = startScores(positions[1]);
  w.waitProducts(0);
  state.position = release(positions[1]);
  SmallVector<Value> scores = w.split(products);
  round(scores, exponentiate(scores, b.index(firstKey()), state, true), state,
        /*isFirst=*/true);
  state.result = w.undefined(width);
  w.waitFull(blocks, state.position);
  if (count > 1) {
    auto add = [&](Value block, ValueRange values) {
      Value last = b.sub(block, b.index(1));
      Value accumulates = b.isLess(b.index(0), last);
      return addBlock(State::get(values), b.mul(last, keys), accumulates)
          .flatten();
    };
    state =
        State::get(b.loop(b.index(1), b.index(count), 1, state.flatten(), add));
  }
  w.release(queries, positions[0].buffer);
  w.beginProducts();
  Value accumulates = b.constant(b.getBoolAttr(count > 1));
  startValues(state.position, state, accumulates);
  w.waitProducts(0);
  state.position = release(state.position);
  store(state);
  return {w.next(queries, positions[0]), state.position};
}

void WgmmaAttention::emit() {
  allocate();
  Value all = b.mul(b.batch(), a.heads * a.unitsPerHead());
  auto copyAll = [&] {
    w.forEachUnit(all, 2, [&](Value unit, const Positions &positions) {
      return copyUnit(unit, positions);
    });
  };
  auto multiplyAll = [&] {
    w.forEachUnit(all, 2, [&](Value unit, const Positions &positions) {
      return computeUnit(unit, positions);
    });
  };
  // Of a thread: scores, their exponentials and sums.
  int64_t registers = keys / 2 + keys / 4 + width / 2;
  w.specialize(groups, registers, copyAll, multiplyAll);
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(const Attention &a) {
  kernel::TileAttr tile = a.tile;
  int64_t groups = tile.getRows() / kGroupRows;
  constexpr int64_t mostKeys = 256;
  if ((groups == 1 || groups == 2) && tile.getRows() % kGroupRows == 0 &&
      tile.getCols() == a.vectors * kVectorLanes &&
      tile.getChunk() % kWgmmaDepth == 0 && tile.getChunk() <= mostKeys &&
      tile.getThreads() == (groups + 1) * kWarpgroup)
    return success();
  kernel::AttentionOp op = a.op;
  return op.emitOpError("has a tile that its warpgroups do not cover: ")
         << tile;
}

FailureOr<KernelInfo>
mlir::vit::cuda::emitWgmmaAttention(kernel::AttentionOp op, SimtBuilder &b) {
  FailureOr<Attention> a = Attention::get(op, b);
  if (failed(a) || failed(verifyTile(*a)))
    return failure();
  WgmmaAttention attention(*a);
  attention.emit();
  return a->getInfo();
}
