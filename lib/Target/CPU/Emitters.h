//===- Emitters.h - One emitter per family of kernels ---===//
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

// Each emitter fills the function's body and returns what its dispatch says, or
// emits an error on the op and fails. The function's arguments are the op's
// operands, then its results, then batch, begin, end and scratch.
FailureOr<KernelInfo> emitGemm(kernel::GemmOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitAttention(kernel::AttentionOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitRows(kernel::RowsOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitMap(kernel::MapOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitPrepend(kernel::PrependOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitTake(kernel::TakeOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitMean(kernel::MeanOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitPatchify(kernel::PatchifyOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitRelayout(kernel::RelayoutOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitNormalizeBackward(kernel::NormalizeBackwardOp op,
                                            KernelBuilder &b);
FailureOr<KernelInfo> emitSoftmaxBackward(kernel::SoftmaxBackwardOp op,
                                          KernelBuilder &b);
FailureOr<KernelInfo> emitAttentionBackward(kernel::AttentionBackwardOp op,
                                            KernelBuilder &b);
FailureOr<KernelInfo> emitLoss(kernel::LossOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitLossBackward(kernel::LossBackwardOp op,
                                       KernelBuilder &b);
FailureOr<KernelInfo> emitPlace(kernel::PlaceOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitSpread(kernel::SpreadOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitDropout(kernel::DropoutOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitNorm(kernel::NormOp op, KernelBuilder &b);
/// The function's arguments are the operands, then the range of each arena:
/// of the parameters, then of each state.
FailureOr<KernelInfo> emitUpdate(kernel::UpdateOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitWeightGradient(kernel::WeightGradientOp op,
                                         KernelBuilder &b);
FailureOr<KernelInfo> emitPack(kernel::PackOp op, KernelBuilder &b);
FailureOr<KernelInfo> emitSum(kernel::SumOp op, KernelBuilder &b);

//===----------------------------------------------------------------------===//
// Blocked activations
//===----------------------------------------------------------------------===//

/// Channels that are padded to whole vectors, each group of them alone where
/// there are groups.
struct Channels {
  int64_t width; ///< logical channels
  int64_t group; ///< 0: none

  /// Vectors of 16, padding included.
  int64_t vectors() const {
    return kernel::paddedChannels(width, group) / kChannelPad;
  }
  /// Logical lanes of channel vector `vector`.
  int64_t lanes(int64_t vector) const;
  bool hasPaddedChannels() const;
};

/// A blocked activation's geometry.
struct Blocked : kernel::BlockedShape, Channels {

  /// Fails, with an error on `op`, where `type` is not blocked.
  static FailureOr<Blocked> get(Operation *op, RankedTensorType type);

  bool isPerImage() const { return blocksPerImage != 0; }
  int64_t vectorElements() const { return rows * kChannelPad; }
  /// Whether row `row` of a block may be padding.
  bool mayBePadding(int64_t row) const;
};

/// Where a kernel stands: one row block of a blocked activation.
struct RowBlock {
  Value block;   ///< among all blocks
  Value local;   ///< within its image; the same as `block` for rank 2
  Value base;    ///< element offset of the block
  Value isShort; ///< i1, rank 3: the image's last block, which has padding;
                 ///< null where no block has
};
RowBlock getRowBlock(KernelBuilder &b, const Blocked &shape, Value block);

/// The number of row blocks in this call's batch.
Value getRowBlocks(KernelBuilder &b, const Blocked &shape);

/// `vector`, or zero where row `row` of the block is padding.
Value zeroPaddedRow(KernelBuilder &b, const Blocked &shape,
                    const RowBlock &block, int64_t row, Value vector);

/// Calls `body` with the first logical channel of `channelVector` and how many
/// of its lanes are channels.
void forChannels(KernelBuilder &b, const Channels &channels,
                 Value channelVector,
                 function_ref<void(Value channel, int64_t lanes)> body);

/// Calls `body` with the logical channel that lies at `padded` among the padded
/// ones, where there is one.
void ifChannel(KernelBuilder &b, const Channels &channels, Value padded,
               function_ref<void(Value channel)> body);

/// The sum of one to many vectors, as a tree: the same order always.
Value addPairwise(KernelBuilder &b, SmallVector<Value> summands);

//===----------------------------------------------------------------------===//
// Values without a batch
//===----------------------------------------------------------------------===//

/// Fails, with an error on `op`, where `type` is not row-major f32 of known
/// size.
LogicalResult verifyFlat(Operation *op, Type type);

/// Whether the kernel writes zeros behind the last element of `result`, up to a
/// multiple of 16: not where the entry returns it, for then the memory is the
/// caller's, and for rank 0 only in a concat, for else it has 4 bytes.
bool ownsTail(Value result);

/// Writes them, in the call that has unit 0.
void zeroTail(KernelBuilder &b, Value result, Value buffer);

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

/// The region of a fused kernel, applied to vectors of 16 channels.
class Epilogue {
public:
  /// `firstExtra` is the argument that holds the op's first extra operand.
  static FailureOr<Epilogue> get(Operation *op, KernelBuilder &b,
                                 OperandRange extras, unsigned firstExtra,
                                 const Blocked &result);

  /// The extras of channel vector `channelVector` that are the same in each
  /// row; one value per extra, null for the others.
  SmallVector<Value> loadChannels(Value channelVector) const;

  /// The region's value of `element`, row `row` of the block, channel vector
  /// `channelVector`; `offset` is where the vector lies in the result. Padded
  /// channels come out as zero; padded rows do not.
  Value apply(Value element, ArrayRef<Value> channels, const RowBlock &block,
              int64_t row, Value channelVector, Value offset) const;
  /// The same with the row's token given (per-token extras need it).
  Value apply(Value element, ArrayRef<Value> channels, Value token,
              Value channelVector, Value offset) const;

  bool usesTokens() const;
  /// The extras' buffers that have the result's shape.
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

/// Offset of row `row` of an image (its token, or the image itself for rank 2)
/// at channel vector 0.
Value getRowOffset(KernelBuilder &b, const Blocked &shape, Value image,
                   Value row);

/// Calls `body` for each row of the row blocks [begin, end): the row's image,
/// its token (0 for rank 2) and its offset in the result. Padded rows are
/// written as zero here.
void forEachResultRow(
    KernelBuilder &b, const Blocked &shape, Value result,
    function_ref<void(Value image, Value token, Value offset)> body);

/// Units of one row block each, without counted operations.
KernelInfo getRowBlockInfo(RankedTensorType type);

/// The channels of a row that one statistic is over: `runs` runs of `vectors`
/// vectors, the last of which may be part padding.
struct RowParts {
  int64_t parts;    ///< statistics per row
  int64_t runs;     ///< per statistic
  int64_t vectors;  ///< per run
  int64_t tail;     ///< lanes of a run's last vector; 16: no padding
  int64_t channels; ///< per statistic

  /// Fails, with an error on `op`, where a part does not begin at a vector.
  static FailureOr<RowParts> get(Operation *op, const Blocked &shape,
                                 int64_t parts);

  using Carried = SmallVector<Value>;
  using Visit = function_ref<Carried(Value channelVector, int64_t lanes,
                                     Carried carried)>;
  /// Calls `body` on each channel vector of statistic `part`, in order.
  Carried visit(KernelBuilder &b, Value part, Carried carried,
                Visit body) const;
};

/// Transposes 16 vectors of 16 with two-operand shuffles only.
SmallVector<Value> transposeVectors(KernelBuilder &b, SmallVector<Value> rows);

//===----------------------------------------------------------------------===//
// The register tile
//===----------------------------------------------------------------------===//

/// A product held in registers: rows x vectors of 16 columns, summed over
/// `depth` in steps of `unroll`.
struct Tile {
  int64_t rows;
  int64_t vectors;
  int64_t steps;       ///< loop iterations
  int64_t unroll;      ///< depth of one iteration
  Value left;          ///< buffer of the left operand, read element by element
  Value leftBase;      ///< offset of (row 0, depth 0)
  int64_t leftRow;     ///< stride of a row
  int64_t leftStep;    ///< stride of an iteration
  Value right;         ///< buffer of the right operand, read by vectors
  Value rightBase;     ///< offset of (depth 0, vector 0)
  int64_t rightDepth;  ///< stride of a depth within an iteration
  int64_t rightStep;   ///< stride of an iteration
  int64_t rightVector; ///< stride of a vector
  int64_t leftDepth = 1; ///< stride of a depth of the left operand
};

/// The accumulators, [row * vectors + vector]. `onStep` is called at the start
/// of each iteration with its number (for prefetches).
SmallVector<Value> emitTile(KernelBuilder &b, const Tile &tile,
                            function_ref<void(Value)> onStep = nullptr);

/// Fetches `lines` cache lines from `offset` on; `hint` 3: into the first-level
/// cache, 2: into the second.
void prefetch(KernelBuilder &b, Value buffer, Value offset, int64_t lines,
              int64_t hint);

//===----------------------------------------------------------------------===//
// Heads of attention
//===----------------------------------------------------------------------===//

/// Products of the rows of two operands' heads, score[row][other] = the sum of
/// row[c] other[c] over the head's channels c: q k^T. The others are transposed
/// into scratch first, [depth][vectors of the panel][16] panel by panel.
class Scores {
public:
  Scores(KernelBuilder &b, const Blocked &rows, const Blocked &others,
         int64_t headVectors);

  /// Elements of a row of scores: the others, padded to vectors.
  int64_t rowElements() const { return vectors * kVectorLanes; }
  int64_t transposedElements() const { return rowElements() * depth(); }
  /// Transposes the rows whose head begins at `base` of `source`.
  void transpose(Value source, Value base, Value transposed) const;
  /// A row block's scores, [row][rowElements()] from `targetBase` on.
  void multiply(Value source, Value base, Value transposed, Value target,
                Value targetBase) const;

private:
  /// Vectors per panel and how many such panels, widest first.
  SmallVector<std::pair<int64_t, int64_t>> getPanels() const;
  int64_t depth() const { return headVectors * kChannelPad; }

  KernelBuilder &b;
  Blocked rows, others;
  int64_t headVectors;
  int64_t vectors; ///< of others
};

/// Fails, with an error on `op`, where a head of `headDim` channels, the first
/// at `offset`, does not begin at a vector of each image's row blocks of
/// `rows`.
LogicalResult verifyHeads(Operation *op, const Blocked &shape, int64_t headDim,
                          int64_t offset, int64_t rows);

/// Offset of `head`, the first at channel `offset`, in a row block that begins
/// at `base`.
Value getHeadOffset(KernelBuilder &b, const Blocked &shape, Value base,
                    Value head, int64_t headVectors, int64_t offset);

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_EMITTERS_H
