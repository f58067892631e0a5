//===- SharedObject.h - Host code of the kernels ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_SHAREDOBJECT_H
#define VIT_SIMULATOR_SHAREDOBJECT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

namespace vit::sim {

/// Compiles what convertNvvmToHost made (LLVM dialect) at -O2 for x86-64-v3
/// and links it with lld into the shared object `path`. Emits an error.
mlir::LogicalResult writeSharedObject(mlir::ModuleOp host,
                                      llvm::StringRef path);

/// What it needs of a registry.
void registerHostTranslation(mlir::DialectRegistry &registry);

} // namespace vit::sim

#endif // VIT_SIMULATOR_SHAREDOBJECT_H
