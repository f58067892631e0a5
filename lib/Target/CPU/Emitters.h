//===- Emitters.h - One emitter per family of kernels -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_EMITTERS_H
#define VIT_TARGET_CPU_EMITTERS_H

#include "../Common/KernelInfo.h"
#include "../Common/Math.h"
#include "../Common/ScalarCode.h"
#include "KernelBuilder.h"

namespace mlir::vit::cpu {

// Each emitter fills the body of the function and returns what the dispatch
// records, or emits an error on the op and fails. The arguments of the function
// are the operands of the op, its results, then batch, begin, end and scratch.
FailureOr<KernelInfo> emit(kernel::GemmOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::AttentionOp op, KernelBuilder &b);
/// Of f16 or bf16; `emit` calls it.
FailureOr<KernelInfo> emitNarrowAttention(kernel::AttentionOp op,
                                          KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::RotateOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::RowsOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::QuantizeOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::MapOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::PrependOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::RepeatOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::ConcatChannelsOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::TakeOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::MeanOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::PatchifyOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::RelayoutOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::NormalizeBackwardOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::SoftmaxBackwardOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::AttentionBackwardOp op, KernelBuilder &b);
/// Of bf16 operands.
FailureOr<KernelInfo>
emitNarrowAttentionBackward(kernel::AttentionBackwardOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::AttentionBiasGradientOp op,
                           KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::GridProductOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::PackRelativePositionsOp op,
                           KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::RelativePositionsBackwardOp op,
                           KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::LossOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::LossBackwardOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::PlaceOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::TakeChannelsOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::SpreadOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::DropoutOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::NormOp op, KernelBuilder &b);
/// The arguments of the function are the operands, then one arena range per
/// list of variables: the parameters, then each state.
FailureOr<KernelInfo> emit(kernel::UpdateOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::WeightGradientOp op, KernelBuilder &b);
/// Of bf16 operands.
FailureOr<KernelInfo> emitNarrowWeightGradient(kernel::WeightGradientOp op,
                                               KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::PackOp op, KernelBuilder &b);
FailureOr<KernelInfo> emit(kernel::SumOp op, KernelBuilder &b);

//===----------------------------------------------------------------------===//
// Blocked activations
//===----------------------------------------------------------------------===//

/// Channels padded to a multiple of kChannelPad. If there are groups, each
/// group is padded on its own.
struct Channels {
  int64_t width; ///< logical channels
  int64_t group; ///< 0: none

  /// The number of vectors, padding included.
  int64_t vectors() const {
    return kernel::paddedChannels(width, group) / kChannelPad;
  }
  /// Returns how many lanes of channel vector `vector` are channels.
  int64_t lanes(int64_t vector) const;
  bool hasPaddedChannels() const;
};

/// Which element types an emitter supports in a blocked activation.
enum class Elements { F32, Narrow, Integer };

/// The geometry of a blocked activation. Vectors of channels are numbered
/// without the padding that only lines of narrower elements need.
struct Blocked : kernel::BlockedShape, Channels {

  /// Emits an error on `op` and fails if `type` is not blocked or has other
  /// elements than `allowed`: f32, or also f16 and bf16, or also i8.
  static FailureOr<Blocked> get(Operation *op, RankedTensorType type,
                                Elements allowed = Elements::F32);

  bool isPerImage() const { return blocksPerImage != 0; }
  bool isNarrow() const { return line != kChannelPad; }
  int64_t lines() const { return channelBlocks * kChannelPad / line; }
  int64_t lineElements() const { return rows * line; }
  /// Only for f32, where a vector is a line.
  int64_t vectorElements() const {
    assert(!isNarrow() && "vectors are not evenly spaced");
    return rows * kChannelPad;
  }
  /// Returns the offset of channel vector `vector` from that of row 0 of its
  /// block. Rows are `line` elements apart.
  Value vectorOffset(KernelBuilder &b, Value vector) const;
  /// The same activation in f32.
  Blocked widened() const;
  /// Whether row `row` of a block may be padding.
  bool mayBePadding(int64_t row) const;
};

/// The layouts of the first operand and the first result of a kernel.
struct InputAndResult {
  Blocked input, result;

  /// Emits an error on `op` and fails if one is not blocked, or if the groups
  /// or, with `rows`, the row blocks are not the same.
  static FailureOr<InputAndResult> get(Operation *op, bool rows = false,
                                       Elements resultElements = Elements::F32);
};

/// One row block of a blocked activation, or some of its rows.
struct RowBlock {
  Value block;    ///< number among all blocks
  Value local;    ///< number within its image; equal to `block` for rank 2
  Value base;     ///< element offset of the block, or of its row `firstRow`
  Value isShort;  ///< i1: whether this is the last block of an image and has
                  ///< padded rows; null if no block has
  Value firstRow; ///< row 0 in the block; null: 0
};
RowBlock getRowBlock(KernelBuilder &b, const Blocked &shape, Value block);

/// How many rows of a block an emitter processes at once, if each takes some
/// registers: all if they are few, else a divisor.
int64_t stripRows(const Blocked &shape);
/// Calls `body` for each strip of stripRows() rows of `block`.
void forEachStrip(KernelBuilder &b, const Blocked &shape, const RowBlock &block,
                  function_ref<void(const RowBlock &strip)> body);
/// Returns the offset of the rows of `strip` in `shape`, which has its rows but
/// perhaps another element type.
Value getStripBase(KernelBuilder &b, const Blocked &shape,
                   const RowBlock &strip);
/// Returns the number of row `row` of the block among the rows of its image
/// (rank 2: of the batch).
Value getRow(KernelBuilder &b, const Blocked &shape, const RowBlock &block,
             int64_t row);

/// Returns the number of row blocks in the batch of this call.
Value getRowBlocks(KernelBuilder &b, const Blocked &shape);

/// Returns `vector`, or zero if row `row` of the block is padding.
Value zeroPaddedRow(KernelBuilder &b, const Blocked &shape,
                    const RowBlock &block, int64_t row, Value vector);

/// Stores `vector`, channel vector `channelVector` of row `row` of the block
/// that begins at `base`, and zeros in what follows it in its line.
void storeVector(KernelBuilder &b, const Blocked &shape, Value vector,
                 Value buffer, Value base, int64_t row, Value channelVector);

/// Calls `body` with the number of the channel vector that is the vector
/// `stored` of 16 channels in memory. Emits a condition so that nothing runs if
/// that is padding of a line or lies after the last one.
void ifStoredVector(KernelBuilder &b, const Blocked &shape, Value stored,
                    function_ref<void(Value channelVector)> body);

/// Calls `body` with the first logical channel of `channelVector` and the
/// number of its lanes that are channels.
void forChannels(KernelBuilder &b, const Channels &channels,
                 Value channelVector,
                 function_ref<void(Value channel, int64_t lanes)> body);

/// Calls `body` with the logical channel of padded channel `padded`. Emits a
/// condition so that nothing runs if that is padding.
void ifChannel(KernelBuilder &b, const Channels &channels, Value padded,
               function_ref<void(Value channel)> body);

using Carried = SmallVector<Value>;

/// Calls `body` for each vector of `elements` elements with its number and how
/// many of its lanes are elements: in a loop for those that are whole.
Carried
forEachVector(KernelBuilder &b, int64_t elements, Carried carried,
              function_ref<Carried(Value vector, int64_t lanes, Carried)> body);

/// Adds one or more vectors as a tree, always in the same order.
Value addPairwise(KernelBuilder &b, ArrayRef<Value> summands);

//===----------------------------------------------------------------------===//
// Values without a batch
//===----------------------------------------------------------------------===//

/// Emits an error on `op` and fails if `type` is not row-major f32 of static
/// shape.
LogicalResult verifyFlat(Operation *op, Type type);

/// Emits the code that writes zeros after the last element of `result`, up to a
/// multiple of 16, in the call that has unit 0. Emits none if the op's `ends`
/// contains the result.
void zeroTail(KernelBuilder &b, Value result, Value buffer);

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

/// The region of a fused kernel, applied to vectors of channels.
class Epilogue {
public:
  /// `firstExtra` is the argument that is the first extra operand.
  static FailureOr<Epilogue> get(Operation *op, KernelBuilder &b,
                                 OperandRange extras, unsigned firstExtra,
                                 const Blocked &result);

  /// Loads the extras of channel vector `channelVector` that do not depend on
  /// the row. Returns one value per extra, null for the others.
  SmallVector<Value> loadChannels(Value channelVector) const;

  /// Applies the region to `element`, the vector of row `row` of the block and
  /// channel vector `channelVector`. `offset` is its offset in an f32 result.
  /// Padded channels become zero, padded rows do not.
  Value apply(Value element, ArrayRef<Value> channels, const RowBlock &block,
              int64_t row, Value channelVector, Value offset) const;
  /// As above, with the token of the row, which extras per token need. Without
  /// `rowOffset`, there must be no extra per row.
  Value apply(Value element, ArrayRef<Value> channels, Value token,
              Value channelVector, Value offset, Value rowOffset = {}) const;

  bool usesTokens() const;
  /// Returns the buffers of the extras that have the shape of the result.
  SmallVector<Value> elementExtras() const;

private:
  Epilogue(FusedCode code, KernelBuilder &b, unsigned firstExtra,
           const Blocked &shape)
      : code(std::move(code)), b(&b), firstExtra(firstExtra), shape(shape) {}
  Value buffer(unsigned extra) const { return b->argument(firstExtra + extra); }

  FusedCode code;
  KernelBuilder *b;
  unsigned firstExtra;
  Blocked shape;
};

//===----------------------------------------------------------------------===//
// Rows of blocked activations
//===----------------------------------------------------------------------===//

/// Returns the offset of channel vector 0 of row `row`: a token of the image,
/// or for rank 2 the image itself.
Value getRowOffset(KernelBuilder &b, const Blocked &shape, Value image,
                   Value row);

/// Returns the offset of a logical channel from channel vector 0 of its row.
Value getChannelOffset(KernelBuilder &b, const Blocked &shape, Value channel);

/// Writes zeros to the row that begins at `offset`.
void storeZeroRow(KernelBuilder &b, const Blocked &shape, Value buffer,
                  Value offset);

/// Calls `body` for each row of the row blocks [begin, end) with its image, its
/// token (0 for rank 2) and its offset. Writes zeros to padded rows of `result`
/// unless that is null.
void forEachRow(
    KernelBuilder &b, const Blocked &shape, Value result,
    function_ref<void(Value image, Value token, Value offset)> body);

/// Emits a kernel whose result is one row per image. A work unit is one channel
/// vector of one row block of images. `body` computes the vector of an image
/// from the input, in which its channel vector begins at `base`.
KernelInfo emitPerImage(Operation *op, KernelBuilder &b,
                        const InputAndResult &layouts,
                        function_ref<Value(Value base)> body);

/// Returns `times` units for each row block, and no counted operations.
KernelInfo getRowBlockInfo(RankedTensorType type, int64_t times = 1);

/// The channels that one statistic of a row covers: `runs` runs of `vectors`
/// vectors. The last vector of a run may have padding.
struct RowParts {
  int64_t parts;    ///< statistics per row
  int64_t runs;     ///< per statistic
  int64_t vectors;  ///< per run
  int64_t channels; ///< per statistic

  /// Emits an error on `op` and fails if a part does not begin at a vector.
  static FailureOr<RowParts> get(Operation *op, const Blocked &shape,
                                 int64_t parts);

  using Visit = function_ref<Carried(Value channelVector, int64_t lanes,
                                     Carried carried)>;
  /// Calls `body` for each channel vector of statistic `part`, in order.
  Carried visit(KernelBuilder &b, Value part, Carried carried,
                Visit body) const;
};

/// Transposes 16 vectors of 16 lanes using two-operand shuffles only.
SmallVector<Value> transposeVectors(KernelBuilder &b, SmallVector<Value> rows);

//===----------------------------------------------------------------------===//
// The register tile
//===----------------------------------------------------------------------===//

/// A product whose sums are in registers: `rows` rows by `vectors` vectors of
/// columns. The depth is `steps` * `unroll`. If the right operand is narrower
/// than f32, so is the left one, or it is f32 that was widened; a depth is then
/// a word of 32 bits of each, or what was one, of neighbouring channels, and
/// the right operand is interleaved accordingly.
struct Tile {
  int64_t rows;
  int64_t vectors;
  int64_t steps;         ///< loop iterations
  int64_t unroll;        ///< depth of one iteration
  Value left;            ///< buffer of the left operand, read by element
  Value leftBase;        ///< offset of (row 0, depth 0)
  int64_t leftRow;       ///< stride of a row
  int64_t leftStep;      ///< stride of an iteration
  Value right;           ///< buffer of the right operand, read by vector
  Value rightBase;       ///< offset of (depth 0, vector 0)
  int64_t rightDepth;    ///< stride of a depth within an iteration
  int64_t rightStep;     ///< stride of an iteration
  int64_t rightVector;   ///< stride of a vector
  int64_t leftDepth = 1; ///< stride of a depth of the left operand
};

/// Emits the product and returns the sums, [row * vectors + vector], which
/// begin at `start` (empty: 0). `onStep` is called at the start of each
/// iteration with its number, for prefetches.
SmallVector<Value> emitTile(KernelBuilder &b, const Tile &tile,
                            function_ref<void(Value)> onStep = nullptr,
                            ArrayRef<Value> start = {});

/// The two f32 of each word of a vector of pairs of bf16.
std::pair<Value, Value> widenPairs(KernelBuilder &b, Value words);

/// The line of pairs of `first` and `second`, vectors of f32, rounded to the
/// elements of `buffer`, bf16.
Value joinPairs(KernelBuilder &b, Value first, Value second, Value buffer);

/// Prefetches `lines` cache lines from `offset` on, into the first-level cache
/// if `hint` is 3, into the second-level cache if it is 2.
void prefetch(KernelBuilder &b, Value buffer, Value offset, int64_t lines,
              int64_t hint);

//===----------------------------------------------------------------------===//
// Heads of attention
//===----------------------------------------------------------------------===//

/// Divides `vectors` into pairs of a width, of those that fit the registers
/// beside `rows` rows, and the number of strips of that width; as even as
/// possible, the widest first.
SmallVector<std::pair<int64_t, int64_t>>
divideEvenly(KernelBuilder &b, int64_t rows, int64_t vectors);

/// The products of a head's rows in two operands, like q k^T: score[row][other]
/// is the sum of row[c] * other[c] over the channels c of the head. The rows of
/// the second operand are first transposed into scratch, as panels of
/// [depth][vectors of the panel][16].
class Scores {
public:
  Scores(KernelBuilder &b, const Blocked &rows, const Blocked &others,
         int64_t headVectors);

  /// Elements of a row of scores, padded to whole vectors.
  int64_t rowElements() const { return vectors * kVectorLanes; }
  int64_t transposedElements() const { return rowElements() * depth(); }
  /// Transposes the rows whose head begins at offset `base` of `source`.
  void transpose(Value source, Value base, Value transposed) const;
  /// Computes the scores of a row block, [row][rowElements()] from `targetBase`
  /// on; with `blocks`, those of so many consecutive ones, by one panel before
  /// the next.
  void multiply(Value source, Value base, Value transposed, Value target,
                Value targetBase, Value blocks = {}) const;

private:
  /// The vectors of a panel and the number of such panels.
  SmallVector<std::pair<int64_t, int64_t>> getPanels() const {
    return divideEvenly(b, rows.rows, vectors);
  }
  int64_t depth() const { return headVectors * kChannelPad; }

  KernelBuilder &b;
  Blocked rows, others;
  int64_t headVectors;
  int64_t vectors; ///< of the second operand's rows
};

/// Replaces the scores of some rows of an attention by weights: exponentials
/// relative to the largest score of the row.
struct Softmax {
  kernel::AttentionOp op;
  KernelBuilder &b;
  Blocked query;
  int64_t rows; ///< of a row block, or of a strip of one
  int64_t keys;
  Value scores;      ///< buffer of f32
  int64_t scoreRow;  ///< stride of a row
  Value weights;     ///< buffer of the weights, the same one or another
  int64_t weightRow; ///< stride of a row; what follows the last key becomes 0
  Type weightType;   ///< what weights are rounded to, before they are added

  /// `base` is the offset of the scores, `target` that of the weights. Returns
  /// the reciprocal of the sum of each row's weights. Stores the probabilities,
  /// if `op` returns them.
  SmallVector<Value> apply(const RowBlock &block, Value base, Value target,
                           Value image, Value head);

private:
  /// Returns the offsets in the bias of the rows of the block; padded rows have
  /// that of the last token.
  SmallVector<Value> getBiasRows(const RowBlock &block, Value head);
  SmallVector<Value> computeExponentials(const RowBlock &block, Value base,
                                         Value target, Value head);
  void storeProbabilities(const RowBlock &block, Value base, Value image,
                          Value head, ArrayRef<Value> factors);
};

/// Emits an error on `op` and fails unless `shape` has row blocks of `rows` for
/// each image, and each head of `headDim` channels, the first at channel
/// `offset`, begins at a vector.
LogicalResult verifyHeads(Operation *op, const Blocked &shape, int64_t headDim,
                          int64_t offset, int64_t rows);

/// Returns the offset of `head`, of `headLines` lines, in the row block that
/// begins at `base`. Head 0 begins at channel `offset`.
Value getHeadOffset(KernelBuilder &b, const Blocked &shape, Value base,
                    Value head, int64_t headLines, int64_t offset);

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_EMITTERS_H
