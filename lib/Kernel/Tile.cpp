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

/// What a register tile of `rows` x 64 (avx2: x 16, four times) reaches, as a
/// share of the best one. Fewer rows load more weights per product and, below
/// ten accumulators, wait for them; avx512's 7 rows leave no register free.
struct RegisterTile {
  int64_t rows;
  double rate;
};

/// A CPU level's choices, the bytes of its second-level cache that a product's
/// input may fill, and the rows of a weight's gradient whose panel of X stays
/// in the first-level cache while dY comes from the second; about the root of
/// the usual number of rows, so that the sums of rows and the sums of these
/// sums round off the least. These were measured: what is a fact of the level
/// is in its row of runtime/format/level.cpp.
struct CpuTiles {
  StringLiteral level;
  ArrayRef<RegisterTile> tiles;
  int64_t cacheBytes;
  int64_t gradientRows;
};
} // namespace

static constexpr RegisterTile kAvx512[] = {
    {6, 1.0}, {5, 0.97}, {7, 0.96}, {4, 0.93}};
static constexpr RegisterTile kAvx2[] = {{6, 1.0}, {5, 0.93}, {4, 0.85}};
/// Columns of a panel; the same on all levels, so that one form of the weights
/// serves them all.
static constexpr int64_t kColumns = 64;
/// Columns of a panel of X in a weight's gradient.
static constexpr int64_t kGradientColumns = 48;

static const CpuTiles kCpuTiles[] = {{"avx512", kAvx512, 640 << 10, 48},
                                     {"avx2", kAvx2, 320 << 10, 48}};

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Rows of an activation that are padded to whole blocks together, and how
/// many such pieces there are.
static std::pair<int64_t, int64_t> getRows(Value value, int64_t batch) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() == 3)
    return {type.getDimSize(1), batch};
  return {batch, 1};
}

/// Multiplications of a product per row.
static int64_t getWorkPerRow(GemmOp gemm) {
  return gemm.getWeight().getType().getNumElements();
}

/// The height with the least time over all products: rows with their padding,
/// times work, by rate.
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

/// Row blocks of a product's input that pass under one panel of weights, in
/// equal chunks: as many as the cache holds, but no fewer than make up for
/// fetching the panel anew.
static int64_t getGemmChunk(GemmOp gemm, int64_t rows, int64_t batch,
                            int64_t cacheBytes) {
  constexpr int64_t fewest = 32;
  auto [tokens, pieces] = getRows(gemm.getInput(), batch);
  int64_t blocks = ceilDiv(tokens, rows) * pieces;
  auto type = cast<RankedTensorType>(gemm.getInput().getType());
  int64_t blockBytes = rows * padTo(type.getShape().back(), kLanes) * 4;
  int64_t fitting = std::max(fewest, cacheBytes / blockBytes);
  // One chunk may be a little larger rather than leave a small one behind.
  int64_t chunks = std::max<int64_t>(1, (blocks + fitting / 2) / fitting);
  return ceilDiv(blocks, chunks);
}

/// Query blocks of one work unit. Larger ones share the preparation of keys
/// and values; there must be enough that threads finish together.
static int64_t getAttentionChunk(kernel::AttentionOp attention, int64_t rows,
                                 int64_t batch) {
  constexpr int64_t threads[] = {2, 4};
  constexpr double tolerated = 1.07;
  auto type = cast<RankedTensorType>(attention.getQuery().getType());
  int64_t blocks = ceilDiv(type.getDimSize(1), rows);
  int64_t heads = static_cast<int64_t>(attention.getHeads()) * batch;
  for (int64_t parts = 1; parts < blocks; ++parts) {
    int64_t chunk = ceilDiv(blocks, parts);
    int64_t units = heads * ceilDiv(blocks, chunk);
    bool balanced = llvm::all_of(threads, [&](int64_t count) {
      // The slowest thread's blocks against an equal share of them.
      double slowest = static_cast<double>(ceilDiv(units, count) * chunk);
      return slowest * count <= tolerated * static_cast<double>(heads * blocks);
    });
    if (balanced)
      return chunk;
  }
  return 1;
}

/// Row blocks that are summed before a weight's gradient is added to, in equal
/// chunks.
static int64_t getWeightGradientChunk(WeightGradientOp op, int64_t rows,
                                      int64_t batch, int64_t fittingRows) {
  auto [tokens, pieces] = getRows(op.getInput(), batch);
  int64_t blocks = ceilDiv(tokens, rows) * pieces;
  int64_t fitting = std::max<int64_t>(1, fittingRows / rows);
  return ceilDiv(blocks, ceilDiv(blocks, fitting));
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
  for (Operation &op : block) {
    if (!isKernel(&op))
      continue;
    int64_t columns = kLanes, chunk = 1;
    if (auto gemm = dyn_cast<GemmOp>(op)) {
      columns = kColumns;
      chunk = getGemmChunk(gemm, rows, batch, found->cacheBytes);
      auto [tokens, pieces] = getRows(gemm.getResult(), 1);
      paddedRows += padTo(tokens, rows) - tokens;
    } else if (auto attention = dyn_cast<kernel::AttentionOp>(op)) {
      columns = kColumns;
      chunk = getAttentionChunk(attention, rows, batch);
    } else if (auto gradient = dyn_cast<WeightGradientOp>(op)) {
      columns = kGradientColumns;
      chunk =
          getWeightGradientChunk(gradient, rows, batch, found->gradientRows);
    }
    op.setAttr("tile", TileAttr::get(&getContext(), rows, columns, chunk,
                                     /*threads=*/0, 0, 0));
  }
  return success();
}

LogicalResult TilePass::tileForGpu(func::FuncOp entry, const Level &level) {
  std::optional<GpuTiles> tiles = getGpuTiles(level);
  if (!tiles)
    return entry.emitError() << "level '" << level.name << "' has no tiles";
  for (Operation &op : entry.getBody().front())
    if (isKernel(&op))
      op.setAttr("tile", getGpuTile(&op, *tiles, batch));
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
  if (!found || failed(found->target == ::vit::format::Target::Cpu
                           ? tileForCpu(entry, *found)
                           : tileForGpu(entry, *found)))
    signalPassFailure();
}
