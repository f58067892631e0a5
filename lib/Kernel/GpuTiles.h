//===- GpuTiles.h - Tile sizes for a GPU level ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_GPUTILES_H
#define VIT_LIB_KERNEL_GPUTILES_H

#include "vit/Dialect/Kernel.h"

namespace mlir::vit::kernel {

/// A product's tile: a workgroup makes rows x cols, a thread threadRows x
/// threadCols, `depth` at a time.
struct GemmTile {
  int64_t rows, cols, threadRows, threadCols, depth;
  double rate; ///< speed when all processors are busy, against the best
  int64_t threads() const { return rows * cols / (threadRows * threadCols); }
};

/// A GPU level's choices.
struct GpuLevel {
  StringRef target, name;
  int64_t threads;     ///< of a workgroup that does other work than products
  int64_t processors;  ///< workgroups that a typical device runs at once
  int64_t sharedBytes; ///< workgroup memory; 0: not to be used
  ArrayRef<GemmTile> gemm;
};

/// Levels of `target`, the default one first; none for other targets.
SmallVector<GpuLevel> getGpuLevels(StringRef target);

/// The tile of work element by element: four vectors of channels per thread,
/// whatever their row.
TileAttr getElementwiseTile(MLIRContext *context, int64_t threads);

/// The tile of kernel `op` for calls with `batch` images (others stay right).
TileAttr getGpuTile(Operation *op, const GpuLevel &level, int64_t batch);

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_GPUTILES_H
