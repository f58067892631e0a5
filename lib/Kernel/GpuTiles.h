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

/// The tile of a product: a workgroup computes rows x cols and a thread
/// threadRows x threadCols elements, in steps of `depth`.
struct GemmTile {
  int64_t rows, cols, threadRows, threadCols, depth;
  double rate;         ///< speed when all processors are busy, against the best
  int64_t copiers = 0; ///< threads that only copy operands
  /// The rate of a product by clusters of two workgroups that share an operand;
  /// 0: none are used.
  double clusterRate = 0;
  int64_t threads() const {
    return rows * cols / (threadRows * threadCols) + copiers;
  }
};

/// Tile sizes to choose from for a GPU level. They are measured and only this
/// pass uses them; the facts of the level are in runtime/format/Level.cpp.
struct GpuTiles {
  const Level *level;
  int64_t processors; ///< workgroups that a typical device runs at once
  ArrayRef<GemmTile> gemm;
  ArrayRef<GemmTile> dot = {};       ///< by dot products of four i8
  ArrayRef<GemmTile> tensor = {};    ///< of products by instructions of warps
  ArrayRef<GemmTile> warpgroup = {}; ///< by instructions of warpgroups

  /// Workgroup memory that a kernel may use; 0: none.
  int64_t sharedBytes() const {
    return level->isDirect ? 0 : level->limits.sharedBytes;
  }
};

/// The tiles of a level; nothing if there are none yet.
std::optional<GpuTiles> getGpuTiles(const Level &level);

/// The tile of elementwise work: four vectors of channels per thread,
/// regardless of rows.
TileAttr getElementwiseTile(MLIRContext *context, int64_t threads);

/// The tile of kernels that passes add to those with `tile`: on the CPU with
/// the height of their row blocks, on a GPU that of elementwise work.
TileAttr getAddedTile(TileAttr tile);

/// The tile of `kernel`, chosen for calls with `batch` images; any batch works.
/// Also sets the workgroups that share an operand of a product (Cluster.h).
TileAttr getGpuTile(KernelOpInterface kernel, const GpuTiles &tiles,
                    int64_t batch);

/// The tile of a backward pass of attention by cooperative matrices; nothing if
/// its operands and the statistics of its queries do not fit in the workgroup
/// memory of `level`.
std::optional<TileAttr> getMatrixBackwardTile(AttentionBackwardOp op,
                                              const Level &level);

/// Computes `op`, which has a tile, in parts of the rows of `batch` images
/// whose sum is the result, if its tiles leave processors idle.
void splitRows(WeightGradientOp op, const GpuTiles &tiles, int64_t batch);

} // namespace mlir::vit::kernel

#endif // VIT_LIB_KERNEL_GPUTILES_H
