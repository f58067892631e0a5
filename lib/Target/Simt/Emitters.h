//===- Emitters.h - One emitter per family of GPU kernels -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_EMITTERS_H
#define VIT_TARGET_SIMT_EMITTERS_H

#include "../Common/KernelInfo.h"
#include "../Common/ScalarCode.h"
#include "SimtBuilder.h"

namespace mlir::vit::simt {

// Each emitter fills the body of the kernel and returns what the dispatch
// records, or emits an error on the op and fails. The arguments of the kernel
// are the operands of the op, then its results.
FailureOr<KernelInfo> emit(kernel::GemmOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::AttentionOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::RotateOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::RowsOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::QuantizeOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::MapOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::PrependOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::RepeatOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::ConcatChannelsOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::TakeOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::MeanOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::PatchifyOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::RelayoutOp op, SimtBuilder &b);

// Training steps. The arguments of an update are its operands, then one arena
// range per list of variables: the parameters, then each state; then those of
// the arenas' rounded copies, in the same order.
FailureOr<KernelInfo> emit(kernel::WeightGradientOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::SumOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::NormalizeBackwardOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::SoftmaxBackwardOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::AttentionBackwardOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::AttentionBiasGradientOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::GridProductOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::PackRelativePositionsOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::RelativePositionsBackwardOp op,
                           SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::LossOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::LossBackwardOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::PlaceOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::TakeChannelsOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::SpreadOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::DropoutOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::PackOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::NormOp op, SimtBuilder &b);
FailureOr<KernelInfo> emit(kernel::UpdateOp op, SimtBuilder &b);

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// The logical channel at a padded position.
struct Channel {
  Value number;
  Value exists; ///< i1: false for padding
};

/// The geometry of an activation: rows of `vectors` vectors of 4 channels,
/// row-major. The number of a row is image * tokens + token. Channels are
/// padded with zeros to a multiple of kChannelPad, each group on its own.
struct Activation {
  int64_t tokens; ///< rows per image; 1 for [batch, width]
  int64_t width;  ///< logical channels
  int64_t group;  ///< the group of `#kernel.channels`; 0: none
  int64_t vectors;

  /// Emits an error on `op` and fails unless `type` is of rank 2 or 3 and has
  /// `#kernel.channels`, or has no encoding and a width that is a multiple of
  /// kChannelPad.
  static FailureOr<Activation> get(Operation *op, RankedTensorType type);

  /// Returns a value without a batch as one row. It is row-major f32, with
  /// zeros after its last element up to a multiple of 16. Emits an error on
  /// `op` and fails if `type` is anything else.
  static FailureOr<Activation> getFlat(Operation *op, Type type);

  bool hasPaddedChannels() const { return vectors * kVectorLanes != width; }
  /// Returns the channel at position `padded` in a row, which may be past its
  /// end.
  Channel getChannel(SimtBuilder &b, Value padded) const;
  /// Returns the number of rows of all images, batch * tokens.
  Value rows(SimtBuilder &b) const { return b.mul(b.batch(), tokens); }
  /// Returns `times` * ceil(rows * itemsPerRow / itemsPerUnit) units, and no
  /// counted operations.
  KernelInfo getInfo(Operation *op, int64_t itemsPerRow, int64_t itemsPerUnit,
                     int64_t times = 1) const;
};

/// The layouts of the first operand and the first result of a kernel.
struct InputAndResult {
  Activation input, result;

  /// Emits an error on `op` and fails if their groups differ.
  static FailureOr<InputAndResult> get(Operation *op);
  /// Those of a product, whose groups are those of its weight. Emits an error
  /// on `op` and fails if the weight has no layout for a GPU or other groups.
  /// Narrow weights are row-major.
  static FailureOr<InputAndResult> getProduct(kernel::GemmOp op);
};

/// Whether the weight of a product, in panels, has a row for each depth,
/// `[depth][columns]`: the row-major weight [out, in] of a product with W^T,
/// whose depth is out. Otherwise row-major weights are `[columns][depth]`.
bool isDepthMajor(kernel::GemmOp op);

/// Returns the layouts of the operands and results `values` of an attention, of
/// which the one with number `query` is the query, followed by key and value.
/// Emits an error on `op` and fails unless each head begins at a vector.
FailureOr<SmallVector<Activation>> getHeads(Operation *op, ValueRange values,
                                            unsigned query, int64_t headDim,
                                            ArrayRef<int64_t> offsets);

/// Calls `body` for the items of this unit among [0, total), `perUnit` per
/// unit. Neighboring threads take neighboring items. `body` must not contain
/// barriers.
void forEachItem(SimtBuilder &b, Value total, int64_t perUnit,
                 function_ref<void(Value item)> body);

/// Items per thread in kernels whose items are all alike: enough to outweigh
/// the cost of starting a workgroup.
inline constexpr int64_t kItemsPerThread = 4;

/// Emits a kernel whose threads take one of `total` items at a time,
/// kItemsPerThread in all, of a result that has no batch.
KernelInfo emitPerItem(Operation *op, SimtBuilder &b, int64_t total,
                       function_ref<void(Value item)> body);

/// Emits a kernel whose threads take one vector of `shape` at a time,
/// kItemsPerThread in all. `body` gets its number, its row, and its number in
/// the row.
KernelInfo
emitPerVector(Operation *op, SimtBuilder &b, const Activation &shape,
              function_ref<void(Value item, Value row, Value vector)> body);

/// The rows of an activation in parts that have statistics of their own.
struct RowParts {
  SimtBuilder &b;
  Activation shape;
  int64_t groups;   ///< parts per row
  int64_t vectors;  ///< per part
  int64_t channels; ///< per part
  int64_t sharing;  ///< threads per part
  bool isEven;      ///< `sharing` divides `vectors`
  Value lane = {};  ///< number of this thread among those that share the part
  // The current part.
  Value first = {}; ///< its first vector in the row
  Value base = {};  ///< its first vector in memory

  /// Chooses how many threads share a part: a power of two that divides the
  /// workgroup, and the vectors if `isEven`, and leaves about four vectors per
  /// thread. Emits an error on `op` and fails if a part does not begin at a
  /// vector.
  static FailureOr<RowParts> get(Operation *op, SimtBuilder &b, Type input,
                                 const Activation &shape, int64_t groups,
                                 bool isEven);
  void select(Value row, Value part) {
    first = b.mul(part, vectors);
    base = b.add(b.mul(row, shape.vectors), first);
  }
  /// Calls `body` for the items of this unit among [0, total), threads /
  /// sharing per unit. All threads call it. If `stores` is not null, it says
  /// whether the item exists; if not, another one is repeated, of which nothing
  /// must be stored.
  void forEach(Value total, function_ref<void(Value item, Value stores)> body);
  /// Calls `body` for the vectors that this thread takes, with the number in
  /// the row and the offset.
  SmallVector<Value>
  visit(ValueRange init,
        function_ref<SmallVector<Value>(Value vector, Value at, ValueRange)>
            body);
};

/// Emits `body` under the condition `stores`, which holds if it is null.
void ifStores(SimtBuilder &b, Value stores, function_ref<void()> body);

/// Emits code by which the first unit stores zeros after the `count` elements
/// of a result without a batch, up to a multiple of 16. Needs `useScalars`.
void storeZeroTail(SimtBuilder &b, unsigned argument, int64_t count);

/// Returns `value`, vector `vector` of a row of `shape`, with `other` in the
/// lanes that are padding.
Value maskChannels(SimtBuilder &b, const Activation &shape, Value vector,
                   Value value, double other = 0);

/// Emits a kernel that stores `factor` times the sum of the tokens of each
/// image from `start` on. Reads argument 0 and writes argument 1.
KernelInfo emitTokenSums(SimtBuilder &b, const Activation &input, int64_t start,
                         double factor);

/// Returns the part of this thread in the sum of `map` over the `total` (not 0)
/// vectors of an argument, if one workgroup takes them all. Takes several per
/// iteration, because lavapipe stops invocations whose loops run for more than
/// 65,535 iterations in total.
Value sumVectors(SimtBuilder &b, unsigned argument, Value total,
                 function_ref<Value(Value)> map);

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

/// The region of a fused kernel, applied to vectors of channels.
class Epilogue {
public:
  /// `firstExtra` is the argument that is the first extra operand. Emits an
  /// error on `op` and fails if the layout of an extra does not fit `result`,
  /// or if an op in the region is not supported.
  static FailureOr<Epilogue> get(Operation *op, SimtBuilder &b,
                                 OperandRange extras, unsigned firstExtra,
                                 const Activation &result);

  /// Loads the extras of channel vector `vector` that do not depend on the row.
  /// Returns one value per extra, null for the others.
  SmallVector<Value> loadChannels(Value vector) const;

  /// Applies the region to `element`, channel vector `vector` of row `row` of
  /// the result. `offset` is row * vectors + vector. Padded channels become
  /// zero.
  Value apply(Value element, ArrayRef<Value> channels, Value row, Value vector,
              Value offset) const;

private:
  Epilogue(FusedCode code, SimtBuilder &b, unsigned firstExtra,
           const Activation &shape)
      : code(std::move(code)), b(&b), firstExtra(firstExtra), shape(shape) {}

  FusedCode code;
  SimtBuilder *b;
  unsigned firstExtra;
  Activation shape;
};

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_EMITTERS_H
