//===- Attention.h - What both forms of attention share ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// softmax(scale q k^T) v in one pass over the keys. Each row keeps the largest
// score so far, the sum of exponentials relative to it, and the sum of values
// weighted by these exponentials. When a larger score appears, both sums are
// scaled down (Milakov and Gimelshein, "Online normalizer calculation for
// softmax", arXiv:1805.02867). Scores are also scaled by log2(e), so that the
// exponentials are powers of 2. Keys are processed in blocks of fixed size, so
// the bits of a row do not depend on other rows.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_ATTENTION_H
#define VIT_TARGET_SIMT_ATTENTION_H

#include "../Common/Arguments.h"
#include "Emitters.h"

namespace mlir::vit::simt {

/// The geometry of an attention and the position of one unit in it.
struct Attention : AttentionArguments {
  Attention(kernel::AttentionOp op, SimtBuilder &b,
            ArrayRef<Activation> shapes);
  /// Those of `op`. Emits an error on it and fails if a layout is not
  /// supported.
  static FailureOr<Attention> get(kernel::AttentionOp op, SimtBuilder &b);
  /// Units are numbered by blocks of queries first, then by parts of a head, of
  /// `cols` of the tile, by heads and images.
  int64_t unitsPerHead() const;
  KernelInfo getInfo() const;
  /// Sets the head, the image and the first query of a unit.
  void locate(Value unit);

  /// Returns the number of the kernel's argument.
  unsigned number(Argument argument) {
    return AttentionArguments::number(argument, bool(op.getBias()));
  }

  kernel::AttentionOp op;
  SimtBuilder &b;
  kernel::TileAttr tile;
  SmallVector<Activation> shapes; ///< of query, key, value and result
  int64_t heads, queries, keys;
  int64_t vectors; ///< vectors of a padded head
  double factor;   ///< turns a score into an exponent of 2

  Value image, head, firstQuery; ///< those of the unit, once set

  /// Returns the number of vector `vector` of the head in a row.
  Value inRow(Argument argument, Value vector);
  /// The same in the argument, for the row of token `token`.
  Value at(Argument argument, Value token, Value vector);
  Value load(Argument argument, Value token, Value vector) {
    return b.load4(number(argument), at(argument, token, vector));
  }
  /// Returns `token`, or the last token if `token` is past it.
  Value clampQuery(Value token) { return b.min(token, b.index(queries - 1)); }
  Value clampKey(Value token) { return b.min(token, b.index(keys - 1)); }
  /// Returns 2 to the power of a scaled score less the largest one. It is
  /// rounded to the element type of the operands, as are those of a product.
  Value getPower(Value difference);
  /// Returns whether query `token` exists; null if all of a tile do.
  Value isQuery(Value token);
  /// Emits `body` under the condition that query `token` exists.
  void ifQuery(Value token, function_ref<void()> body);

  /// Returns a scaled score with the bias of `query` and `key`, which may be
  /// past the last ones. Returns the score if there is no bias.
  Value addBias(Value score, Value query, Value key);
  /// Returns a scaled score with the bias at an element of that operand.
  Value addBias(Value score, Value element);
  /// Returns the element of the bias of `query`, which may be past the last
  /// one, and the first key.
  Value biasAt(Value query);
  /// Returns the position of the probability of `query` and `key` in the second
  /// result.
  Value probabilityAt(Value query, Value key);
  /// Stores a scaled score. The same thread normalizes it later.
  void storeScore(Value score, Value query, Value key);
  /// Replaces a stored score by a probability.
  void normalizeScore(Value query, Value key, Value largest, Value inverse);
};

/// Each thread computes `thread_rows` queries and `thread_cols` channels of the
/// head by itself.
void emitAttentionDirect(Attention &a);
/// A workgroup computes `rows` queries, `chunk` keys at a time, using workgroup
/// memory. Four threads share a query.
void emitAttentionStaged(Attention &a);

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_ATTENTION_H
