//===- Packed.h - Products of bf16 packed in scratch ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels whose operands are not in the order in which the products read them
// first pack them into scratch. The depth is divided into steps of one line, 32
// elements of bf16.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_PACKED_H
#define VIT_TARGET_CPU_PACKED_H

#include "Amx.h"
#include "Emitters.h"

namespace mlir::vit::cpu {

/// Depth of a step.
inline constexpr int64_t kStepDepth = kernel::kLineBytes / 2;
/// Words of a step: of two neighbouring depths.
inline constexpr int64_t kStepWords = kStepDepth / 2;

/// The left operand: `rows` rows, a multiple of kTileRows, [step][row][depth].
struct PackedRows {
  Value buffer, base;
  int64_t rows;
  int64_t elements() const { return rows * kStepDepth; } ///< of a step
};

/// The right operand: `vectors` vectors of 16 columns, [step][word][vector],
/// where an element is a line: the word of each of the columns.
struct PackedColumns {
  Value buffer, base;
  int64_t vectors;
  int64_t wordElements() const { return vectors * kStepDepth; }
  int64_t elements() const { return kStepWords * wordElements(); }
};

/// Multiplies `left` by `right` over `steps` steps. The sums, f32, are stored
/// in, or with `adds` added to, `target`: [row][column] from `base` on, rows
/// `row` elements apart. `tiles`, configured for kTileRows rows, is null on a
/// level without tile registers.
void multiplyPacked(KernelBuilder &b, Tiles *tiles, const PackedRows &left,
                    const PackedColumns &right, int64_t steps, Value target,
                    Value base, int64_t row, bool adds);

/// Two lines of bf16, a word of one element of each: the words of the first and
/// of the second half of the lines.
std::pair<Value, Value> interleaveLines(KernelBuilder &b, Value first,
                                        Value second);

/// Stores kStepDepth lines of bf16 transposed, as consecutive lines of `target`
/// from `base` on. `buffer` is scratch of as many lines.
void storeTransposed(KernelBuilder &b, ArrayRef<Value> lines, Value buffer,
                     Value target, Value base);

/// One head of one image of a blocked activation of bf16.
struct PackedHead {
  KernelBuilder &b;
  Value buffer;
  const Blocked &shape;
  int64_t lines;  ///< of a head
  int64_t offset; ///< channel at which head 0 begins
  Value image, head;

  /// Returns where the head of a token begins, the last one for those after it.
  Value getToken(Value token) const;
  /// Stores words of two channels by the first 16 * `vectors` tokens, as
  /// PackedColumns whose steps are the lines of the head.
  void storeColumns(Value target, int64_t vectors) const;
  /// Stores words of two tokens by channels, as PackedColumns of `steps` steps
  /// of tokens from `firstToken` on.
  void storeWords(Value target, Value firstToken, int64_t steps) const;
  /// Stores the rows of tokens from `firstToken` on: for each of `steps` steps
  /// of tokens, PackedRows whose steps are the lines of the head.
  void storeRows(Value target, Value firstToken, int64_t steps) const;
};

/// Whether the level multiplies `element` in tile registers.
bool hasTiles(KernelBuilder &b, Type element);

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_PACKED_H
