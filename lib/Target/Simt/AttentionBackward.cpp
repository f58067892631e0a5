//===- AttentionBackward.cpp - Attention's adjoint on a GPU ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Per head, with p = softmax(scale q k^T) and dp = dy v^T:
//   ds = p (dp - delta), delta = the sum of p dp over a row,
//   dq = scale ds k, dk = scale ds^T q, dv = p^T dy.
// Three numbers per query suffice to compute p and ds from a score (Dao et al.,
// "FlashAttention", arXiv:2205.14135): the largest score, the inverse of the
// sum of exponentials relative to it, and delta. A thread computes them for one
// query in one pass over the keys, and dq in a second pass. Then a thread
// computes dk and dv of one key in a pass over the queries. A workgroup takes
// one head of one image and passes the three numbers on in workgroup memory. If
// they do not fit, one thread takes a whole head and accumulates all three
// gradients in memory.
//
// The gradient of a bias has threads of its own: one for each query of each
// head, which adds the ds of all images in order.
//
//===----------------------------------------------------------------------===//

#include "AttentionBackward.h"

#include "../Common/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = SimtBuilder::Reduction;

/// The number of keys (or queries) that a thread takes at a time.
static constexpr int64_t kBlock = 4;

namespace {
/// What is needed to recompute the probabilities of a query.
struct Statistics {
  Value largest, inverse, delta;
};

class AttentionBackward : AttentionBackwardHead {
public:
  /// `Op` is kernel.attention_backward or kernel.attention_bias_gradient.
  template <typename Op>
  AttentionBackward(Op op, SimtBuilder &b, ArrayRef<Activation> shapes);
  /// The workgroup memory that `emitShared` needs, in bytes.
  int64_t sharedBytes() const { return 3 * 4 * queries; }
  void emitAlone();
  void emitShared();
  void emitBiasGradient();

private:
  using Values = SmallVector<Value>;

  using AttentionBackwardHead::at;
  Value load(Argument argument, Value base, Value vector) {
    return b.load4(number(argument), b.add(base, vector));
  }
  /// Adds to a vector that no other thread accesses.
  void addTo(Argument argument, Value base, Value vector, Value term) {
    Value to = b.add(base, vector);
    b.store4(b.addf(b.load4(number(argument), to), term), number(argument), to);
  }
  /// Returns four tokens from 4 * `block` on. Tokens past the end are replaced
  /// by the last one.
  Values getTokens(Value block, int64_t count);
  /// Returns an i1: whether token `lane` of the block exists; null if all do.
  Value exists(Value block, int64_t lane, int64_t count);
  Values at(Argument argument, ArrayRef<Value> tokens);
  /// Returns, for one token with four others, the scores times log2(e), then
  /// the products dp.
  std::pair<Values, Values> getProducts(ArrayRef<Value> query,
                                        ArrayRef<Value> gradient,
                                        ArrayRef<Value> key,
                                        ArrayRef<Value> value);
  /// Adds the bias, if there is one, to the scores of these tokens, of which
  /// the queries or the keys are one.
  void addBias(MutableArrayRef<Value> scores, ArrayRef<Value> queryTokens,
               ArrayRef<Value> keyTokens);
  Statistics getStatistics(Value token);
  /// Returns p and ds of a score and a product.
  std::pair<Value, Value> getScalars(const Statistics &statistics, Value score,
                                     Value product, Value exists);
  /// Returns p and scale * ds, each in all lanes.
  std::pair<Value, Value> getFactors(const Statistics &statistics, Value score,
                                     Value product, Value exists);
  /// Rounds a factor of a product as its operands are.
  Value rounded(Value factor) { return b.roundAs(Query, factor); }
  void forEachVector(function_ref<void(Value)> body);
  void clear(ArrayRef<Argument> arguments, Value token);
  /// Computes dq of a query and, if `all`, adds its terms to dk and dv.
  void takeQuery(Value token, const Statistics &statistics, bool all);
  void takeKey(Value token, Value statistics);

  int64_t atOnce; ///< vectors per iteration
};
} // namespace

template <typename Op>
AttentionBackward::AttentionBackward(Op op, SimtBuilder &b,
                                     ArrayRef<Activation> shapes)
    : AttentionBackwardHead(op, b, shapes),
      atOnce(b.level.isDirect && std::max(queries, keys) > 128 ? 4 : 1) {}

void AttentionBackward::forEachVector(function_ref<void(Value)> body) {
  b.loop(0, vectors / atOnce, [&](Value step) {
    for (int64_t i = 0; i < atOnce; ++i)
      body(b.add(b.mul(step, atOnce), i));
  });
}

Value AttentionBackwardHead::at(Argument argument, Value token) {
  const Activation &shape = shapes[argument];
  int64_t first =
      kernel::paddedChannel(offsetOf(argument, offsets), shape.group) /
      kVectorLanes;
  Value row = b.add(b.mul(image, shape.tokens), token);
  return b.add(b.mul(row, shape.vectors), b.add(b.mul(head, vectors), first));
}

AttentionBackward::Values AttentionBackward::at(Argument argument,
                                                ArrayRef<Value> tokens) {
  return llvm::map_to_vector(tokens,
                             [&](Value token) { return at(argument, token); });
}

AttentionBackward::Values AttentionBackward::getTokens(Value block,
                                                       int64_t count) {
  Values tokens;
  for (int64_t i = 0; i < kBlock; ++i) {
    Value token = b.add(b.mul(block, kBlock), i);
    tokens.push_back(count % kBlock == 0 ? token
                                         : b.min(token, b.index(count - 1)));
  }
  return tokens;
}

Value AttentionBackward::exists(Value block, int64_t lane, int64_t count) {
  if (count % kBlock == 0)
    return Value();
  return b.isLess(b.add(b.mul(block, kBlock), lane), b.index(count));
}

std::pair<AttentionBackward::Values, AttentionBackward::Values>
AttentionBackward::getProducts(ArrayRef<Value> query, ArrayRef<Value> gradient,
                               ArrayRef<Value> key, ArrayRef<Value> value) {
  Values sums(2 * kBlock, b.splat(0));
  sums = b.loop(
      b.index(0), b.index(vectors), atOnce, sums,
      [&](Value first, ValueRange carried) {
        Values next(carried);
        for (int64_t step = 0; step < atOnce; ++step) {
          Value v = b.add(first, step);
          auto loadAll = [&](Argument argument, ArrayRef<Value> bases) {
            return llvm::map_to_vector(
                bases, [&](Value base) { return load(argument, base, v); });
          };
          Values q = loadAll(Query, query), dy = loadAll(Gradient, gradient);
          Values k = loadAll(Key, key), x = loadAll(Val, value);
          for (int64_t i = 0; i < kBlock; ++i) {
            Value &score = next[i], &product = next[kBlock + i];
            score = b.fma(q[i % q.size()], k[i % k.size()], score);
            product = b.fma(dy[i % q.size()], x[i % k.size()], product);
          }
        }
        return next;
      });
  Values scores, products;
  Value factor = b.scalar(scale * kLog2E);
  for (int64_t i = 0; i < kBlock; ++i) {
    scores.push_back(b.mulf(b.reduce(Reduction::Add, sums[i]), factor));
    products.push_back(b.reduce(Reduction::Add, sums[kBlock + i]));
  }
  return {scores, products};
}

void AttentionBackward::addBias(MutableArrayRef<Value> scores,
                                ArrayRef<Value> queryTokens,
                                ArrayRef<Value> keyTokens) {
  if (!hasBias)
    return;
  for (auto [i, score] : llvm::enumerate(scores)) {
    Value at = biasAt(queryTokens[i % queryTokens.size()],
                      keyTokens[i % keyTokens.size()]);
    score = b.fma(b.load(kBias, at), b.scalar(kLog2E), score);
  }
}

/// One pass, as in attention: a larger score scales the sums down.
Statistics AttentionBackward::getStatistics(Value token) {
  Value query = at(Query, token), gradient = at(Gradient, token);
  Values carried{b.scalar(-std::numeric_limits<double>::infinity()),
                 b.scalar(0), b.scalar(0)};
  int64_t blocks = llvm::divideCeil(keys, kBlock);
  carried = b.loop(blocks, carried, [&](Value block, ValueRange values) {
    Values tokens = getTokens(block, keys);
    auto [scores, products] =
        getProducts(query, gradient, at(Key, tokens), at(Val, tokens));
    addBias(scores, token, tokens);
    // A key past the end repeats the last one, so the maximum is not
    // affected.
    Value largest = values[0];
    for (Value score : scores)
      largest = b.combine(Reduction::Max, score, largest);
    Value shrink = emitExp2OfNegative(b, b.subf(values[0], largest));
    Value sum = b.mulf(values[1], shrink), dot = b.mulf(values[2], shrink);
    for (int64_t i = 0; i < kBlock; ++i) {
      Value power = emitExp2OfNegative(b, b.subf(scores[i], largest));
      if (Value condition = exists(block, i, keys))
        power = b.select(condition, power, b.scalar(0));
      sum = b.addf(sum, power);
      dot = b.fma(power, products[i], dot);
    }
    return Values{largest, sum, dot};
  });
  Value inverse = b.divf(b.scalar(1), carried[1]);
  return {carried[0], inverse, b.mulf(carried[2], inverse)};
}

std::pair<Value, Value>
AttentionBackward::getScalars(const Statistics &statistics, Value score,
                              Value product, Value exists) {
  Value power = emitExp2OfNegative(b, b.subf(score, statistics.largest));
  Value p = b.mulf(power, statistics.inverse);
  if (exists)
    p = b.select(exists, p, b.scalar(0));
  return {p, b.mulf(p, b.subf(product, statistics.delta))};
}

std::pair<Value, Value>
AttentionBackward::getFactors(const Statistics &statistics, Value score,
                              Value product, Value exists) {
  auto [p, ds] = getScalars(statistics, score, product, exists);
  return {b.broadcast(rounded(p)),
          b.broadcast(rounded(b.mulf(ds, b.scalar(scale))))};
}

void AttentionBackward::clear(ArrayRef<Argument> arguments, Value token) {
  for (Argument argument : arguments) {
    Value base = at(argument, token);
    forEachVector([&](Value v) {
      b.store4(b.splat(0), number(argument), b.add(base, v));
    });
  }
}

void AttentionBackward::takeQuery(Value token, const Statistics &statistics,
                                  bool all) {
  clear({QueryGradient}, token);
  Value query = at(Query, token), gradient = at(Gradient, token);
  Value target = at(QueryGradient, token);
  b.loop(0, llvm::divideCeil(keys, kBlock), [&](Value block) {
    Values tokens = getTokens(block, keys), key = at(Key, tokens);
    auto [scores, products] =
        getProducts(query, gradient, key, at(Val, tokens));
    addBias(scores, token, tokens);
    Values p(kBlock), ds(kBlock);
    for (int64_t i = 0; i < kBlock; ++i)
      std::tie(p[i], ds[i]) = getFactors(statistics, scores[i], products[i],
                                         exists(block, i, keys));
    Values dk, dv;
    if (all) {
      dk = at(KeyGradient, tokens);
      dv = at(ValueGradient, tokens);
    }
    forEachVector([&](Value v) {
      Value sum = b.mulf(ds[0], load(Key, key[0], v));
      for (int64_t i = 1; i < kBlock; ++i)
        sum = b.fma(ds[i], load(Key, key[i], v), sum);
      addTo(QueryGradient, target, v, sum);
      if (!all)
        return;
      // Sequentially, because tokens past the end are replaced by the last key.
      Value q = load(Query, query, v), dy = load(Gradient, gradient, v);
      for (int64_t i = 0; i < kBlock; ++i) {
        addTo(KeyGradient, dk[i], v, b.mulf(ds[i], q));
        addTo(ValueGradient, dv[i], v, b.mulf(p[i], dy));
      }
    });
  });
}

void AttentionBackward::takeKey(Value token, Value statistics) {
  clear({KeyGradient, ValueGradient}, token);
  Value key = at(Key, token), value = at(Val, token);
  Value dk = at(KeyGradient, token), dv = at(ValueGradient, token);
  b.loop(0, llvm::divideCeil(queries, kBlock), [&](Value block) {
    Values tokens = getTokens(block, queries);
    Values query = at(Query, tokens), gradient = at(Gradient, tokens);
    auto [scores, products] = getProducts(query, gradient, key, value);
    addBias(scores, tokens, token);
    Values p(kBlock), ds(kBlock);
    for (int64_t i = 0; i < kBlock; ++i) {
      Value entry = b.mul(tokens[i], 3);
      Statistics found{b.loadShared(statistics, entry),
                       b.loadShared(statistics, b.add(entry, 1)),
                       b.loadShared(statistics, b.add(entry, 2))};
      std::tie(p[i], ds[i]) =
          getFactors(found, scores[i], products[i], exists(block, i, queries));
    }
    forEachVector([&](Value v) {
      Value forKey = b.mulf(ds[0], load(Query, query[0], v));
      Value forValue = b.mulf(p[0], load(Gradient, gradient[0], v));
      for (int64_t i = 1; i < kBlock; ++i) {
        forKey = b.fma(ds[i], load(Query, query[i], v), forKey);
        forValue = b.fma(p[i], load(Gradient, gradient[i], v), forValue);
      }
      addTo(KeyGradient, dk, v, forKey);
      addTo(ValueGradient, dv, v, forValue);
    });
  });
}

void AttentionBackward::emitBiasGradient() {
  unsigned result = number(QueryGradient);
  forEachItem(b, b.index(heads * queries), b.threads(), [&](Value item) {
    head = b.div(item, queries);
    Value token = b.rem(item, queries), base = b.mul(item, keys);
    b.loop(0, keys,
           [&](Value key) { b.store(b.scalar(0), result, b.add(base, key)); });
    b.loop(b.index(0), b.batch(), [&](Value number) {
      image = number;
      Statistics statistics = getStatistics(token);
      Value query = at(Query, token), gradient = at(Gradient, token);
      b.loop(0, llvm::divideCeil(keys, kBlock), [&](Value block) {
        Values tokens = getTokens(block, keys);
        auto [scores, products] =
            getProducts(query, gradient, at(Key, tokens), at(Val, tokens));
        addBias(scores, token, tokens);
        for (int64_t i = 0; i < kBlock; ++i) {
          Value ds =
              getScalars(statistics, scores[i], products[i], Value()).second;
          Value at = b.add(base, tokens[i]);
          ifStores(b, exists(block, i, keys), [&] {
            b.store(b.addf(b.load(result, at), ds), result, at);
          });
        }
      });
    });
  });
}

void AttentionBackward::emitAlone() {
  forEachItem(b, b.mul(b.batch(), heads), b.threads(), [&](Value item) {
    image = b.div(item, heads);
    head = b.rem(item, heads);
    b.loop(0, keys,
           [&](Value token) { clear({KeyGradient, ValueGradient}, token); });
    b.loop(0, queries, [&](Value token) {
      takeQuery(token, getStatistics(token), /*all=*/true);
    });
  });
}

void AttentionBackward::emitShared() {
  image = b.div(b.unit(), heads);
  head = b.rem(b.unit(), heads);
  Value statistics = b.allocateShared(3 * queries);
  auto forEachToken = [&](int64_t count, function_ref<void(Value)> body) {
    b.loop(b.thread(), b.index(count), b.threads(), body);
  };
  forEachToken(queries, [&](Value token) {
    Statistics found = getStatistics(token);
    Value entry = b.mul(token, 3);
    b.storeShared(found.largest, statistics, entry);
    b.storeShared(found.inverse, statistics, b.add(entry, 1));
    b.storeShared(found.delta, statistics, b.add(entry, 2));
    takeQuery(token, found, /*all=*/false);
  });
  b.barrier();
  forEachToken(keys, [&](Value token) { takeKey(token, statistics); });
}

FailureOr<SmallVector<Activation>>
AttentionBackwardHead::getShapes(kernel::AttentionBackwardOp op) {
  if (op.getBias() && failed(Activation::getFlat(op, op.getBias().getType())))
    return failure();
  SmallVector<Value> values = {op.getGradient(), op.getQuery(), op.getKey(),
                               op.getValue()};
  values.append(op->result_begin(), op->result_end());
  return getHeads(op, values, /*query=*/1, op.getHeadDim(), op.getOffsets());
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::AttentionBackwardOp op,
                                            SimtBuilder &b) {
  auto shapes = AttentionBackwardHead::getShapes(op);
  if (failed(shapes))
    return failure();
  // The gradients are summed in memory.
  for (Value result : op->getResults())
    if (!tensorOf(result).getElementType().isF32())
      return op.emitOpError("has no GPU code for a result of ")
             << result.getType() << "; run vit-fuse with round-backward=false";
  if (b.level.isDirect)
    b.setThreads(b.level.limits.threads);
  AttentionBackward kernel(op, b, *shapes);
  int64_t heads = op.getHeads();
  KernelInfo info;
  if (kernel.sharedBytes() > b.level.limits.sharedBytes) {
    kernel.emitAlone();
    info.units =
        kernel::ExtentAttr::get(op.getContext(), 1, heads, b.threads());
  } else {
    kernel.emitShared();
    info.units = perImage(op, heads);
  }
  // Five products, two of which are computed twice.
  info.flop = perImage(op, 14 * heads * (*shapes)[1].tokens *
                               (*shapes)[2].tokens * op.getHeadDim());
  return info;
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::AttentionBiasGradientOp op,
                                            SimtBuilder &b) {
  if (failed(Activation::getFlat(op, op.getBias().getType())) ||
      failed(Activation::getFlat(op, op.getType())))
    return failure();
  auto shapes = getHeads(
      op, {op.getGradient(), op.getQuery(), op.getKey(), op.getValue()},
      /*query=*/1, op.getHeadDim(), op.getOffsets());
  if (failed(shapes))
    return failure();
  b.useScalars();
  AttentionBackward(op, b, *shapes).emitBiasGradient();
  storeZeroTail(b, 5, op.getType().getNumElements());
  int64_t rows = int64_t(op.getHeads()) * (*shapes)[1].tokens;
  return withoutBatch(op, llvm::divideCeil(rows, b.threads()));
}
