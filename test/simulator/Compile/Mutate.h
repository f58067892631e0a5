//===- Mutate.h - Kernels with one thing broken ---===//
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

/// Leaves only `kernel` of the kernels of the NVVM dialect in `module`.
void keepOnly(mlir::ModuleOp module, llvm::StringRef kernel);

/// How many places of the kernels in `module` can be broken so: `barrier` (is
/// dropped), `shared-read`, `shared-write`, `global-write` (go 16 bytes on).
unsigned countPlaces(mlir::ModuleOp module, llvm::StringRef kind);

/// Breaks the place with this number; says which op it was.
std::string mutate(mlir::ModuleOp module, llvm::StringRef kind,
                   unsigned number);

} // namespace vit::sim

#endif // VIT_SIMULATOR_MUTATE_H
