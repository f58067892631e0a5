//===- Emitters.h - One emitter per family of GPU kernels -----------------===//
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

// Each emitter fills the kernel's body and returns what its dispatch says, or
// emits an error on the op and fails. The arguments are the op's operands, then
// its results.
FailureOr<KernelInfo> emitGemm(kernel::GemmOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitAttention(kernel::AttentionOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitRows(kernel::RowsOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitMap(kernel::MapOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitPrepend(kernel::PrependOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitTake(kernel::TakeOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitMean(kernel::MeanOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitPatchify(kernel::PatchifyOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitRelayout(kernel::RelayoutOp op, SimtBuilder &b);

// Of training steps. The arguments of an update are its operands, then ranges
// of the arenas of its parameters and states.
FailureOr<KernelInfo> emitWeightGradient(kernel::WeightGradientOp op,
                                         SimtBuilder &b);
FailureOr<KernelInfo> emitSum(kernel::SumOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitNormalizeBackward(kernel::NormalizeBackwardOp op,
                                            SimtBuilder &b);
FailureOr<KernelInfo> emitSoftmaxBackward(kernel::SoftmaxBackwardOp op,
                                          SimtBuilder &b);
FailureOr<KernelInfo> emitAttentionBackward(kernel::AttentionBackwardOp op,
                                            SimtBuilder &b);
FailureOr<KernelInfo> emitLoss(kernel::LossOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitLossBackward(kernel::LossBackwardOp op,
                                       SimtBuilder &b);
FailureOr<KernelInfo> emitPlace(kernel::PlaceOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitSpread(kernel::SpreadOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitDropout(kernel::DropoutOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitPack(kernel::PackOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitNorm(kernel::NormOp op, SimtBuilder &b);
FailureOr<KernelInfo> emitUpdate(kernel::UpdateOp op, SimtBuilder &b);

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// A padded channel as a logical one.
struct Channel {
  Value number;
  Value exists; ///< i1; else it is padding
};

/// An activation's geometry: rows of `vectors` vectors of 4 channels, one after
/// the other; row = image * tokens + token. Padded channels (a multiple of 16
/// is made full, each group alone) hold zero.
struct Activation {
  int64_t tokens; ///< rows per image; 1 for [batch, width]
  int64_t width;  ///< logical channels
  int64_t group;  ///< of `#kernel.channels`; 0: none
  int64_t vectors;

  /// Fails, with an error on `op`, where `type` is not f32 of rank 2 or 3 with
  /// `#kernel.channels`, or without encoding and a multiple of 16 wide.
  static FailureOr<Activation> get(Operation *op, RankedTensorType type);

  /// A value without a batch, as one row: row-major f32, zeros from its last
  /// element up to a multiple of 16. Fails as `get` does.
  static FailureOr<Activation> getFlat(Operation *op, Type type);

  bool hasPaddedChannels() const { return vectors * kVectorLanes != width; }
  /// From a place in a row, which may be beyond it.
  Channel getChannel(SimtBuilder &b, Value padded) const;
  /// Rows of all images: batch * tokens.
  Value rows(SimtBuilder &b) const { return b.mul(b.batch(), tokens); }
  /// ceil(rows * itemsPerRow / itemsPerUnit), times `times`.
  kernel::ExtentAttr units(MLIRContext *context, int64_t itemsPerRow,
                           int64_t itemsPerUnit, int64_t times = 1) const;
};

/// Calls `body` on this unit's share of items [0, total), `perUnit` to a unit:
/// next to each other's threads, next items. Nothing carried, no barriers.
void forEachItem(SimtBuilder &b, Value total, int64_t perUnit,
                 function_ref<void(Value item)> body);

/// Items that a thread does one after the other where all are alike: enough
/// for a workgroup to be worth its start.
inline constexpr int64_t kItemsPerThread = 4;

/// `times`, whatever the batch.
kernel::ExtentAttr withoutBatch(MLIRContext *context, int64_t times);

/// The first unit stores zeros from element `count` of a result without batch
/// up to a multiple of 16. Needs `useScalars`.
void storeZeroTail(SimtBuilder &b, unsigned argument, int64_t count);

/// No arithmetic that counts.
kernel::ExtentAttr noFlop(MLIRContext *context);

/// `value`, vector number `vector` of a row of `shape`, with `other` (f32) in
/// the lanes that are padding.
Value maskChannels(SimtBuilder &b, const Activation &shape, Value vector,
                   Value value, double other = 0);

/// `factor` times the sum of each image's tokens from `start` on, argument 0 to
/// argument 1.
KernelInfo emitTokenSums(SimtBuilder &b, const Activation &input, int64_t start,
                         double factor);

/// This thread's share of the sum of what `map` makes of the `total` (not 0)
/// vectors of an argument, if one workgroup takes all: several at a time, as
/// lavapipe ends what runs loops for more than 65,535 iterations together.
Value sumVectors(SimtBuilder &b, unsigned argument, Value total,
                 function_ref<Value(Value)> map);

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

/// The region of a fused kernel, applied to vectors of 4 channels.
class Epilogue {
public:
  /// `firstExtra` is the argument that holds the op's first extra operand;
  /// `result` the op's result. Emits an error where an extra's layout does not
  /// fit or the region holds an op that has no code.
  static FailureOr<Epilogue> get(Operation *op, SimtBuilder &b,
                                 OperandRange extras, unsigned firstExtra,
                                 const Activation &result);

  /// The extras of channel vector `vector` that are the same in each row; one
  /// value per extra, null for the others.
  SmallVector<Value> loadChannels(Value vector) const;

  /// The region's value of `element`, channel vector `vector` of row `row` of
  /// the result, where that is vector number `offset` (row * vectors +
  /// vector). Padded channels come out as zero.
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
