//===- Mutate.h - Introduces single bugs into kernels -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_MUTATE_H
#define VIT_SIMULATOR_MUTATE_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace vit::sim {

/// Removes all kernels of the NVVM dialect except `kernel` from `module`.
void keepOnly(mlir::ModuleOp module, llvm::StringRef kernel);

/// The number of places in `module` for a kind of bug: `barrier` (removed),
/// `shared-read`, `shared-write`, `global-write` (16 bytes added).
unsigned countPlaces(mlir::ModuleOp module, llvm::StringRef kind);

/// Introduces the bug at place `number`; returns a description of the op.
std::string mutate(mlir::ModuleOp module, llvm::StringRef kind,
                   unsigned number);

} // namespace vit::sim

#endif // VIT_SIMULATOR_MUTATE_H
