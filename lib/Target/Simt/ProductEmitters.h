//===- ProductEmitters.h - What emitters of products share ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_PRODUCTEMITTERS_H
#define VIT_TARGET_SIMT_PRODUCTEMITTERS_H

#include "Emitters.h"

#include "../Common/Arguments.h"

namespace mlir::vit::simt {

/// Emits a product by a `KernelT`, which is made of (op, b, input, result,
/// epilogue) and has `emit` and the number of its `columnTiles`. `verifyTile`
/// emits an error and fails if the kernel does not support the tile of the op
/// for a product of `depth` channels.
template <typename KernelT>
FailureOr<KernelInfo>
emitGemm(kernel::GemmOp op, SimtBuilder &b,
         function_ref<LogicalResult(int64_t depth)> verifyTile) {
  FailureOr<InputAndResult> shapes = InputAndResult::getProduct(op);
  if (failed(shapes))
    return failure();
  const auto &[input, result] = *shapes;
  if (failed(verifyTile(input.vectors * kVectorLanes)))
    return failure();
  FailureOr<Epilogue> epilogue =
      Epilogue::get(op, b, op.getExtras(), GemmArguments::FirstExtra, result);
  if (failed(epilogue))
    return failure();

  KernelT gemm(op, b, input, result, *epilogue);
  gemm.emit();
  KernelInfo info = result.getInfo(op, /*itemsPerRow=*/1,
                                   op.getTile().getRows(), gemm.columnTiles());
  info.flop = perImage(op, 2 * result.tokens * input.width * result.width);
  return info;
}

/// The same for a weight gradient by a `KernelT`, which is made of (op, b,
/// gradient, input) and has `emit` and the number of its `units`.
template <typename KernelT>
FailureOr<KernelInfo>
emitWeightGradient(kernel::WeightGradientOp op, SimtBuilder &b,
                   function_ref<LogicalResult()> verifyTile) {
  FailureOr<Activation> gradient =
      Activation::get(op, op.getGradient().getType());
  FailureOr<Activation> input = Activation::get(op, op.getInput().getType());
  if (failed(gradient) || failed(input))
    return failure();
  for (Value result : op->getResults())
    if (failed(Activation::getFlat(op, result.getType())))
      return failure();
  if (failed(verifyTile()))
    return failure();

  KernelT kernel(op, b, *gradient, *input);
  kernel.emit();
  KernelInfo info = withoutBatch(op, kernel.units());
  info.flop =
      perImage(op, 2 * gradient->tokens * gradient->width * input->width);
  return info;
}

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_PRODUCTEMITTERS_H
