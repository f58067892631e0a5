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

static FailureOr<KernelInfo> emitWarpgroup(Operation *op,
                                           simt::SimtBuilder &b) {
  return TypeSwitch<Operation *, FailureOr<KernelInfo>>(op)
      .Case([&](kernel::GemmOp op) { return cuda::emitWgmmaGemm(op, b); })
      .Case([&](kernel::AttentionOp op) {
        return cuda::emitWgmmaAttention(op, b);
      })
      .Case([&](kernel::WeightGradientOp op) {
        return cuda::emitWgmmaWeightGradient(op, b);
      })
      .Case([&](kernel::AttentionBackwardOp op) {
        return cuda::emitWgmmaAttentionBackward(op, b);
      });
}

static FailureOr<KernelInfo> emitWarp(Operation *op, simt::SimtBuilder &b) {
  return TypeSwitch<Operation *, FailureOr<KernelInfo>>(op)
      .Case([&](kernel::GemmOp op) { return cuda::emitTensorGemm(op, b); })
      .Case([&](kernel::AttentionOp op) {
        return cuda::emitTensorAttention(op, b);
      })
      .Case([&](kernel::WeightGradientOp op) {
        return cuda::emitTensorWeightGradient(op, b);
      })
      .Case([&](kernel::AttentionBackwardOp op) {
        return cuda::emitTensorAttentionBackward(op, b);
      });
}

FailureOr<KernelInfo> cuda::emitTensor(Operation *op, simt::SimtBuilder &b) {
  return kernel::getMatrixUnit(op, b.level) == kernel::MatrixUnit::Warpgroup
             ? emitWarpgroup(op, b)
             : emitWarp(op, b);
}
