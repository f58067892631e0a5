//===- Attention.h - What both forms of attention share ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// softmax(scale q k^T) v in one pass over the keys: each row carries the
// largest score so far, the sum of the exponentials about it and the sum of
// the values times these; a larger score scales both sums down (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867).
// Powers are of 2: the scores are scaled by log2(e) as well. The keys come in
// blocks of fixed size, so a row's bits do not depend on its neighbours.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_ATTENTION_H
#define VIT_TARGET_SIMT_ATTENTION_H

#include "Emitters.h"

namespace mlir::vit::simt {

/// An attention's geometry and where one unit stands in it.
struct Attention {
  Attention(kernel::AttentionOp op, SimtBuilder &b, const Activation &query,
            const Activation &key, const Activation &value,
            const Activation &result);

  // Operands as numbered by the op, its results after them.
  enum Argument : unsigned { Query, Key, Val, Result, Probabilities };

  kernel::AttentionOp op;
  SimtBuilder &b;
  kernel::TileAttr tile;
  Activation shapes[4]; ///< of query, key, value and result
  int64_t heads, queries, keys;
  int64_t vectors; ///< of 4 channels in a padded head
  double factor;   ///< of a score, to be an exponent of 2

  Value image, head, firstQuery; ///< of the unit, once set

  /// Number of the vector `vector` of the head of token `token`.
  Value at(Argument argument, Value token, Value vector);
  Value load(Argument argument, Value token, Value vector) {
    return b.load4(argument, at(argument, token, vector));
  }
  /// The token itself, or the last where it is beyond.
  Value clampQuery(Value token) { return b.min(token, b.index(queries - 1)); }
  Value clampKey(Value token) { return b.min(token, b.index(keys - 1)); }
  /// Runs `body` where the query `token` exists.
  void ifQuery(Value token, function_ref<void()> body);

  /// Where the probability of `query` and `key` lies in the second result.
  Value probabilityAt(Value query, Value key);
  /// Stores a scaled score, to be normalised later by the same thread.
  void storeScore(Value score, Value query, Value key);
  /// Makes the score stored there a probability.
  void normalizeScore(Value query, Value key, Value largest, Value inverse);
};

/// A thread takes `thread_rows` queries and `thread_cols` channels of the head
/// by itself.
void emitAttentionDirect(Attention &a);
/// A workgroup takes `rows` queries, `chunk` keys at a time, four threads to a
/// query, through workgroup memory.
void emitAttentionStaged(Attention &a);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_ATTENTION_H
