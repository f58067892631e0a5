//===- AttentionBackward.cpp - Gradients of query, key and value ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is one head of one image. Keys and values are transposed into
// scratch. A chunk of query row blocks computes its scores q k^T and dp = dy
// v^T, which are replaced in place by the probabilities p and by ds = scale p
// (dp - sum(dp p)). ds k is the gradient of the queries. Then each row block of
// keys computes p^T dy and ds^T q over the chunk. If p and ds of all queries
// fit into the cache, there is one chunk. Otherwise the contributions of the
// chunks to the gradients of keys and values are added.
//
// The gradient of a bias has work units of its own: a chunk of query row blocks
// of one head of all images, whose ds are added in order.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

/// Bytes of p and ds together that fit into the second-level cache beside the
/// operands of the head.
static constexpr int64_t kChunkBytes = 400 << 10;
/// Row blocks of queries in a unit of the gradient of a bias: few enough that
/// many threads have work, enough to be worth transposing keys and values.
static constexpr int64_t kBiasGradientBlocks = 8;

namespace {
struct AttentionBackward {
  int64_t heads;
  ArrayRef<int64_t> offsets;
  double scale;
  bool hasBias; ///< argument 4
  KernelBuilder &b;
  /// The four operands.
  Blocked gradient, query, key, value;
  /// The results. Those of key and value have the same shape.
  Blocked queryResult, keyResult;
  Scores keyProducts, valueProducts;
  int64_t headVectors;
  int64_t chunk;      ///< row blocks of queries
  Value keys, values; ///< scratch, transposed
  Value p, ds;        ///< scratch, [rows of the chunk][scoreRow()]

  int64_t scoreRow() const { return keyProducts.rowElements(); }
  int64_t chunks() const {
    return llvm::divideCeil(query.blocksPerImage, chunk);
  }
  /// Returns the offset of `head` in row block `block` of operand `operand`.
  Value getHead(unsigned operand, Value block, Value head);
  const Blocked &shape(unsigned operand) const {
    const Blocked *shapes[] = {&gradient, &query, &key, &value};
    return *shapes[operand];
  }
  using VisitScore = function_ref<void(Value at, int64_t row, int64_t lanes,
                                       MutableArrayRef<Value> carried)>;
  /// Calls `body` for each vector of scores of the row block at `first` in p
  /// and ds, with the carried values that belong to its row.
  Carried visitScores(Value first, Carried carried, VisitScore body) const;
  /// Replaces scores and dp of the row block at `first` by p and factor * ds.
  /// `local` is the number of the block in its image.
  void applySoftmax(Value first, Value local, Value head, double factor);
  /// Adds the bias to the scores of the row block, which become scale q k^T +
  /// bias.
  void addBias(Value first, Value local, Value head);
  /// A row block of a result: coefficients times `steps` row blocks of operand
  /// `operand`, from `block` on. The coefficient of row r and depth d is at
  /// left + r * row + d * depth.
  struct Product {
    Value coefficients, left;
    int64_t row, depth;
    unsigned operand;
    Value block;
    int64_t steps;
    unsigned result;
    bool adds;       ///< to the result in memory
    Value next = {}; ///< where the head of the next unit begins, to prefetch
    unsigned nextOf = 0; ///< its operand
  };
  void multiply(const Product &product, const Blocked &to,
                const RowBlock &target, Value head);
  /// In the last chunk, `nextBlock` and `nextHead` say where the keys of the
  /// next unit begin.
  void emitChunk(Value image, Value head, Value first, int64_t blocks,
                 bool adds, Value nextBlock = {}, Value nextHead = {});
  void emit();
  /// Calls `body` for each vector of the rows of the bias's gradient that
  /// belong to query row block `local`, with its offset in the gradient and in
  /// a row.
  void forEachBiasRow(
      Value local, Value head,
      function_ref<void(Value at, Value inRow, int64_t row, int64_t lanes)>
          body);
  void emitBiasGradient();
};
} // namespace

Value AttentionBackward::getHead(unsigned operand, Value block, Value head) {
  const Blocked &of = shape(operand);
  return getHeadOffset(b, of, b.mul(block, of.blockElements()), head,
                       headVectors, operand == 0 ? 0 : offsets[operand - 1]);
}

Carried AttentionBackward::visitScores(Value first, Carried carried,
                                       VisitScore body) const {
  int64_t perRow = carried.size() / query.rows;
  return forEachVector(
      b, key.tokens, carried,
      [&](Value vector, int64_t lanes, Carried carried) {
        Value offset = b.add(first, b.mul(vector, kVectorLanes));
        for (int64_t row = 0; row < query.rows; ++row)
          body(b.add(offset, row * scoreRow()), row, lanes,
               MutableArrayRef<Value>(carried).slice(row * perRow, perRow));
        return carried;
      });
}

void AttentionBackward::addBias(Value first, Value local, Value head) {
  SmallVector<Value> offsets;
  for (int64_t row = 0; row < query.rows; ++row) {
    Value token = b.add(b.mul(local, query.rows), row);
    if (query.mayBePadding(row))
      token = b.min(token, b.index(query.tokens - 1));
    Value from = b.mul(b.add(b.mul(head, query.tokens), token), key.tokens);
    // Relative to the position of the row's scores.
    offsets.push_back(from);
  }
  forEachVector(
      b, key.tokens, {}, [&](Value vector, int64_t lanes, Carried carried) {
        Value inRow = b.mul(vector, kVectorLanes);
        for (int64_t row = 0; row < query.rows; ++row) {
          Value at = b.add(b.add(first, inRow), row * scoreRow());
          Value bias =
              b.loadLanes(b.argument(4), b.add(offsets[row], inRow), lanes);
          b.store(b.fma(b.load(p, at), b.splat(scale), bias), p, at);
        }
        return carried;
      });
}

void AttentionBackward::applySoftmax(Value first, Value local, Value head,
                                     double outFactor) {
  int64_t rows = query.rows;
  if (hasBias)
    addBias(first, local, head);
  // As in the forward kernel, exp(scale (s - m)) = 2^(factor s - factor m).
  double factor = hasBias ? kLog2E : scale * kLog2E;
  Reduction kind = factor < 0 ? Reduction::Min : Reduction::Max;
  double worst = factor < 0 ? std::numeric_limits<double>::infinity()
                            : -std::numeric_limits<double>::infinity();
  Carried best = visitScores(
      first, Carried(rows, b.splat(worst)),
      [&](Value at, int64_t, int64_t lanes, MutableArrayRef<Value> carried) {
        Value s = b.keepLanes(b.load(p, at), lanes, worst);
        carried[0] = b.combine(kind, s, carried[0]);
      });
  for (Value &value : best) {
    Value largest = b.broadcast(b.reduce(kind, value));
    value = b.negf(b.mulf(largest, b.splat(factor)));
  }
  // The sum of the exponentials, and the sum of their products with dp.
  Carried sums = visitScores(first, Carried(2 * rows, b.splat(0)),
                             [&](Value at, int64_t row, int64_t lanes,
                                 MutableArrayRef<Value> carried) {
                               Value s = b.load(p, at);
                               Value power = emitExp2OfNegative(
                                   b, b.fma(s, b.splat(factor), best[row]));
                               power = b.keepLanes(power, lanes);
                               b.store(power, p, at);
                               carried[0] = b.addf(carried[0], power);
                               carried[1] =
                                   b.fma(power, b.load(ds, at), carried[1]);
                             });
  Carried shares, means;
  for (int64_t row = 0; row < rows; ++row) {
    Value sum = b.reduce(Reduction::Add, sums[2 * row]);
    Value product = b.reduce(Reduction::Add, sums[2 * row + 1]);
    shares.push_back(b.broadcast(b.divf(b.scalar(1), sum)));
    means.push_back(b.broadcast(b.divf(product, sum)));
  }
  visitScores(
      first, {},
      [&](Value at, int64_t row, int64_t lanes, MutableArrayRef<Value>) {
        Value probability = b.mulf(b.load(p, at), shares[row]);
        Value difference = b.subf(b.load(ds, at), means[row]);
        Value d = b.mulf(b.mulf(probability, b.splat(outFactor)), difference);
        d = b.keepLanes(d, lanes);
        b.store(probability, p, at);
        b.store(d, ds, at);
      });
  // Clear what belongs to padded keys after the last vector that has a key.
  for (int64_t v = llvm::divideCeil(key.tokens, kVectorLanes);
       v < scoreRow() / kVectorLanes; ++v)
    for (int64_t row = 0; row < rows; ++row) {
      Value at = b.add(first, v * kVectorLanes + row * scoreRow());
      b.store(b.splat(0), p, at);
      b.store(b.splat(0), ds, at);
    }
}

void AttentionBackward::multiply(const Product &product, const Blocked &to,
                                 const RowBlock &target, Value head) {
  const Blocked &of = shape(product.operand);
  Value base = getHead(product.operand, product.block, head);
  Value start = getHeadOffset(b, to, target.base, head, headVectors, 0);
  Value result = b.argument((hasBias ? 5 : 4) + product.result);
  int64_t width = b.stripVectors(to.rows, headVectors);
  b.loop(0, headVectors / width, [&](Value strip) {
    Value firstVector = b.mul(strip, width);
    Tile tile;
    tile.rows = to.rows;
    tile.vectors = width;
    tile.steps = product.steps;
    tile.unroll = of.rows;
    tile.left = product.coefficients;
    tile.leftBase = product.left;
    tile.leftRow = product.row;
    tile.leftDepth = product.depth;
    tile.leftStep = product.depth * of.rows;
    tile.right = b.argument(product.operand);
    tile.rightBase = b.add(base, b.mul(firstVector, of.vectorElements()));
    tile.rightDepth = kChannelPad;
    tile.rightStep = of.blockElements();
    tile.rightVector = of.vectorElements();
    // Prefetch the keys and values of the next unit into the second-level
    // cache, evenly over the steps. Nothing else loads them early.
    int64_t lines = headVectors * to.rows;
    int64_t share = llvm::divideCeil(lines, tile.steps);
    auto fetch = [&](Value step) {
      if (!product.next)
        return;
      Value line = b.min(b.mul(step, share), b.index(lines - share));
      prefetch(b, b.argument(product.nextOf),
               b.add(product.next, b.mul(line, kLineElements)), share,
               /*hint=*/2);
    };
    SmallVector<Value> sums = emitTile(b, tile, fetch);
    Value first = b.add(start, b.mul(firstVector, to.vectorElements()));
    for (int64_t v = 0; v < width; ++v)
      for (int64_t row = 0; row < to.rows; ++row) {
        Value at = b.add(first, v * to.vectorElements() + row * kChannelPad);
        Value sum = zeroPaddedRow(b, to, target, row, sums[row * width + v]);
        if (product.adds)
          sum = b.addf(b.load(result, at), sum);
        b.store(sum, result, at);
      }
  });
}

void AttentionBackward::emitChunk(Value image, Value head, Value first,
                                  int64_t blocks, bool adds, Value nextBlock,
                                  Value nextHead) {
  Value imageQueries = b.mul(image, query.blocksPerImage);
  Value imageKeys = b.mul(image, key.blocksPerImage);
  Value firstQueries = b.add(imageQueries, first);
  auto forEachBlock = [&](function_ref<void(Value block, Value rows)> body) {
    b.loop(0, blocks, [&](Value i) {
      body(b.add(firstQueries, i), b.mul(i, query.rows * scoreRow()));
    });
  };
  // Do one product after the other over the whole chunk, so that the second
  // operand of each stays in the first-level cache.
  forEachBlock([&](Value block, Value rows) {
    keyProducts.multiply(b.argument(1), getHead(1, block, head), keys, p, rows);
  });
  forEachBlock([&](Value block, Value rows) {
    valueProducts.multiply(b.argument(0), getHead(0, block, head), values, ds,
                           rows);
  });
  forEachBlock([&](Value block, Value rows) {
    Value local = hasBias ? b.sub(block, imageQueries) : Value();
    applySoftmax(rows, local, head, scale);
  });
  forEachBlock([&](Value block, Value rows) {
    multiply({ds, rows, scoreRow(), 1, /*operand=*/2, imageKeys,
              key.blocksPerImage, /*result=*/0, /*adds=*/false},
             queryResult, getRowBlock(b, queryResult, block), head);
  });
  auto forEachKeyBlock = [&](Value coefficients, unsigned operand,
                             unsigned result, unsigned nextOf) {
    b.loop(0, key.blocksPerImage, [&](Value i) {
      Value next;
      if (nextBlock)
        next = getHead(nextOf, b.add(nextBlock, i), nextHead);
      multiply({coefficients, b.mul(i, key.rows), 1, scoreRow(), operand,
                firstQueries, blocks, result, adds, next, nextOf},
               keyResult, getRowBlock(b, keyResult, b.add(imageKeys, i)), head);
    });
  };
  forEachKeyBlock(p, /*operand=*/0, /*result=*/2, /*nextOf=*/2);
  forEachKeyBlock(ds, /*operand=*/1, /*result=*/1, /*nextOf=*/3);
}

void AttentionBackward::forEachBiasRow(
    Value local, Value head,
    function_ref<void(Value at, Value inRow, int64_t row, int64_t lanes)>
        body) {
  for (int64_t row = 0; row < query.rows; ++row) {
    Value token = b.add(b.mul(local, query.rows), row);
    auto visitRow = [&] {
      Value to = b.mul(b.add(b.mul(head, query.tokens), token), key.tokens);
      forEachVector(b, key.tokens, {},
                    [&](Value v, int64_t lanes, Carried carried) {
                      Value inRow = b.mul(v, kVectorLanes);
                      body(b.add(to, inRow), inRow, row, lanes);
                      return carried;
                    });
    };
    if (query.mayBePadding(row))
      b.ifThen(b.isLess(token, b.index(query.tokens)), visitRow);
    else
      visitRow();
  }
}

void AttentionBackward::emitBiasGradient() {
  Value result = b.argument(5);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value head = b.div(unit, chunks());
    Value begin = b.mul(b.rem(unit, chunks()), chunk);
    Value end = b.min(b.add(begin, chunk), b.index(query.blocksPerImage));
    b.loop(begin, end, [&](Value local) {
      forEachBiasRow(local, head, [&](Value at, Value, int64_t, int64_t lanes) {
        b.storeLanes(b.splat(0), result, at, lanes);
      });
    });
    b.loop(b.index(0), b.batch(), [&](Value image) {
      Value block = b.mul(image, key.blocksPerImage);
      keyProducts.transpose(b.argument(2), getHead(2, block, head), keys);
      valueProducts.transpose(b.argument(3), getHead(3, block, head), values);
      b.loop(begin, end, [&](Value local) {
        Value from = b.add(b.mul(image, query.blocksPerImage), local);
        Value first = b.index(0);
        keyProducts.multiply(b.argument(1), getHead(1, from, head), keys, p,
                             first);
        valueProducts.multiply(b.argument(0), getHead(0, from, head), values,
                               ds, first);
        applySoftmax(first, local, head, /*outFactor=*/1);
        forEachBiasRow(local, head,
                       [&](Value at, Value inRow, int64_t row, int64_t lanes) {
                         Value d = b.load(ds, b.add(inRow, row * scoreRow()));
                         Value sum = b.addf(b.loadLanes(result, at, lanes), d);
                         b.storeLanes(sum, result, at, lanes);
                       });
      });
    });
  });
}

void AttentionBackward::emit() {
  // The further chunks of full size, then the rest.
  int64_t last = query.blocksPerImage - (chunks() - 1) * chunk;
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value image = b.div(unit, heads), head = b.rem(unit, heads);
    Value block = b.mul(image, key.blocksPerImage);
    keyProducts.transpose(b.argument(2), getHead(2, block, head), keys);
    valueProducts.transpose(b.argument(3), getHead(3, block, head), values);
    Value next = b.min(b.add(unit, 1), b.sub(b.end(), b.index(1)));
    Value nextBlock = b.mul(b.div(next, heads), key.blocksPerImage);
    Value nextHead = b.rem(next, heads);
    if (chunks() == 1)
      return emitChunk(image, head, b.index(0), last, /*adds=*/false, nextBlock,
                       nextHead);
    emitChunk(image, head, b.index(0), chunk, /*adds=*/false);
    if (chunks() > 2)
      b.loop(1, chunks() - 1, [&](Value i) {
        emitChunk(image, head, b.mul(i, chunk), chunk, /*adds=*/true);
      });
    emitChunk(image, head, b.index((chunks() - 1) * chunk), last,
              /*adds=*/true, nextBlock, nextHead);
  });
}

/// Returns the kernel of `op`, whose `values` are gradient, query, key and
/// value, then the gradients of query and key.
template <typename Op>
static FailureOr<AttentionBackward> getKernel(Op op, KernelBuilder &b,
                                              ArrayRef<Value> values) {
  SmallVector<Blocked> shapes;
  int64_t headDim = op.getHeadDim();
  for (auto [i, value] : llvm::enumerate(values)) {
    FailureOr<Blocked> shape = Blocked::get(op, tensorOf(value));
    if (failed(shape))
      return failure();
    shapes.push_back(*shape);
    int64_t offset = i > 0 && i < 4 ? op.getOffsets()[i - 1] : 0;
    if (failed(verifyHeads(op, *shape, headDim, offset, shapes[0].rows)))
      return failure();
  }
  if (op.getBias() && failed(verifyFlat(op, op.getBias().getType())))
    return failure();
  int64_t headVectors = llvm::divideCeil(headDim, kChannelPad);
  return AttentionBackward{int64_t(op.getHeads()),
                           op.getOffsets(),
                           op.getScale().convertToDouble(),
                           bool(op.getBias()),
                           b,
                           shapes[0],
                           shapes[1],
                           shapes[2],
                           shapes[3],
                           shapes[4],
                           shapes[5],
                           Scores(b, shapes[1], shapes[2], headVectors),
                           Scores(b, shapes[0], shapes[3], headVectors),
                           headVectors};
}

/// Allocates the scratch of `kernel` and returns its bytes.
static int64_t allocateScratch(AttentionBackward &kernel) {
  KernelBuilder &b = kernel.b;
  int64_t elements = 0;
  auto allocate = [&](int64_t count) {
    Value buffer = b.scratch(elements * int64_t(sizeof(float)));
    elements += count;
    return buffer;
  };
  int64_t blockElements = kernel.query.rows * kernel.scoreRow();
  kernel.keys = allocate(kernel.keyProducts.transposedElements());
  kernel.values = allocate(kernel.valueProducts.transposedElements());
  kernel.p = allocate(kernel.chunk * blockElements);
  kernel.ds = allocate(kernel.chunk * blockElements);
  return elements * int64_t(sizeof(float));
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::AttentionBiasGradientOp op,
                                           KernelBuilder &b) {
  if (failed(verifyFlat(op, op.getType())))
    return failure();
  FailureOr<AttentionBackward> kernel =
      getKernel(op, b,
                {op.getGradient(), op.getQuery(), op.getKey(), op.getValue(),
                 op.getQuery(), op.getKey()});
  if (failed(kernel))
    return failure();
  kernel->chunk = 1;
  int64_t scratch = allocateScratch(*kernel);
  kernel->chunk = kBiasGradientBlocks;
  kernel->emitBiasGradient();
  zeroTail(b, op.getResult(), b.argument(5));
  KernelInfo info = withoutBatch(op, op.getHeads() * kernel->chunks());
  info.scratch = scratch;
  return info;
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::AttentionBackwardOp op,
                                           KernelBuilder &b) {
  if (tensorOf(op.getQuery()).getElementType().isBF16())
    return emitNarrowAttentionBackward(op, b);
  FailureOr<AttentionBackward> made = getKernel(
      op, b,
      {op.getGradient(), op.getQuery(), op.getKey(), op.getValue(),
       op.getQueryGradient(), op.getKeyGradient(), op.getValueGradient()});
  if (failed(made))
    return failure();
  AttentionBackward &kernel = *made;
  const Blocked &query = kernel.query;
  int64_t blockElements = query.rows * kernel.scoreRow();
  int64_t limit = kChunkBytes / (2 * blockElements * int64_t(sizeof(float)));
  int64_t chunks =
      llvm::divideCeil(query.blocksPerImage, std::max<int64_t>(1, limit));
  kernel.chunk = llvm::divideCeil(query.blocksPerImage, chunks);

  int64_t scratch = allocateScratch(kernel);
  kernel.emit();
  int64_t heads = op.getHeads();
  return KernelInfo{perImage(op, heads),
                    perImage(op, 10 * heads * query.tokens * kernel.key.tokens *
                                     int64_t(op.getHeadDim())),
                    scratch};
}
