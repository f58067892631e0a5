//===- Prepare.h - From a model or its kernels to the NVVM dialect ---===//
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

/// Brings `module` to kernels of the NVVM dialect, from wherever it is: a
/// graph (lowered by --vit-to-cuda), what vit-emit-simt left, a gpu.module
/// alone, or the NVVM dialect itself. On the way notes in `options` what is
/// known of the kernels: the PTX that the compiler makes of them and, from
/// their dispatches, the size of their arguments. Emits an error.
mlir::LogicalResult prepareKernels(mlir::ModuleOp module, HostOptions &options);

/// What it needs of a registry.
void registerPreparation(mlir::DialectRegistry &registry);

} // namespace vit::sim

#endif // VIT_SIMULATOR_PREPARE_H
