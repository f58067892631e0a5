//===- AttentionBackward.h - Where operands of the adjoint are --*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_ATTENTIONBACKWARD_H
#define VIT_TARGET_SIMT_ATTENTIONBACKWARD_H

#include "../Common/Arguments.h"
#include "Emitters.h"

namespace mlir::vit::simt {

/// The geometry of kernel.attention_backward, or of
/// kernel.attention_bias_gradient, and the head that the code at hand takes.
struct AttentionBackwardHead : AttentionBackwardArguments {
  template <typename Op>
  AttentionBackwardHead(Op op, SimtBuilder &b, ArrayRef<Activation> shapes)
      : b(b), shapes(shapes), heads(op.getHeads()), offsets(op.getOffsets()),
        hasBias(op.getBias() != nullptr), queries(shapes[Query].tokens),
        keys(shapes[Key].tokens),
        vectors(kernel::padTo(op.getHeadDim(), kernel::kChannelPad) /
                kVectorLanes),
        scale(op.getScale().convertToDouble()) {}

  /// The layouts of the operands but for the bias, then of the results. Emits
  /// an error on `op` and fails if one is not supported.
  static FailureOr<SmallVector<Activation>>
  getShapes(kernel::AttentionBackwardOp op);

  /// The number of an argument of the kernel.
  unsigned number(Argument argument) const {
    return AttentionBackwardArguments::number(argument, hasBias);
  }
  /// The number of the first vector of the head in a token.
  Value at(Argument argument, Value token);
  /// The element of the bias of a query and a key.
  Value biasAt(Value query, Value key) {
    return b.add(b.mul(b.add(b.mul(head, queries), query), keys), key);
  }

  SimtBuilder &b;
  SmallVector<Activation> shapes; ///< those of operands and results
  int64_t heads;
  SmallVector<int64_t> offsets;
  bool hasBias;
  int64_t queries, keys;
  int64_t vectors; ///< vectors of a padded head
  double scale;
  Value image, head; ///< those of the unit or thread, once set
};

/// Emits a `KernelT` of matrix instructions, which is made of (op, b, shapes)
/// and has `emit`: a unit is a head of an image, and for each block of queries
/// there are two passes over the keys, for each block of keys one over the
/// queries.
template <typename KernelT>
FailureOr<KernelInfo> emitMatrixBackward(
    kernel::AttentionBackwardOp op, SimtBuilder &b,
    function_ref<LogicalResult(kernel::AttentionBackwardOp)> verifyTile) {
  auto shapes = AttentionBackwardHead::getShapes(op);
  if (failed(shapes) || failed(verifyTile(op)))
    return failure();
  KernelT(op, b, *shapes).emit();
  int64_t heads = op.getHeads();
  int64_t queries = (*shapes)[AttentionBackwardArguments::Query].tokens;
  int64_t keys = (*shapes)[AttentionBackwardArguments::Key].tokens;
  KernelInfo info;
  info.units = perImage(op, heads);
  // Five products, two of which are computed three times.
  info.flop = perImage(op, 18 * heads * queries * keys * op.getHeadDim());
  return info;
}

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_ATTENTIONBACKWARD_H
