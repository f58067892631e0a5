//===- Layout.h - Where a tensor's elements lie in memory ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_KERNEL_LAYOUT_H
#define VIT_KERNEL_LAYOUT_H

#include "vit/Dialect/Kernel.h"

namespace mlir::vit::kernel {

/// Channels of an activation, or of a group of them, are padded to a multiple
/// of this.
inline constexpr int64_t kChannelPad = 16;

/// The width of a panel of packed weights is a multiple of this.
inline constexpr int64_t kPanelGranule = 16;

inline int64_t padTo(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// What lies in a slot begins at a multiple of so many bytes.
inline constexpr int64_t kSlotAlignment = 64;

/// Bytes of a line: consecutive channels of one row of a blocked activation.
inline constexpr int64_t kLineBytes = 64;

/// Elements of a line.
inline int64_t lineElements(Type element) {
  return kLineBytes * 8 / element.getIntOrFloatBitWidth();
}

/// Channels of a line, to a multiple of which a blocked activation is padded.
inline int64_t lineChannels(RankedTensorType type) {
  return lineElements(type.getElementType());
}

/// Whether `element` is one of the float types of 16 bits to which operands of
/// products are rounded, f16 or bf16.
inline bool isNarrowFloat(Type element) {
  return element.isF16() || element.isBF16();
}

/// Elements of `element` that have 32 bits, a word.
inline int64_t wordElements(Type element) {
  return 32 / element.getIntOrFloatBitWidth();
}

/// Neighbouring inputs that lie side by side in panels of `element`: those of a
/// word, as instructions read them that multiply bf16 and i8. Those of f16,
/// which have to be widened, are not interleaved: vcvtph2ps takes neighbouring
/// elements, the columns of one input.
inline int64_t interleaveOf(Type element) {
  return element.isF16() ? 1 : wordElements(element);
}

/// Depths that follow those of the inputs in panels of `element` with
/// interleaved inputs: for i8 a word for each column, -128 times the sum of the
/// column.
inline int64_t extraDepth(Type element) {
  return element.isInteger(8) ? interleaveOf(element) : 0;
}

/// `channels` padded to a multiple of `pad`, each group of `group` alone where
/// that is not 0.
inline int64_t paddedChannels(int64_t channels, int64_t group,
                              int64_t pad = kChannelPad) {
  return group == 0 ? padTo(channels, pad)
                    : channels / group * padTo(group, pad);
}

/// Where logical channel `channel` lies among the padded ones.
inline int64_t paddedChannel(int64_t channel, int64_t group,
                             int64_t pad = kChannelPad) {
  return group == 0 ? channel
                    : channel / group * padTo(group, pad) + channel % group;
}

/// Whether each head of `headDim` channels, the first of which begins at
/// channel `offset`, begins at a multiple of `pad` padded channels.
inline bool areHeadsAligned(int64_t group, int64_t headDim, int64_t offset,
                            int64_t pad = kChannelPad) {
  return group == 0 ? headDim % pad == 0 && offset % pad == 0
                    : group == headDim && offset % headDim == 0;
}

/// The geometry of an activation in the blocked layout.
struct BlockedShape {
  int64_t rows;          ///< rows of a block (MR)
  int64_t tokens;        ///< tokens per image; 0: rank 2, rows are images
  int64_t channelBlocks; ///< runs of kChannelPad channels per row
  int64_t line;          ///< channels of a line
  /// Row blocks per image; 0 for rank 2 (there ceil(batch / rows) in all).
  int64_t blocksPerImage;

  /// `type` must have a #kernel.blocked encoding and rank 2 or 3.
  static BlockedShape get(RankedTensorType type);
  int64_t blockElements() const { return channelBlocks * rows * kChannelPad; }
};

/// Divisor of an extent that is the same for every batch: no batch reaches it,
/// so `ceil(batch / kNoBatch)` is 1.
inline constexpr int64_t kNoBatch = int64_t(1) << 31;

/// Bytes of a value of `type` as a closed form in the batch; where the type
/// has no batch (a parameter, a gradient), `times` with the divisor kNoBatch,
/// and where it is row-major too, occupiedElements. A number has 4.
ExtentAttr getBytes(RankedTensorType type);

/// Bytes that `value` takes in a slot, for `batch`.
inline int64_t getSlotBytes(Value value, int64_t batch) {
  return padTo(getBytes(tensorOf(value)).evaluate(batch), kSlotAlignment);
}

/// Number of row blocks of a blocked activation as a closed form in the batch.
ExtentAttr getRowBlocks(RankedTensorType type);

} // namespace mlir::vit::kernel

#endif // VIT_KERNEL_LAYOUT_H
