//===- Prepare.h - Lowers kernels to the NVVM dialect -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_PREPARE_H
#define VIT_SIMULATOR_PREPARE_H

#include "NvvmToHost.h"

#include "mlir/IR/DialectRegistry.h"

namespace vit::sim {

/// Lowers `module` to kernels of the NVVM dialect for `level` of CUDA. It may
/// be a graph (lowered by --vit-to-cuda), the output of vit-emit-simt, a
/// gpu.module, or already in the NVVM dialect. Records in `options` what is
/// known of the kernels: the hash of their PTX and, from their dispatches, the
/// sizes of their arguments. Emits an error on failure.
mlir::LogicalResult prepareKernels(mlir::ModuleOp module, llvm::StringRef level,
                                   HostOptions &options);

/// Registers the dialects and extensions that it needs.
void registerPreparation(mlir::DialectRegistry &registry);

} // namespace vit::sim

#endif // VIT_SIMULATOR_PREPARE_H
