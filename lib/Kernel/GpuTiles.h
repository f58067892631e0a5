//===- GpuTiles.h - Tile sizes for a GPU level ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_KERNEL_GPUTILES_H
#define VIT_LIB_KERNEL_GPUTILES_H

#include "vit/Dialect/Kernel.h"
#include "vit/Target/Level.h"

namespace mlir::vit::kernel {

/// A product's tile: a workgroup makes rows x cols, a thread threadRows x
/// threadCols, `depth` at a time.
struct GemmTile {
  int64_t rows, cols, threadRows, threadCols, depth;
  double rate; ///< speed when all processors are busy, against the best
  int64_t threads() const { return rows * cols / (threadRows * threadCols); }
};

/// A GPU level and the tile sizes to choose from. These were measured: what is
/// a fact of the level is in its row of runtime/format/level.cpp.
struct GpuTiles {
  const Level *level;
  int64_t processors; ///< workgroups that a typical device runs at once
  ArrayRef<GemmTile> gemm;

  /// Workgroup memory that a kernel may use; 0: none.
  int64_t sharedBytes() const {
    return level->isDirect ? 0 : level->limits.sharedBytes;
  }
};

/// Nothing if the level has no tiles here.
std::optional<GpuTiles> getGpuTiles(const Level &level);

/// The tile of work element by element: four vectors of channels per thread,
/// whatever their row.
TileAttr getElementwiseTile(MLIRContext *context, int64_t threads);

/// The tile of kernel `op` for calls with `batch` images (others stay right).
TileAttr getGpuTile(Operation *op, const GpuTiles &tiles, int64_t batch);

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_GPUTILES_H
