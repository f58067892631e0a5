//===- Quantize.cpp - Rows as multiples of their scales -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::QuantizeOp op,
                                            SimtBuilder &) {
  return op.emitOpError("has no code on GPUs; compile for them in f32");
}
