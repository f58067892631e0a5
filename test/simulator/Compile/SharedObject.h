//===- SharedObject.h - Compiles host code to a shared object ---*- C++ -*-===//
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

/// Compiles the result of convertNvvmToHost at -O2 for x86-64-v3 and links it
/// with lld to the shared object `path`. Emits an error on failure.
mlir::LogicalResult writeSharedObject(mlir::ModuleOp host,
                                      llvm::StringRef path);

/// Registers the translations that it needs.
void registerHostTranslation(mlir::DialectRegistry &registry);

} // namespace vit::sim

#endif // VIT_SIMULATOR_SHAREDOBJECT_H
