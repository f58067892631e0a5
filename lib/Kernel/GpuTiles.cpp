//===- GpuTiles.cpp - Tile sizes for a GPU level --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuTiles.h"

#include "KernelUtils.h"
#include "vit/Kernel/Layout.h"

using namespace mlir;
using namespace mlir::vit::kernel;

// Vulkan's guaranteed minimum is 128 threads and 16 KiB of workgroup memory;
// `direct` is for devices that are CPUs, where that memory is like any other
// and each thread keeps its tile in registers.
static constexpr GemmTile kDirect[] = {{32, 64, 8, 4, 1, 1.0}};
static constexpr GemmTile kTiled[] = {
    {64, 64, 8, 4, 16, 1.0}, {32, 64, 4, 4, 16, 0.8}, {16, 64, 2, 4, 16, 0.5}};
static constexpr GemmTile kTiled256[] = {{128, 128, 8, 8, 16, 1.0},
                                         {64, 128, 8, 4, 16, 0.9},
                                         {64, 64, 4, 4, 16, 0.75},
                                         {32, 64, 2, 4, 16, 0.5}};

SmallVector<GpuLevel> vit::kernel::getGpuLevels(StringRef target) {
  if (target == "vulkan")
    return {{target, "tiled", 128, 32, true, kTiled},
            {target, "tiled_256", 256, 64, true, kTiled256},
            {target, "direct", 64, 2, false, kDirect}};
  if (target == "cuda")
    return {{target, "sm_80", 256, 132, true, kTiled256}};
  return {};
}

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t getWidth(Value value, int64_t group) {
  return paddedChannels(
      cast<RankedTensorType>(value.getType()).getShape().back(), group);
}

/// The tile with the least time: workgroups, one per processor at once, by what
/// each takes.
static GemmTile chooseGemmTile(GemmOp gemm, const GpuLevel &level,
                               int64_t batch) {
  auto type = cast<RankedTensorType>(gemm.getResult().getType());
  int64_t rows = batch * (type.getRank() == 3 ? type.getDimSize(1) : 1);
  int64_t columns = padTo(type.getShape().back(), kLanes);
  GemmTile best = level.gemm.front();
  double bestTime = -1.0;
  for (const GemmTile &tile : level.gemm) {
    int64_t units = ceilDiv(rows, tile.rows) * ceilDiv(columns, tile.cols);
    double time = static_cast<double>(ceilDiv(units, level.processors) *
                                      tile.rows * tile.cols) /
                  tile.rate;
    if (bestTime < 0.0 || time < bestTime) {
      best = tile;
      bestTime = time;
    }
  }
  return best;
}

TileAttr vit::kernel::getGpuTile(Operation *op, const GpuLevel &level,
                                 int64_t batch) {
  MLIRContext *context = op->getContext();
  if (auto gemm = dyn_cast<GemmOp>(op)) {
    GemmTile tile = chooseGemmTile(gemm, level, batch);
    return TileAttr::get(context, tile.rows, tile.cols, tile.depth,
                         tile.threads(), tile.threadRows, tile.threadCols);
  }
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    int64_t width = padTo(attention.getHeadDim(), kLanes);
    if (!level.staged)
      return TileAttr::get(context, level.threads, width, 1, level.threads, 1,
                           width);
    // Four threads share a query.
    return TileAttr::get(context, level.threads / 4, width, 16, level.threads,
                         1, ceilDiv(width, 4));
  }
  // Rows are whole: by one thread each, or by a workgroup each.
  if (isa<RowsOp>(op)) {
    int64_t width = getWidth(op->getResult(0), 0);
    if (!level.staged)
      return TileAttr::get(context, level.threads, width, 1, level.threads, 1,
                           width);
    return TileAttr::get(context, 1, width, 1, level.threads, 1,
                         padTo(ceilDiv(width, level.threads), 4));
  }
  // Work element by element: four channels per thread, whatever the row.
  return TileAttr::get(context, 1, 4 * level.threads, 1, level.threads, 1, 4);
}
