//===- Tile.cpp - Tile sizes for a level ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuTiles.h"
#include "KernelUtils.h"
#include "vit/Passes.h"

#include "vit/Kernel/Layout.h"
#include "vit/Kernel/TensorCores.h"

#include "llvm/ADT/STLExtras.h"

namespace mlir::vit {
#define GEN_PASS_DEF_TILE
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct TilePass : mlir::vit::impl::TileBase<TilePass> {
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult tileForCpu(func::FuncOp entry, const Level &level);
  LogicalResult tileForGpu(func::FuncOp entry, const Level &level);
};

/// The measured speed of a register tile of `rows` x 64 (avx2: four times x 16)
/// relative to the best one. Fewer rows load more weights per product and, with
/// fewer than ten accumulators, wait for the latency of the FMA. On avx512, 7
/// rows leave no register free.
struct RegisterTile {
  int64_t rows;
  double rate;
};

/// Tile sizes to choose from for a CPU level. They are measured and only this
/// pass uses them; the facts of the level are in runtime/format/Level.cpp.
struct CpuTiles {
  StringLiteral level;
  ArrayRef<RegisterTile> tiles;
  /// How much of the second-level cache the input of a product may fill.
  int64_t cacheBytes;
  /// Rows that are summed before a weight's gradient is added to: their panel
  /// of X stays in the first-level cache while dY comes from the second. About
  /// the square root of the usual number of rows, which keeps rounding errors
  /// small.
  int64_t gradientRows;
};
} // namespace

static constexpr RegisterTile kAvx512[] = {
    {6, 1.0}, {5, 0.97}, {7, 0.96}, {4, 0.93}};
/// A tile register has 16 rows, and takes as long if fewer are used.
static constexpr RegisterTile kAmx[] = {{16, 1.0}};
static constexpr RegisterTile kAvx2[] = {{6, 1.0}, {5, 0.93}, {4, 0.85}};
/// Columns of a panel; the same on all levels, so that all use the same form of
/// the weights.
static constexpr int64_t kColumns = 64;
/// Columns of a panel of X in a weight's gradient.
static constexpr int64_t kGradientColumns = 48;

/// Rows that a weight's gradient packs at a time if they are narrower than f32:
/// their panels stay in the second-level cache with the sums.
static constexpr int64_t kNarrowGradientRows = 256;

static const CpuTiles kCpuTiles[] = {{"amx", kAmx, 640 << 10, 48},
                                     {"avx512_bf16", kAvx512, 640 << 10, 48},
                                     {"avx512_vnni", kAvx512, 640 << 10, 48},
                                     {"avx512", kAvx512, 640 << 10, 48},
                                     {"avx_vnni", kAvx2, 320 << 10, 48},
                                     {"avx2", kAvx2, 320 << 10, 48}};

/// The number of rows of an activation that are padded to whole blocks
/// together, and the number of such groups.
static std::pair<int64_t, int64_t> getRows(Value value, int64_t batch) {
  RankedTensorType type = tensorOf(value);
  if (type.getRank() == 3)
    return {type.getDimSize(1), batch};
  return {batch, 1};
}

/// Multiplications of a product per row.
static int64_t getWorkPerRow(GemmOp gemm) {
  return gemm.getWeight().getType().getNumElements();
}

/// The height with the least estimated time over all products: padded rows
/// times work per row, divided by the rate.
static int64_t chooseRows(Block &block, ArrayRef<RegisterTile> tiles,
                          int64_t batch) {
  int64_t best = tiles.front().rows;
  double bestCost = -1.0;
  for (const RegisterTile &tile : tiles) {
    double cost = 0.0;
    for (auto gemm : block.getOps<GemmOp>()) {
      auto [rows, pieces] = getRows(gemm.getResult(), batch);
      cost += static_cast<double>(padTo(rows, tile.rows) * pieces) *
              static_cast<double>(getWorkPerRow(gemm)) / tile.rate;
    }
    if (bestCost < 0.0 || cost < bestCost) {
      best = tile.rows;
      bestCost = cost;
    }
  }
  return best;
}

/// The number of row blocks of a product's input that are multiplied by one
/// panel of weights before the next panel, in equal chunks: as many as the
/// cache holds, but enough to be worth loading the panel again.
static int64_t getGemmChunk(GemmOp gemm, int64_t rows, int64_t batch,
                            int64_t cacheBytes) {
  constexpr int64_t fewest = 32;
  auto [tokens, pieces] = getRows(gemm.getInput(), batch);
  int64_t blocks = llvm::divideCeil(tokens, rows) * pieces;
  RankedTensorType type = tensorOf(gemm.getInput());
  int64_t blockBytes = rows *
                       padTo(type.getShape().back(), lineChannels(type)) *
                       type.getElementTypeBitWidth() / 8;
  int64_t fitting = std::max(fewest, cacheBytes / blockBytes);
  // Rounds to the nearest number of chunks, to avoid a small one at the end.
  int64_t chunks = std::max<int64_t>(1, (blocks + fitting / 2) / fitting);
  return llvm::divideCeil(blocks, chunks);
}

/// The number of query blocks of one work unit. Larger units share the
/// preparation of keys and values, but there must be enough units to keep
/// threads balanced.
static int64_t getAttentionChunk(kernel::AttentionOp attention, int64_t rows,
                                 int64_t batch) {
  constexpr int64_t threads[] = {2, 4};
  constexpr double tolerated = 1.07;
  RankedTensorType type = tensorOf(attention.getQuery());
  int64_t blocks = llvm::divideCeil(type.getDimSize(1), rows);
  int64_t heads = static_cast<int64_t>(attention.getHeads()) * batch;
  for (int64_t parts = 1; parts < blocks; ++parts) {
    int64_t chunk = llvm::divideCeil(blocks, parts);
    int64_t units = heads * llvm::divideCeil(blocks, chunk);
    bool balanced = llvm::all_of(threads, [&](int64_t count) {
      // Compares the blocks of the slowest thread with an equal share.
      double slowest =
          static_cast<double>(llvm::divideCeil(units, count) * chunk);
      return slowest * count <= tolerated * static_cast<double>(heads * blocks);
    });
    if (balanced)
      return chunk;
  }
  return 1;
}

/// The number of row blocks that are summed before a weight's gradient is added
/// to, in equal chunks.
static int64_t getWeightGradientChunk(WeightGradientOp op, int64_t rows,
                                      int64_t batch, int64_t fittingRows) {
  auto [tokens, pieces] = getRows(op.getInput(), batch);
  int64_t blocks = llvm::divideCeil(tokens, rows) * pieces;
  int64_t fitting = std::max<int64_t>(1, fittingRows / rows);
  return llvm::divideCeil(blocks, llvm::divideCeil(blocks, fitting));
}

LogicalResult TilePass::tileForCpu(func::FuncOp entry, const Level &level) {
  const CpuTiles *found = llvm::find_if(kCpuTiles, [&](const CpuTiles &tiles) {
    return tiles.level == level.name;
  });
  if (found == std::end(kCpuTiles))
    return entry.emitError() << "level '" << level.name << "' has no tiles";
  Block &block = entry.getBody().front();
  int64_t rows = chooseRows(block, found->tiles, batch);
  rowsOfBlocks = rows;
  for (auto op : block.getOps<KernelOpInterface>()) {
    int64_t columns = kChannelPad, chunk = 1;
    if (auto gemm = dyn_cast<GemmOp>(*op)) {
      columns = kColumns;
      chunk = getGemmChunk(gemm, rows, batch, found->cacheBytes);
      auto [tokens, pieces] = getRows(gemm.getResult(), 1);
      paddedRows += padTo(tokens, rows) - tokens;
    } else if (auto attention = dyn_cast<kernel::AttentionOp>(*op)) {
      columns = kColumns;
      chunk = getAttentionChunk(attention, rows, batch);
    } else if (auto gradient = dyn_cast<WeightGradientOp>(*op)) {
      columns = kGradientColumns;
      bool isNarrow =
          !tensorOf(gradient.getGradient()).getElementType().isF32();
      chunk = getWeightGradientChunk(gradient, rows, batch,
                                     isNarrow ? kNarrowGradientRows
                                              : found->gradientRows);
    }
    op.setTileAttr(TileAttr::get(&getContext(), rows, columns, chunk,
                                 /*threads=*/0, 0, 0));
  }
  return success();
}

LogicalResult TilePass::tileForGpu(func::FuncOp entry, const Level &level) {
  std::optional<GpuTiles> tiles = getGpuTiles(level);
  if (!tiles)
    return entry.emitError() << "level '" << level.name << "' has no tiles";
  for (auto kernel : entry.getOps<KernelOpInterface>())
    kernel.setTileAttr(getGpuTile(kernel, *tiles, batch));
  for (auto gradient :
       llvm::make_early_inc_range(entry.getOps<WeightGradientOp>()))
    if (usesTensorCores(gradient, level))
      splitRows(gradient, *tiles, batch);
  return success();
}

/// Levels without products of tf32 compute them in f32, which loses nothing. On
/// the others a product that no kernel computes is an error.
static LogicalResult checkTf32(func::FuncOp entry, const Level &level) {
  bool hasProduct =
      ::vit::format::findProduct(level, ::vit::format::ElementType::TF32);
  for (auto kernel : entry.getOps<KernelOpInterface>()) {
    if (!isTf32(kernel))
      continue;
    if (!hasProduct)
      kernel->removeAttr("tf32");
    else if (!usesTensorCores(kernel, level))
      return kernel->emitOpError("has no kernel in tf32 at level ")
             << level.name
             << ", where heads have at most 128 channels, probabilities are "
                "not returned and the backward pass has at most 2048 queries; "
                "state precision f32";
  }
  return success();
}

void TilePass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (entry.isExternal())
    return;
  if (batch < 1) {
    entry.emitError() << "batch " << batch.getValue()
                      << " to tile for; it must be at "
                      << "least 1";
    return signalPassFailure();
  }
  const Level *found = getLevel(entry.getLoc(), target, level);
  if (!found || failed(checkTf32(entry, *found)) ||
      failed(found->target == ::vit::format::Target::Cpu
                 ? tileForCpu(entry, *found)
                 : tileForGpu(entry, *found)))
    signalPassFailure();
}
