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

/// Removes all kernels of the NVVM dialect except `kernel` from `module`, if
/// there is such a kernel.
void keepOnly(mlir::ModuleOp module, llvm::StringRef kernel);

struct MutateOptions {
  /// What `stage` adds to an address.
  int32_t stageBytes = 0;
};

/// The kinds of bugs:
/// - barrier, wait (for groups of copies or products, and for mbarriers),
///   commit, fence (of the asynchronous proxy and of wgmma), arrive (at an
///   mbarrier): the op is removed;
/// - wait-less: the wait covers one group less;
/// - expect: an mbarrier expects 16 bytes more; expect-half: half as many;
/// - cluster: a barrier of the cluster is one of each block; rank: an address
///   in another block is the own one; mask-less, mask-more: a multicast is for
///   block 0 alone, or also for block 2;
/// - parity: waits for the other phase of an mbarrier;
/// - shared-read, shared-write, global-read, global-write: 16 bytes are added
///   to the address of a load, a store, an ldmatrix, a cp.async
///   or a copy of a tensor;
/// - swizzle: an address in shared memory is that of the neighbouring 16 bytes;
/// - stage: an address in shared memory is one stage further;
/// - operand: an operand of a wgmma in shared memory, the left one if both are
///   there, is one stage further;
/// - stride: the boxes of a transposed right operand of a wgmma are 128 bytes
///   further apart;
/// - words: the left operand of a wgmma in registers is in the wrong ones;
/// - rounding: an f32 is not rounded to tf32, so that a product cuts it off;
/// - bytes: the four i8 of the first operand of a dp4a are in another order;
/// - sign: the first operand of a dp4a is four numbers without signs;
/// - factor: a product of f32 is its first factor;
/// - range: an infinity of f16 does not become a NaN.
std::string listMutations();

/// The number of places in `module` for a kind of bug, if there is such a kind.
std::optional<unsigned> countPlaces(mlir::ModuleOp module,
                                    llvm::StringRef kind);

/// Introduces the bug at place `number`; returns a description of the op.
std::string mutate(mlir::ModuleOp module, llvm::StringRef kind, unsigned number,
                   const MutateOptions &options);

} // namespace vit::sim

#endif // VIT_SIMULATOR_MUTATE_H
