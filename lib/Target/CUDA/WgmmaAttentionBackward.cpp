//===- WgmmaAttentionBackward.cpp - Attention's adjoint by warpgroups -----===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The gradients of Simt/AttentionBackward.cpp. A work unit is a head of an
// image; a workgroup takes several, as in WgmmaGemm.cpp. For each block of
// `rows` queries it passes over the keys twice, for their statistics and for
// dq, then for each block of keys over the queries, for dk and dv. One thread
// of the last warpgroup copies both operands of a block (queries and dy, or
// keys and values) into one ring of buffers, and those of a pass, `chunk`
// tokens at a time, into another (TMA, zeros beyond the last token of an
// image). Each of the other warpgroups has 64 rows of the block.
//
// The scores and dp of a chunk are in registers. Where the rows are keys, they
// are the transposed ones, k q^T and v dy^T, so that p and scale * ds, rounded,
// are left operands of the products with the chunk as they are. The
// exponentials of the scores are taken while dp is under way, ds is computed
// while dv is, and dq or dk of a chunk is under way together with the scores of
// the next.
//
// Two numbers per query are kept in workgroup memory for the second part: the
// logarithm of the sum of exponentials, and scale * delta.
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "../Common/Math.h"
#include "../Simt/AttentionBackward.h"
#include "WarpgroupBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cuda;
using namespace mlir::vit::simt;

using Reduction = CodeBuilder::Reduction;
using Values = SmallVector<Value>;

/// Buffers of blocks and of chunks: the first of these that fit.
static constexpr std::pair<int64_t, int64_t> kBuffers[] = {
    {2, 4}, {2, 3}, {1, 4}, {1, 3}, {1, 2}};
/// Bytes of the statistics of a query: two f32.
static constexpr int64_t kStatisticsBytes = 8;

namespace {
/// The tokens of two arguments, which are multiplied with those of the other
/// side: queries and dy, keys and values.
struct Side {
  AttentionBackwardArguments::Argument arguments[2];
  int64_t tokens;
  Value blockMaps[2], chunkMaps[2];
};

/// What is needed to recompute probabilities and ds of a query.
struct Statistics {
  Value origin; ///< -log2 of the sum of the powers of 2 of all scores
  Value delta;  ///< -scale * delta
};

class WgmmaAttentionBackward : AttentionBackwardArguments {
public:
  WgmmaAttentionBackward(kernel::AttentionBackwardOp op, SimtBuilder &b,
                         ArrayRef<Activation> shapes);
  void emit();

private:
  using Positions = WarpgroupBuilder::Positions;
  /// A chunk of a pass.
  struct Chunk {
    Value first;    ///< its first token
    Value buffer;   ///< its operands
    Values scores;  ///< of this thread
    Value products; ///< dp, under way
    Value hasNext;  ///< whether this is not the last chunk of the pass
    RingPosition next;
  };
  /// Turns what a thread carries into what it carries after a chunk. Waits for
  /// the next chunk and for dp.
  using UseChunk = function_ref<Values(Chunk &chunk, ValueRange carried)>;

  unsigned number(Argument argument) const {
    return AttentionBackwardArguments::number(argument, hasBias);
  }
  Side getSide(Argument left, Argument right);
  void allocate();
  /// Writes the statistics of queries that do not exist: all their
  /// probabilities are zero.
  void initializeStatistics();
  /// Entries of `statistics`: a multiple of both tiles of queries.
  int64_t entries() const {
    return std::max(llvm::alignTo(queries.tokens, chunk),
                    llvm::alignTo(queries.tokens, rows));
  }
  Value statisticsOf(Value query) {
    return w.at(statistics, b.mul(query, kStatisticsBytes));
  }
  void storeStatistics(const Statistics &entry, Value query);
  void locate(Value unit);
  /// The first channel of the head in a row.
  Value channel(Argument argument);

  // What the last warpgroup does.
  RingPosition copy(const Ring &ring, RingPosition position, const Side &side,
                    ArrayRef<Value> maps, Value first);
  /// Copies the blocks of `rows`, after each of them the chunks of `columns`,
  /// `passes` times.
  Positions copyBlocks(const Side &rows, const Side &columns, int64_t passes,
                       const Positions &positions);

  // What the others do.
  Positions computeUnit(Value unit, const Positions &positions);
  /// Runs `use` for each block of a side, with its first token and the position
  /// of the first chunk; it returns that after the last chunk.
  Positions
  forEachBlock(const Side &side, const Positions &positions,
               function_ref<RingPosition(Value first, RingPosition)> use);
  /// Runs `use` for each chunk of a side. Moves `position` on. If `adds`,
  /// products that `use` has started may be under way after it.
  Values forEachChunk(const Side &side, RingPosition &position,
                      ValueRange carried, bool adds, UseChunk use);
  /// Waits for the chunk after this one. It is between the exponentials and the
  /// wait for products, as ptxas would otherwise move those behind it.
  void waitNext(const Chunk &chunk);
  /// Operand `number` of a chunk.
  GroupOperand operand(Value buffer, int64_t number, bool isTransposed);
  /// Starts adding the product of `factors`, rounded, and operand `number` of
  /// a chunk.
  Value startSums(ArrayRef<Value> factors, const Chunk &chunk, int64_t number,
                  Value sums);
  /// The column of score `i` of this lane in a chunk.
  Value column(const Chunk &chunk, int64_t i);
  /// Adds the bias to the scores of a chunk, if there is one. Where the columns
  /// are keys, those of keys that do not exist become -inf.
  void adjust(Chunk &chunk, Value firstRow, bool columnsAreKeys);
  void addBias(Chunk &chunk, Value firstRow, bool columnsAreKeys);
  /// 2 to the power of an adjusted score and `origin`.
  Value power(Value score, Value origin) {
    return t.exp2(b.fma(score, b.scalar(scalesFirst ? 1 : factor), origin));
  }
  /// The scores or other values in rows g (0) and g + 8 (1) of this lane.
  static Values takeRow(ArrayRef<Value> values, int64_t half);
  Values addStatistics(Value firstQuery, Chunk &chunk, ValueRange carried);
  /// Stores the statistics of the two queries of this lane.
  std::array<Statistics, 2> finishStatistics(Value firstQuery,
                                             ArrayRef<Value> carried);
  RingPosition takeQueries(Value firstQuery, RingPosition position);
  /// The statistics of the queries of this lane in a chunk.
  SmallVector<Statistics> loadStatistics(const Chunk &chunk);
  RingPosition takeKeys(Value firstKey, RingPosition position);
  void store(Argument argument, Value first, Value sums);

  kernel::AttentionBackwardOp op;
  SimtBuilder &b;
  WarpgroupBuilder w;
  TensorBuilder t;
  SmallVector<Activation> shapes; ///< those of operands and results
  bool hasBias;
  int64_t rows, chunk; ///< tokens of a block, of a chunk
  int64_t width;       ///< channels of a padded head
  int64_t boxes;       ///< of a row of a head
  int64_t groups;      ///< warpgroups that multiply
  double scale;
  double factor; ///< turns a score into an exponent of 2
  /// Scores are multiplied by `factor` before their largest is known, as they
  /// have a bias or the factor reverses their order.
  bool scalesFirst;
  Side queries, keys;
  Ring blocks, chunks;
  Value statistics;
  Value image, head;     ///< those of the unit
  GroupOperand block[2]; ///< the rows of this warpgroup
};
} // namespace

WgmmaAttentionBackward::WgmmaAttentionBackward(kernel::AttentionBackwardOp op,
                                               SimtBuilder &b,
                                               ArrayRef<Activation> shapes)
    : op(op), b(b), w(b, Operands::of(op)), t(b, Operands::of(op)),
      shapes(shapes), hasBias(op.getBias() != nullptr),
      rows(op.getTile().getRows()), chunk(op.getTile().getChunk()),
      width(op.getTile().getCols()),
      boxes(llvm::divideCeil(width, kBoxColumns)), groups(rows / kGroupRows),
      scale(op.getScale().convertToDouble()), factor(scale * kLog2E),
      scalesFirst(hasBias || !(factor > 0)), queries(getSide(Query, Gradient)),
      keys(getSide(Key, Val)) {}

Side WgmmaAttentionBackward::getSide(Argument left, Argument right) {
  Side side = {{left, right}, shapes[left].tokens, {}, {}};
  for (auto [i, argument] : llvm::enumerate(side.arguments)) {
    TensorMap map = {number(argument), shapes[argument].vectors * kVectorLanes,
                     rows, side.tokens};
    side.blockMaps[i] = w.addMap(map);
    map.boxRows = chunk;
    side.chunkMaps[i] = w.addMap(map);
  }
  return side;
}

void WgmmaAttentionBackward::allocate() {
  blocks.bytes = 2 * rows * boxes * kBoxRowBytes;
  chunks.bytes = 2 * chunk * boxes * kBoxRowBytes;
  int64_t operandBytes = 0, bytes = 0;
  for (auto [blockBuffers, chunkBuffers] : kBuffers) {
    blocks.buffers = blockBuffers;
    chunks.buffers = chunkBuffers;
    operandBytes = blockBuffers * blocks.bytes + chunkBuffers * chunks.bytes;
    bytes = operandBytes + entries() * kStatisticsBytes +
            blocks.barrierBytes() + chunks.barrierBytes();
    if (bytes <= b.level.limits.dynamicSharedBytes)
      break;
  }
  blocks.memory = w.allocate(bytes);
  chunks.memory = w.at(blocks.memory, blocks.buffers * blocks.bytes);
  statistics = w.at(blocks.memory, operandBytes);
  blocks.full = w.at(statistics, entries() * kStatisticsBytes);
  blocks.empty = w.at(blocks.full, blocks.barrierBytes() / 2);
  chunks.full = w.at(blocks.full, blocks.barrierBytes());
  chunks.empty = w.at(chunks.full, chunks.barrierBytes() / 2);
  initializeStatistics();
  w.initialize({blocks, chunks}, groups * kWarpgroup / kWarp);
}

void WgmmaAttentionBackward::initializeStatistics() {
  Value none = b.scalar(-std::numeric_limits<double>::infinity());
  Statistics entry = {none, b.scalar(0)};
  b.loop(b.add(b.thread(), queries.tokens), b.index(entries()), b.threads(),
         [&](Value query) { storeStatistics(entry, query); });
}

void WgmmaAttentionBackward::storeStatistics(const Statistics &entry,
                                             Value query) {
  Value both =
      vector::FromElementsOp::create(b, VectorType::get({2}, b.getF32Type()),
                                     ValueRange{entry.origin, entry.delta});
  LLVM::StoreOp::create(b, both, statisticsOf(query),
                        /*alignment=*/kStatisticsBytes);
}

void WgmmaAttentionBackward::locate(Value unit) {
  image = b.div(unit, op.getHeads());
  head = b.rem(unit, op.getHeads());
}

Value WgmmaAttentionBackward::channel(Argument argument) {
  int64_t first = kernel::paddedChannel(offsetOf(argument, op.getOffsets()),
                                        shapes[argument].group);
  return b.add(b.mul(head, width), first);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

RingPosition WgmmaAttentionBackward::copy(const Ring &ring,
                                          RingPosition position,
                                          const Side &side,
                                          ArrayRef<Value> maps, Value first) {
  w.beginFill(ring, position, ring.bytes);
  Value to = w.buffer(ring, position);
  for (int64_t i : {0, 1})
    for (int64_t box = 0; box < boxes; ++box) {
      Value column = b.add(channel(side.arguments[i]), box * kBoxColumns);
      w.fill(ring, position, maps[i], {column, first, image}, to);
      to = w.at(to, ring.bytes / (2 * boxes));
    }
  return w.next(ring, position);
}

WgmmaAttentionBackward::Positions
WgmmaAttentionBackward::copyBlocks(const Side &rowSide, const Side &columnSide,
                                   int64_t passes, const Positions &positions) {
  int64_t count = llvm::divideCeil(columnSide.tokens, chunk);
  auto copyChunk = [&](Value step, ValueRange carried) {
    Value first = b.mul(b.rem(step, count), chunk);
    RingPosition after = copy(chunks, {carried[0], carried[1]}, columnSide,
                              columnSide.chunkMaps, first);
    return Values{after.buffer, after.round};
  };
  auto copyBlock = [&](Value number, ValueRange carried) {
    RingPosition after = copy(blocks, {carried[0], carried[1]}, rowSide,
                              rowSide.blockMaps, b.mul(number, rows));
    Values next = {after.buffer, after.round};
    next.append(b.loop(passes * count, {carried[2], carried[3]}, copyChunk));
    return next;
  };
  Values after = b.loop(llvm::divideCeil(rowSide.tokens, rows),
                        {positions[0].buffer, positions[0].round,
                         positions[1].buffer, positions[1].round},
                        copyBlock);
  return {{after[0], after[1]}, {after[2], after[3]}};
}

//===----------------------------------------------------------------------===//
// Blocks and chunks
//===----------------------------------------------------------------------===//

WgmmaAttentionBackward::Positions WgmmaAttentionBackward::forEachBlock(
    const Side &side, const Positions &positions,
    function_ref<RingPosition(Value, RingPosition)> use) {
  auto useBlock = [&](Value number, ValueRange carried) {
    RingPosition now = {carried[0], carried[1]};
    w.waitFull(blocks, now);
    for (int64_t i : {0, 1}) {
      Value first = w.at(w.buffer(blocks, now), i * blocks.bytes / 2);
      block[i] =
          w.operand(w.at(first, b.mul(w.group(), kGroupRows * kBoxRowBytes)),
                    /*isTransposed=*/false, rows * kBoxRowBytes);
    }
    RingPosition after =
        use(b.mul(number, rows), RingPosition{carried[2], carried[3]});
    w.release(blocks, now.buffer);
    now = w.next(blocks, now);
    return Values{now.buffer, now.round, after.buffer, after.round};
  };
  Values after = b.loop(llvm::divideCeil(side.tokens, rows),
                        {positions[0].buffer, positions[0].round,
                         positions[1].buffer, positions[1].round},
                        useBlock);
  return {{after[0], after[1]}, {after[2], after[3]}};
}

void WgmmaAttentionBackward::waitNext(const Chunk &part) {
  b.ifThen(part.hasNext, [&] { w.waitFull(chunks, part.next); });
}

GroupOperand WgmmaAttentionBackward::operand(Value buffer, int64_t number,
                                             bool isTransposed) {
  return w.operand(w.at(buffer, number * chunks.bytes / 2), isTransposed,
                   chunk * kBoxRowBytes);
}

Values WgmmaAttentionBackward::forEachChunk(const Side &side,
                                            RingPosition &position,
                                            ValueRange carried, bool adds,
                                            UseChunk use) {
  int64_t count = llvm::divideCeil(side.tokens, chunk);
  auto useChunk = [&](Value number, ValueRange carried) {
    RingPosition now = {carried[0], carried[1]};
    Chunk part;
    part.hasNext = b.isLess(number, b.index(count - 1));
    part.next = w.next(chunks, now);
    part.first = b.mul(number, chunk);
    part.buffer = w.buffer(chunks, now);
    Value products[2];
    w.beginProducts();
    for (int64_t i : {0, 1}) {
      products[i] =
          w.multiply(block[i], operand(part.buffer, i, /*isTransposed=*/false),
                     chunk, width);
      w.endProducts();
    }
    // All products with the chunk before are complete: its buffer is free.
    w.waitProducts(1);
    w.release(chunks, carried[2], b.isLess(b.index(0), number));
    part.scores = w.split(products[0]);
    part.products = products[1];
    Values values = {part.next.buffer, part.next.round, now.buffer};
    values.append(use(part, carried.drop_front(3)));
    return values;
  };
  w.waitFull(chunks, position);
  Values all = {position.buffer, position.round, b.index(0)};
  all.append(carried.begin(), carried.end());
  all = b.loop(count, all, useChunk);
  if (adds)
    w.waitProducts(0);
  w.release(chunks, all[2]);
  position = {all[0], all[1]};
  return Values(ArrayRef<Value>(all).drop_front(3));
}

Value WgmmaAttentionBackward::startSums(ArrayRef<Value> factors,
                                        const Chunk &part, int64_t number,
                                        Value sums) {
  SmallVector<Values> words = t.packLeft(factors);
  w.beginProducts();
  sums = w.multiply(words, operand(part.buffer, number, /*isTransposed=*/true),
                    sums, /*accumulates=*/b.constant(b.getBoolAttr(true)));
  w.endProducts();
  return sums;
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

Value WgmmaAttentionBackward::column(const Chunk &part, int64_t i) {
  Value inBlock = b.add(b.mul(b.rem(w.lane(), 4), 2), i % 2);
  return b.add(b.add(part.first, inBlock), i / kBlockSums * kBlockColumns);
}

void WgmmaAttentionBackward::addBias(Chunk &part, Value firstRow,
                                     bool columnsAreKeys) {
  auto clampTo = [&](Value token, const Side &side) {
    return b.min(token, b.index(side.tokens - 1));
  };
  for (auto [i, score] : llvm::enumerate(part.scores)) {
    Value row = b.add(firstRow, w.row(i % kBlockSums / 2));
    Value other = column(part, static_cast<int64_t>(i));
    Value query = clampTo(columnsAreKeys ? row : other, queries);
    Value key = clampTo(columnsAreKeys ? other : row, keys);
    Value line = b.add(b.mul(head, queries.tokens), query);
    Value bias = b.load(kBias, b.add(b.mul(line, keys.tokens), key));
    score = b.fma(bias, b.scalar(kLog2E), score);
  }
}

void WgmmaAttentionBackward::adjust(Chunk &part, Value firstRow,
                                    bool columnsAreKeys) {
  if (scalesFirst)
    for (Value &score : part.scores)
      score = b.mulf(score, b.scalar(factor));
  if (hasBias)
    addBias(part, firstRow, columnsAreKeys);
  if (!columnsAreKeys || keys.tokens % chunk == 0)
    return;
  Value isLast = b.isLess(b.index(keys.tokens), b.add(part.first, chunk));
  auto mask = [&] {
    Value none = b.scalar(-std::numeric_limits<double>::infinity());
    Values masked;
    for (auto [i, score] : llvm::enumerate(part.scores)) {
      Value key = column(part, static_cast<int64_t>(i));
      masked.push_back(
          b.select(b.isLess(key, b.index(keys.tokens)), score, none));
    }
    return masked;
  };
  part.scores = t.ifElse(isLast, mask, [&] { return part.scores; });
}

Values WgmmaAttentionBackward::takeRow(ArrayRef<Value> values, int64_t half) {
  Values row;
  for (size_t i = 2 * half; i < values.size(); i += kBlockSums)
    row.append({values[i], values[i + 1]});
  return row;
}

//===----------------------------------------------------------------------===//
// Statistics and the gradient of queries
//===----------------------------------------------------------------------===//

Values WgmmaAttentionBackward::addStatistics(Value firstQuery, Chunk &part,
                                             ValueRange carried) {
  adjust(part, firstQuery, /*columnsAreKeys=*/true);
  auto max = [&](Value x, Value y) { return LLVM::MaxNumOp::create(b, x, y); };
  auto add = [&](Value x, Value y) { return b.addf(x, y); };
  Value step = b.scalar(scalesFirst ? 1 : factor);
  Values next(carried), powers[2];
  for (int64_t half : {0, 1}) {
    Value &largest = next[3 * half], &sum = next[3 * half + 1],
          &dot = next[3 * half + 2];
    Values row = takeRow(part.scores, half);
    Value before = largest;
    largest = reduceInParts(row, max);
    for (int32_t distance : {1, 2})
      largest = max(largest, t.exchange(largest, distance));
    largest = max(largest, before);
    Value shrink = t.exp2(b.mulf(b.subf(before, largest), step));
    Value origin = b.negf(b.mulf(largest, step));
    for (Value score : row)
      powers[half].push_back(power(score, origin));
    sum = b.fma(sum, shrink, reduceInParts(powers[half], add));
    dot = b.mulf(dot, shrink);
  }
  waitNext(part);
  w.waitProducts(0);
  Values products = w.split(part.products);
  for (int64_t half : {0, 1}) {
    Values terms;
    for (auto [x, y] : llvm::zip(powers[half], takeRow(products, half)))
      terms.push_back(b.mulf(x, y));
    next[3 * half + 2] = b.addf(next[3 * half + 2], reduceInParts(terms, add));
  }
  return next;
}

std::array<Statistics, 2>
WgmmaAttentionBackward::finishStatistics(Value firstQuery,
                                         ArrayRef<Value> carried) {
  std::array<Statistics, 2> found;
  Value isFirst = b.isEqual(b.rem(w.lane(), 4), b.index(0));
  for (int64_t half : {0, 1}) {
    Value largest = carried[3 * half];
    Value sum = t.reduceRow(Reduction::Add, carried[3 * half + 1]);
    Value dot = t.reduceRow(Reduction::Add, carried[3 * half + 2]);
    // A division has a branch for special numbers, after which ptxas would
    // serialise products (C7520).
    Value exponent = b.negf(t.log2(sum));
    Value inverse = t.exp2(exponent);
    Value step = b.scalar(scalesFirst ? -1 : -factor);
    found[half] = {b.fma(largest, step, exponent),
                   b.mulf(b.mulf(dot, inverse), b.scalar(-scale))};
    Value query = b.add(firstQuery, w.row(half));
    Value exists = b.isLess(query, b.index(queries.tokens));
    b.ifThen(b.both(isFirst, exists),
             [&] { storeStatistics(found[half], query); });
  }
  return found;
}

RingPosition WgmmaAttentionBackward::takeQueries(Value firstQuery,
                                                 RingPosition position) {
  Value none = b.scalar(-std::numeric_limits<double>::infinity());
  Value zero = b.scalar(0);
  Values carried =
      forEachChunk(keys, position, {none, zero, zero, none, zero, zero},
                   /*adds=*/false, [&](Chunk &part, ValueRange carried) {
                     return addStatistics(firstQuery, part, carried);
                   });
  std::array<Statistics, 2> found = finishStatistics(firstQuery, carried);
  auto addChunk = [&](Chunk &part, ValueRange carried) {
    adjust(part, firstQuery, /*columnsAreKeys=*/true);
    Values factors;
    for (auto [i, score] : llvm::enumerate(part.scores))
      factors.push_back(power(score, found[i % kBlockSums / 2].origin));
    waitNext(part);
    w.waitProducts(0);
    for (auto [i, dp] : llvm::enumerate(w.split(part.products)))
      factors[i] = b.mulf(factors[i], b.fma(dp, b.scalar(scale),
                                            found[i % kBlockSums / 2].delta));
    return Values{startSums(factors, part, /*number=*/0, carried[0])};
  };
  Values sums =
      forEachChunk(keys, position, {w.zeros(width)}, /*adds=*/true, addChunk);
  store(QueryGradient, firstQuery, sums[0]);
  return position;
}

//===----------------------------------------------------------------------===//
// Gradients of keys and values
//===----------------------------------------------------------------------===//

SmallVector<Statistics>
WgmmaAttentionBackward::loadStatistics(const Chunk &part) {
  SmallVector<Statistics> all;
  // Those of two neighbouring queries are 16 bytes.
  for (int64_t i = 0; i < chunk / kBlockColumns; ++i) {
    Value two = LLVM::LoadOp::create(b, b.vectorType,
                                     statisticsOf(column(part, i * kBlockSums)),
                                     /*alignment=*/2 * kStatisticsBytes);
    for (int64_t j : {0, 2})
      all.push_back({b.extract(two, j), b.extract(two, j + 1)});
  }
  return all;
}

RingPosition WgmmaAttentionBackward::takeKeys(Value firstKey,
                                              RingPosition position) {
  auto addChunk = [&](Chunk &part, ValueRange carried) {
    SmallVector<Statistics> found = loadStatistics(part);
    // That of score i.
    auto get = [&](size_t i) { return found[i / kBlockSums * 2 + i % 2]; };
    adjust(part, firstKey, /*columnsAreKeys=*/false);
    Values powers;
    for (auto [i, score] : llvm::enumerate(part.scores))
      powers.push_back(power(score, get(i).origin));
    waitNext(part);
    Value values = startSums(powers, part, /*number=*/1, carried[1]);
    w.waitProducts(1);
    for (auto [i, dp] : llvm::enumerate(w.split(part.products)))
      powers[i] = b.mulf(powers[i], b.fma(dp, b.scalar(scale), get(i).delta));
    return Values{startSums(powers, part, /*number=*/0, carried[0]), values};
  };
  Values sums =
      forEachChunk(queries, position, {w.zeros(width), w.zeros(width)},
                   /*adds=*/true, addChunk);
  store(KeyGradient, firstKey, sums[0]);
  store(ValueGradient, firstKey, sums[1]);
  return position;
}

void WgmmaAttentionBackward::store(Argument argument, Value first, Value sums) {
  int64_t tokens = shapes[argument].tokens;
  Values all = w.split(sums);
  for (int64_t half : {0, 1}) {
    Value token = b.add(first, w.row(half));
    Value row = b.add(b.mul(image, tokens), token);
    Value to = b.add(b.mul(row, shapes[argument].vectors * kVectorLanes),
                     channel(argument));
    t.storeRow(takeRow(all, half), number(argument), to,
               tokens % rows ? b.isLess(token, b.index(tokens)) : Value());
  }
}

//===----------------------------------------------------------------------===//
// Units
//===----------------------------------------------------------------------===//

WgmmaAttentionBackward::Positions
WgmmaAttentionBackward::computeUnit(Value unit, const Positions &positions) {
  locate(unit);
  Positions after =
      forEachBlock(queries, positions, [&](Value first, RingPosition position) {
        return takeQueries(first, position);
      });
  // All statistics are written, and later read, before those of the next unit.
  w.syncGroups(groups);
  after = forEachBlock(keys, after, [&](Value first, RingPosition position) {
    return takeKeys(first, position);
  });
  w.syncGroups(groups);
  return after;
}

void WgmmaAttentionBackward::emit() {
  allocate();
  Value units = b.mul(b.batch(), op.getHeads());
  auto copyAll = [&] {
    w.forEachUnit(units, 2, [&](Value unit, const Positions &positions) {
      locate(unit);
      return copyBlocks(keys, queries, /*passes=*/1,
                        copyBlocks(queries, keys, /*passes=*/2, positions));
    });
  };
  auto multiplyAll = [&] {
    w.forEachUnit(units, 2, [&](Value unit, const Positions &positions) {
      return computeUnit(unit, positions);
    });
  };
  // Of a thread: sums of dk and dv, scores, dp, and what they are rounded to.
  w.specialize(groups, width + chunk + chunk / 2, copyAll, multiplyAll);
}

/// Verifies that the emitter supports the tile.
static LogicalResult verifyTile(kernel::AttentionBackwardOp op) {
  kernel::TileAttr tile = op.getTile();
  int64_t groups = tile.getRows() / kGroupRows;
  constexpr int64_t mostColumns = 256;
  if ((groups == 1 || groups == 2) && tile.getRows() % kGroupRows == 0 &&
      tile.getCols() == kernel::padTo(op.getHeadDim(), kernel::kChannelPad) &&
      tile.getChunk() % kWgmmaDepth == 0 && tile.getChunk() <= mostColumns &&
      tile.getThreads() == (groups + 1) * kWarpgroup)
    return success();
  return op.emitOpError("has a tile that its warpgroups do not cover: ")
         << tile;
}

FailureOr<KernelInfo>
mlir::vit::cuda::emitWgmmaAttentionBackward(kernel::AttentionBackwardOp op,
                                            SimtBuilder &b) {
  return emitMatrixBackward<WgmmaAttentionBackward>(op, b, verifyTile);
}
