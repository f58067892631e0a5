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

//===----------------------------------------------------------------------===//
// Blocked activations
//===----------------------------------------------------------------------===//

/// A blocked activation's geometry and the group of its channels.
struct Blocked : kernel::BlockedShape {
  int64_t width; ///< logical channels
  int64_t group; ///< 0: none

  /// Fails, with an error on `op`, where `type` is not blocked.
  static FailureOr<Blocked> get(Operation *op, RankedTensorType type);

  bool isPerImage() const { return blocksPerImage != 0; }
  int64_t vectorElements() const { return rows * kLanes; }
  /// Logical lanes of channel vector `vector`.
  int64_t lanes(int64_t vector) const;
  bool hasPaddedChannels() const;
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

private:
  enum class Broadcast { Channel, Token, Element };
  struct Extra {
    Value buffer;
    Broadcast broadcast;
  };
  Epilogue(Operation *op, KernelBuilder &b, const Blocked &shape)
      : op(op), b(&b), shape(shape) {}

  Operation *op;
  KernelBuilder *b;
  Blocked shape;
  SmallVector<Extra> extras;
  bool keepsZero = false;
};

//===----------------------------------------------------------------------===//
// The register tile
//===----------------------------------------------------------------------===//

/// A product held in registers: rows x vectors of 16 columns, summed over
/// `depth` in steps of `unroll`.
struct Tile {
  int64_t rows;
  int64_t vectors;
  int64_t steps;    ///< loop iterations
  int64_t unroll;   ///< depth of one iteration
  Value left;       ///< buffer of the left operand, read element by element
  Value leftBase;   ///< offset of (row 0, depth 0)
  int64_t leftRow;  ///< stride of a row
  int64_t leftStep; ///< stride of an iteration; within one, depth is contiguous
  Value right;      ///< buffer of the right operand, read by vectors
  Value rightBase;  ///< offset of (depth 0, vector 0)
  int64_t rightDepth;  ///< stride of a depth within an iteration
  int64_t rightStep;   ///< stride of an iteration
  int64_t rightVector; ///< stride of a vector
};

/// The accumulators, [row * vectors + vector]. `onStep` is called at the start
/// of each iteration with its number (for prefetches).
SmallVector<Value> emitTile(KernelBuilder &b, const Tile &tile,
                            function_ref<void(Value)> onStep = nullptr);

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_EMITTERS_H
