//===- GpuTiles.cpp - Tile sizes for a GPU level --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuTiles.h"

#include "KernelUtils.h"
#include "vit/Kernel/Cluster.h"
#include "vit/Kernel/Layout.h"
#include "vit/Kernel/TensorCores.h"

using namespace mlir;
using namespace mlir::vit::kernel;
using mlir::vit::tensorOf;

// On `direct` levels each thread computes a tile of its own in registers, and a
// workgroup has eight threads, the lanes of a vector register.
static constexpr GemmTile kDirect[] = {
    {16, 64, 16, 8, 1, 1.0}, {8, 64, 8, 8, 1, 0.8}, {1, 64, 1, 8, 1, 0.2}};
/// Half the rows: drivers expand dot products to several instructions, so that
/// the code is as long.
static constexpr GemmTile kDirectDot[] = {
    {8, 64, 8, 8, 1, 1.0}, {4, 64, 4, 8, 1, 0.8}, {1, 64, 1, 8, 1, 0.2}};
static constexpr GemmTile kTiled[] = {
    {64, 64, 8, 4, 16, 1.0}, {32, 64, 4, 4, 16, 0.8}, {16, 64, 2, 4, 16, 0.5}};
static constexpr GemmTile kTiled256[] = {{128, 128, 8, 8, 16, 1.0},
                                         {64, 64, 8, 4, 16, 0.85},
                                         {32, 64, 4, 4, 16, 0.65},
                                         {16, 64, 2, 4, 16, 0.4}};

/// The depth is 16 where the operands have no multiple of 32. The rates are
/// those of f32; they are not measured.
static constexpr GemmTile kTiledDot[] = {{128, 128, 8, 8, 32, 1.0},
                                         {64, 64, 8, 4, 32, 0.85},
                                         {32, 64, 4, 4, 32, 0.65},
                                         {16, 64, 2, 4, 32, 0.4}};

/// With tensor cores a warp has 8 * threadRows x 4 * threadCols sums. The rates
/// are those of the accesses to workgroup memory, whose bandwidth is the limit;
/// they are not measured.
static constexpr GemmTile kTensor[] = {{128, 128, 8, 16, 32, 1.0},
                                       {128, 64, 8, 8, 32, 0.8},
                                       {64, 64, 4, 8, 32, 0.6},
                                       {32, 64, 2, 8, 32, 0.35}};

/// Elements of tf32 take twice the bytes of f16 and bf16: half as many steps at
/// a time take the same workgroup memory.
static int64_t getTensorDepth(Operation *op, const GemmTile &tile) {
  return isTf32(op) ? tile.depth / 2 : tile.depth;
}

/// A warpgroup has 64 rows of all columns, a thread two rows of a quarter of
/// them; another warpgroup copies. The rates are those at which the operands
/// arrive, as far as they limit the products; they are not measured. In a
/// cluster of two a workgroup copies half of the columns' operand from the L2
/// cache: of both a third less in tiles of 128 x 256, which gained 3 % in a
/// published series of kernels on an H100 (777 to 799 TFLOP/s, README of
/// github.com/pranjalssh/fast.cu), a sixth to a third less in the others, which
/// wait for operands more.
static constexpr GemmTile kWarpgroup[] = {
    {128, 256, 2, 64, 64, 1.0, 128, 1.03},
    {128, 192, 2, 48, 64, 0.95, 128, 0.98},
    {128, 128, 2, 32, 64, 0.85, 128, 0.9},
    {128, 64, 2, 16, 64, 0.6, 128, 0.63},
    {64, 128, 2, 32, 64, 0.55, 128, 0.6},
    {64, 64, 2, 16, 64, 0.4, 128, 0.43}};

/// The same for cooperative matrices, with subgroups in place of warps: one of
/// 16 invocations has 4 * threadRows rows.
static constexpr GemmTile kMatrix[] = {{128, 128, 8, 8, 32, 1.0},
                                       {64, 64, 4, 8, 32, 0.7},
                                       {32, 64, 2, 8, 32, 0.4}};

std::optional<GpuTiles> mlir::vit::kernel::getGpuTiles(const Level &level) {
  StringRef name = level.name;
  if (name == "tiled")
    return GpuTiles{&level, 32, kTiled};
  for (const ::vit::format::MatrixKind &kind : ::vit::format::allMatrixKinds())
    if (level.features.has(kind.feature))
      return GpuTiles{&level, 64, kTiled256, kTiledDot, kMatrix};
  if (name == "tiled_256" || name == "tiled_256_dot")
    return GpuTiles{&level, 64, kTiled256, kTiledDot};
  if (name == "direct" || name == "direct_dot")
    return GpuTiles{&level, 2, kDirect, kDirectDot};
  if (name == "sm_80")
    return GpuTiles{&level, 132, kTiled256, kTiledDot, kTensor};
  if (name == "sm_90a")
    return GpuTiles{&level, 132, kTiled256, kTiledDot, kTensor, kWarpgroup};
  return std::nullopt;
}

/// Threads of a workgroup on `direct` levels.
static constexpr int64_t kDirectThreads = 8;

static int64_t getWidth(Value value, int64_t group) {
  return paddedChannels(tensorOf(value).getShape().back(), group);
}

namespace {
struct Choice {
  GemmTile tile;
  int64_t cluster; ///< workgroups that share an operand
};
} // namespace

/// The tile with the least estimated time for a product of rows x columns, if
/// each processor runs one workgroup at a time. The rows of a thread are a
/// multiple of `threadRows`. Clusters, which take pairs of rows of tiles, are
/// considered if all processors have a tile: what a few of them copy is no
/// limit.
static Choice chooseGemmTile(int64_t rows, int64_t columns,
                             const GpuTiles &tiles, ArrayRef<GemmTile> choices,
                             int64_t threadRows, bool mayCluster) {
  Choice best = {choices.front(), 1};
  double bestTime = -1.0;
  auto consider = [&](const GemmTile &tile, int64_t cluster, double rate) {
    int64_t units = cluster * llvm::divideCeil(rows, cluster * tile.rows) *
                    llvm::divideCeil(columns, tile.cols);
    if (cluster > 1 && units < tiles.processors)
      return;
    double time =
        static_cast<double>(llvm::divideCeil(units, tiles.processors) *
                            tile.rows * tile.cols) /
        rate;
    if (bestTime < 0.0 || time < bestTime) {
      best = {tile, cluster};
      bestTime = time;
    }
  };
  for (const GemmTile &tile : choices) {
    if (tile.threadRows % threadRows != 0)
      continue;
    consider(tile, 1, tile.rate);
    if (mayCluster && tile.clusterRate > 0.0)
      consider(tile, 2, tile.clusterRate);
  }
  return best;
}

static ArrayRef<GemmTile> getChoices(Operation *product,
                                     const GpuTiles &tiles) {
  switch (getMatrixUnit(product, *tiles.level)) {
  case MatrixUnit::None:
    return usesDotProducts(product, *tiles.level) ? tiles.dot : tiles.gemm;
  case MatrixUnit::Warp:
  case MatrixUnit::Subgroup:
    return tiles.tensor;
  case MatrixUnit::Warpgroup:
    return tiles.warpgroup;
  }
  llvm_unreachable("no such unit");
}

static TileAttr getTile(MLIRContext *context, const Choice &choice,
                        int64_t depth) {
  const GemmTile &tile = choice.tile;
  return TileAttr::get(context, tile.rows, tile.cols, depth, tile.threads(),
                       tile.threadRows, tile.threadCols);
}

static TileAttr getGemmTile(GemmOp gemm, const GpuTiles &tiles, int64_t batch) {
  RankedTensorType type = tensorOf(gemm.getResult());
  int64_t rows = batch * (type.getRank() == 3 ? type.getDimSize(1) : 1);
  Choice tile = chooseGemmTile(rows, padTo(type.getShape().back(), kChannelPad),
                               tiles, getChoices(gemm, tiles), /*threadRows=*/1,
                               /*mayCluster=*/true);
  int64_t depth = getTensorDepth(gemm, tile.tile);
  // Padded, a multiple of 32 is one, too.
  if (usesDotProducts(gemm, *tiles.level) && depth > 1 &&
      tensorOf(gemm.getInput()).getShape().back() % depth != 0)
    depth = kChannelPad;
  setCluster(gemm, tile.cluster);
  return getTile(gemm.getContext(), tile, depth);
}

/// The tile of a product over all rows of the batch, `chunk` of them at a time.
/// Both operands are read in vectors of 4 channels.
static TileAttr getWeightGradientTile(WeightGradientOp op,
                                      const GpuTiles &tiles) {
  RankedTensorType type = tensorOf(op.getResult());
  bool isTensor = usesTensorCores(op, *tiles.level);
  Choice tile =
      chooseGemmTile(type.getDimSize(0), padTo(type.getDimSize(1), kChannelPad),
                     tiles, getChoices(op, tiles),
                     /*threadRows=*/isTensor ? 1 : 4, /*mayCluster=*/false);
  int64_t depth = isTensor                ? getTensorDepth(op, tile.tile)
                  : tiles.level->isDirect ? 1
                                          : 16;
  return getTile(op.getContext(), tile, depth);
}

/// Bytes of workgroup memory that attention uses: queries, a block of keys or
/// values, scores, their exponentials and sums.
static int64_t getSharedBytes(int64_t rows, int64_t keys, int64_t width) {
  return 4 * (rows * width + keys * (width + 4) + rows * (keys + 1) +
              rows * keys + 4 * rows);
}

static TileAttr getSimtAttentionTile(AttentionOp attention,
                                     const GpuTiles &tiles) {
  MLIRContext *context = attention.getContext();
  int64_t width = padTo(attention.getHeadDim(), kChannelPad);
  constexpr std::pair<int64_t, int64_t> sizes[] = {
      {32, 32}, {16, 32}, {32, 16}, {16, 16}};
  for (auto [rows, keys] : sizes)
    if (4 * rows <= tiles.level->threads &&
        getSharedBytes(rows, keys, width) <= tiles.sharedBytes())
      return TileAttr::get(context, rows, width, keys, 4 * rows, 1, width / 4);
  // Without workgroup memory each thread has a few queries, the number with the
  // least estimated time including padding, and as many channels as fit in its
  // registers.
  constexpr int64_t threads = kDirectThreads;
  int64_t queries = tensorOf(attention.getQuery()).getDimSize(1);
  int64_t best = 1;
  double bestTime = -1.0;
  for (int64_t rows = 1; rows <= (tiles.level->isDirect ? 5 : 1); ++rows) {
    // Loading a key and a value takes as long as using them for 7 queries.
    double time =
        static_cast<double>(llvm::divideCeil(queries, threads * rows)) *
        static_cast<double>(rows + 7);
    if (bestTime < 0.0 || time < bestTime) {
      best = rows;
      bestTime = time;
    }
  }
  // Half a head needs half the registers and much less compile time in the
  // driver, but computes the scores twice.
  int64_t part = width;
  while (part % (2 * kChannelPad) == 0 &&
         (part > 64 || (part == width && part > 48)))
    part /= 2;
  return TileAttr::get(context, threads * best, part, 1, threads, best, part);
}

/// The tile of an attention or its backward pass, with `keys` tokens at a time,
/// that uses tensor cores: a warp has 16 rows. Operands of tf32 take twice the
/// workgroup memory, and the queries of attention twice the registers, so that
/// wide heads have smaller blocks, and all have in the backward pass: ptxas
/// spills registers of larger ones on sm_100.
static TileAttr getTensorTile(Operation *op, int64_t headDim, int64_t keys) {
  constexpr int64_t wide = 64;
  int64_t width = padTo(headDim, kChannelPad), rows = 64;
  bool isBackward = isa<AttentionBackwardOp>(op);
  if (isTf32(op) && (isBackward || width > wide))
    keys /= 2;
  if (isTf32(op) && isBackward && width > wide)
    rows /= 2;
  return TileAttr::get(op->getContext(), rows, width, keys,
                       /*threads=*/2 * rows, /*thread_rows=*/2, width / 4);
}

/// Tokens of a block, at most `most`, for passes over as many as each of
/// `passes` has: all blocks are of as many. What a block costs besides is that
/// of 32 tokens, which is not measured.
static int64_t chooseBlock(ArrayRef<int64_t> passes, int64_t most) {
  int64_t best = 0, bestTime = 0;
  for (int64_t block = 16; block <= most; block += 16) {
    int64_t time = 0;
    for (int64_t tokens : passes)
      time += llvm::divideCeil(tokens, block) * (block + 32);
    if (best == 0 || time <= bestTime) {
      best = block;
      bestTime = time;
    }
  }
  return best;
}

/// The tile of an attention by instructions of warpgroups: two of them have 64
/// queries each, or one if that is all; another one copies. The scores of a
/// block of keys, their biases and exponentials, and the sums of the values fit
/// in registers.
static TileAttr getWarpgroupTile(AttentionOp attention) {
  int64_t queries = tensorOf(attention.getQuery()).getDimSize(1);
  int64_t keys = tensorOf(attention.getKey()).getDimSize(1);
  int64_t width = padTo(attention.getHeadDim(), kChannelPad);
  int64_t groups = queries > 64 ? 2 : 1;
  int64_t block = chooseBlock(keys, attention.getBias() ? 64
                                    : width > 112       ? 96
                                                        : 128);
  return TileAttr::get(
      attention.getContext(), /*rows=*/64 * groups, width, block,
      /*threads=*/128 * (groups + 1), /*thread_rows=*/2, width / 4);
}

/// The same for its backward pass: two warpgroups have 64 queries, then keys,
/// each. In registers are the sums of two gradients, the scores and dp of a
/// block of the others, and what these are rounded to: of larger blocks ptxas
/// spills some.
static TileAttr getWarpgroupTile(AttentionBackwardOp op) {
  int64_t queries = tensorOf(op.getQuery()).getDimSize(1);
  int64_t keys = tensorOf(op.getKey()).getDimSize(1);
  int64_t width = padTo(op.getHeadDim(), kChannelPad);
  int64_t groups = std::max(queries, keys) > 64 ? 2 : 1;
  bool hasBias = op.getBias() != nullptr;
  int64_t most = width > (hasBias ? 64 : 96) ? 32
                 : width > 64                ? 48
                 : hasBias                   ? 64
                                             : 80;
  return TileAttr::get(op.getContext(), /*rows=*/64 * groups, width,
                       chooseBlock({queries, keys}, most),
                       /*threads=*/128 * (groups + 1), /*thread_rows=*/2,
                       width / 4);
}

/// The tile of an attention that uses cooperative matrices, which keeps the
/// operands of bf16, with gaps between their rows, and a block of products in
/// workgroup memory.
static TileAttr getMatrixTile(MLIRContext *context, int64_t headDim,
                              const GpuTiles &tiles) {
  int64_t width = padTo(headDim, kChannelPad), keys = 32, rows = 32;
  int64_t bytes = 2 * (rows + keys) * (width + 8) + 2 * rows * (keys + 8) +
                  4 * rows * (std::max(width, keys) + 4) + 4 * 4 * rows;
  if (bytes > tiles.sharedBytes())
    rows = 16;
  return TileAttr::get(context, rows, width, keys, 4 * rows, 1, width / 4);
}

std::optional<TileAttr>
mlir::vit::kernel::getMatrixBackwardTile(AttentionBackwardOp op,
                                         const Level &level) {
  int64_t width = padTo(op.getHeadDim(), kChannelPad);
  int64_t queries = tensorOf(op.getQuery()).getDimSize(1);
  constexpr std::pair<int64_t, int64_t> sizes[] = {
      {32, 32}, {32, 16}, {16, 16}};
  for (auto [rows, chunk] : sizes) {
    // Two operands of the block and of a step of the pass, in bf16 with gaps;
    // their products in f32, and the factors made of them; the statistics of
    // all queries; an f32 per thread for reductions.
    int64_t bytes = 2 * 2 * (rows + chunk) * (width + 8) +
                    2 * 4 * rows * (chunk + 4) + 2 * 2 * rows * (chunk + 8) +
                    3 * 4 * padTo(queries, rows) + 4 * 4 * rows;
    if (bytes <= level.limits.sharedBytes)
      return TileAttr::get(op.getContext(), rows, width, chunk,
                           /*threads=*/4 * rows, /*thread_rows=*/1, width / 4);
  }
  return std::nullopt;
}

static TileAttr getAttentionTile(AttentionOp attention, const GpuTiles &tiles) {
  switch (getMatrixUnit(attention, *tiles.level)) {
  case MatrixUnit::None:
    return getSimtAttentionTile(attention, tiles);
  case MatrixUnit::Warp:
    return getTensorTile(attention, attention.getHeadDim(), /*keys=*/64);
  case MatrixUnit::Warpgroup:
    return getWarpgroupTile(attention);
  case MatrixUnit::Subgroup:
    return getMatrixTile(attention.getContext(), attention.getHeadDim(), tiles);
  }
  llvm_unreachable("no such unit");
}

/// One head of one image per workgroup, or per thread without workgroup memory.
static TileAttr getSimtAttentionBackwardTile(AttentionBackwardOp op,
                                             const GpuTiles &tiles) {
  int64_t width = padTo(op.getHeadDim(), kChannelPad);
  int64_t threads =
      tiles.level->isDirect ? kDirectThreads : tiles.level->threads;
  return TileAttr::get(op.getContext(), threads, width, /*chunk=*/1, threads,
                       /*thread_rows=*/1, width);
}

static TileAttr getAttentionBackwardTile(AttentionBackwardOp op,
                                         const GpuTiles &tiles) {
  switch (getMatrixUnit(op, *tiles.level)) {
  case MatrixUnit::None:
    return getSimtAttentionBackwardTile(op, tiles);
  case MatrixUnit::Warp:
    return getTensorTile(op, op.getHeadDim(), /*keys=*/32);
  case MatrixUnit::Warpgroup:
    return getWarpgroupTile(op);
  case MatrixUnit::Subgroup:
    return *getMatrixBackwardTile(op, *tiles.level);
  }
  llvm_unreachable("no such unit");
}

TileAttr mlir::vit::kernel::getElementwiseTile(MLIRContext *context,
                                               int64_t threads) {
  return TileAttr::get(context, 1, 16 * threads, 1, threads, 1, 16);
}

TileAttr mlir::vit::kernel::getAddedTile(TileAttr tile) {
  if (tile.isGpu())
    return getElementwiseTile(tile.getContext(), tile.getThreads());
  return TileAttr::get(tile.getContext(), tile.getRows(), kChannelPad,
                       /*chunk=*/1, 0, 0, 0);
}

TileAttr mlir::vit::kernel::getGpuTile(KernelOpInterface kernel,
                                       const GpuTiles &tiles, int64_t batch) {
  Operation *op = kernel;
  MLIRContext *context = op->getContext();
  bool isDirect = tiles.level->isDirect;
  int64_t threads = tiles.level->threads;
  if (auto gemm = dyn_cast<GemmOp>(op))
    return getGemmTile(gemm, tiles, batch);
  if (auto gradient = dyn_cast<WeightGradientOp>(op))
    return getWeightGradientTile(gradient, tiles);
  if (auto attention = dyn_cast<AttentionOp>(op))
    return getAttentionTile(attention, tiles);
  if (auto attention = dyn_cast<AttentionBackwardOp>(op))
    return getAttentionBackwardTile(attention, tiles);
  switch (kernel.getWorkUnit()) {
  case WorkUnit::Tile:
  case WorkUnit::Elements:
    return getElementwiseTile(context, threads);
  case WorkUnit::Image: { // one image per workgroup, or per thread
    int64_t width = getWidth(op->getResult(0), 0);
    return TileAttr::get(context, 1, width, 1,
                         isDirect ? kDirectThreads : threads, 1, width);
  }
  case WorkUnit::Batch: // one workgroup, or thread, for the whole batch
    return getElementwiseTile(context, isDirect ? 1 : threads);
  case WorkUnit::Rows: { // one row per thread, or per workgroup
    int64_t width = getWidth(op->getResult(0), 0);
    if (isDirect)
      return TileAttr::get(context, threads, width, 1, threads, 1, width);
    return TileAttr::get(context, 1, width, 1, threads, 1,
                         padTo(llvm::divideCeil(width, threads), 4));
  }
  }
  llvm_unreachable("no such unit of work");
}
