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

struct MutateOptions {
  /// What `stage` adds to an address.
  int32_t stageBytes = 0;
};

/// The kinds of bugs:
/// - barrier, wait (cp.async.wait.group), commit: the op is removed;
/// - wait-less: the wait covers one group less;
/// - shared-read, shared-write, global-read, global-write: 16 bytes are added
///   to the address of a load, a store, an ldmatrix or a cp.async;
/// - swizzle: an address in shared memory is that of the neighbouring 16 bytes;
/// - stage: an address in shared memory is one stage further.
std::string listMutations();

/// The number of places in `module` for a kind of bug, if there is such a kind.
std::optional<unsigned> countPlaces(mlir::ModuleOp module,
                                    llvm::StringRef kind);

/// Introduces the bug at place `number`; returns a description of the op.
std::string mutate(mlir::ModuleOp module, llvm::StringRef kind, unsigned number,
                   const MutateOptions &options);

} // namespace vit::sim

#endif // VIT_SIMULATOR_MUTATE_H
