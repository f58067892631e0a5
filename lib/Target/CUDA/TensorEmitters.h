//===- TensorEmitters.h - Kernels that use tensor cores ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CUDA_TENSOREMITTERS_H
#define VIT_TARGET_CUDA_TENSOREMITTERS_H

#include "../Simt/Emitters.h"

namespace mlir::vit::cuda {

// They are as the emitters of Simt/Emitters.h, for ops of which
// kernel::usesTensorCores says that they use tensor cores.

/// Emits any of these ops.
FailureOr<KernelInfo> emitTensor(Operation *op, simt::SimtBuilder &b);

/// The weight is in panels of one column: row-major, with padded channels.
FailureOr<KernelInfo> emitTensorGemm(kernel::GemmOp op, simt::SimtBuilder &b);
/// The same for the instructions of warpgroups (sm_90a).
FailureOr<KernelInfo> emitWgmmaGemm(kernel::GemmOp op, simt::SimtBuilder &b);
FailureOr<KernelInfo> emitWgmmaWeightGradient(kernel::WeightGradientOp op,
                                              simt::SimtBuilder &b);
/// Emits an attention of f16, bf16 or tf32 that does not return its
/// probabilities.
FailureOr<KernelInfo> emitTensorAttention(kernel::AttentionOp op,
                                          simt::SimtBuilder &b);
FailureOr<KernelInfo> emitWgmmaAttention(kernel::AttentionOp op,
                                         simt::SimtBuilder &b);
/// Emits a weight gradient of bf16 or tf32.
FailureOr<KernelInfo> emitTensorWeightGradient(kernel::WeightGradientOp op,
                                               simt::SimtBuilder &b);
/// Emits the backward pass of an attention of bf16 or tf32.
FailureOr<KernelInfo>
emitTensorAttentionBackward(kernel::AttentionBackwardOp op,
                            simt::SimtBuilder &b);
FailureOr<KernelInfo> emitWgmmaAttentionBackward(kernel::AttentionBackwardOp op,
                                                 simt::SimtBuilder &b);

} // namespace mlir::vit::cuda

#endif // VIT_TARGET_CUDA_TENSOREMITTERS_H
