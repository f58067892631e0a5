//===- LowerToNvvm.h - From GPU kernels to LLVM IR --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CUDA_LOWERTONVVM_H
#define VIT_TARGET_CUDA_LOWERTONVVM_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

namespace mlir::vit::cuda {

/// The dialects and translations that lowering and its result need.
void registerLowering(DialectRegistry &registry);

/// Replaces `kernels` by a module of the LLVM and NVVM dialects; see
/// vit-lower-to-nvvm. Emits an error on failure.
FailureOr<ModuleOp> lowerToNvvm(gpu::GPUModuleOp kernels);

/// Replaces ops that LLVM has no intrinsic for by their text in PTX.
LogicalResult expandPtx(ModuleOp module);

} // namespace mlir::vit::cuda

#endif // VIT_TARGET_CUDA_LOWERTONVVM_H
