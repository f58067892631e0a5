//===- TensorEmitters.cpp - Kernels that use tensor cores -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorEmitters.h"

#include "vit/Kernel/TensorCores.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;

FailureOr<KernelInfo> cuda::emitTensor(Operation *op, simt::SimtBuilder &b) {
  bool isWarpgroup =
      kernel::getMatrixUnit(op, b.level) == kernel::MatrixUnit::Warpgroup;
  return TypeSwitch<Operation *, FailureOr<KernelInfo>>(op)
      .Case([&](kernel::GemmOp gemm) {
        return isWarpgroup ? emitWgmmaGemm(gemm, b) : emitTensorGemm(gemm, b);
      })
      .Case([&](kernel::AttentionOp attention) {
        return isWarpgroup ? emitWgmmaAttention(attention, b)
                           : emitTensorAttention(attention, b);
      })
      .Case([&](kernel::WeightGradientOp gradient) {
        return isWarpgroup ? emitWgmmaWeightGradient(gradient, b)
                           : emitTensorWeightGradient(gradient, b);
      })
      .Case([&](kernel::AttentionBackwardOp backward) {
        return emitTensorAttentionBackward(backward, b);
      });
}
