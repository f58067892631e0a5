//===- ExpandTiles.h - Plain code for the ops of AMX ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_EXPANDTILES_H
#define VIT_TARGET_CPU_EXPANDTILES_H

#include "vit/Target/Level.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::vit::cpu {

/// Replaces each tile op (llvm.x86.tdpbf16ps, ...) in `kernels`, which is code
/// for `level`, by loops over a copy of the registers on the stack. They
/// compute the same bits. Emits an error and fails if a tile op is not known.
LogicalResult expandTileOps(ModuleOp kernels, const Level &level);

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_EXPANDTILES_H
