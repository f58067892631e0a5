//===- SplitRows.cpp - Weight gradients in parts of the rows --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The work units of a weight gradient are tiles of the weight. Where these are
// fewer than the processors of a GPU, the rows of the batch are split into
// parts, each with a gradient of its own, and another kernel adds these in
// order. The number of parts does not depend on the batch of a call, so the
// sums are the same in every run.
//
//===----------------------------------------------------------------------===//

#include "GpuTiles.h"

#include "vit/Kernel/Layout.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

/// Rows of a part for which adding the parts takes little of the time.
static constexpr int64_t kLeastRows = 512;
static constexpr int64_t kMostParts = 16;

static int64_t getParts(WeightGradientOp op, const GpuTiles &tiles,
                        int64_t batch) {
  RankedTensorType input = tensorOf(op.getInput()),
                   result = tensorOf(op.getResult());
  TileAttr tile = op.getTileAttr();
  int64_t rows = batch * (input.getRank() == 3 ? input.getDimSize(1) : 1);
  int64_t units = llvm::divideCeil(result.getDimSize(0), tile.getRows()) *
                  llvm::divideCeil(padTo(result.getDimSize(1), kChannelPad),
                                   tile.getCols());
  int64_t parts = std::min(tiles.processors / units, rows / kLeastRows);
  return std::clamp<int64_t>(parts, 1, kMostParts);
}

void mlir::vit::kernel::splitRows(WeightGradientOp op, const GpuTiles &tiles,
                                  int64_t batch) {
  int64_t parts = getParts(op, tiles, batch);
  if (parts == 1)
    return;
  OpBuilder builder(op);
  SmallVector<Type> types;
  for (Value result : op->getResults()) {
    SmallVector<int64_t> shape(tensorOf(result).getShape());
    shape[0] *= parts;
    types.push_back(tensorOf(result).clone(shape));
  }
  auto made = WeightGradientOp::create(
      builder, op.getLoc(), types[0], types.size() > 1 ? types[1] : Type(),
      op.getGradient(), op.getInput(), op.getTf32());
  made.setTileAttr(op.getTileAttr());
  for (auto [whole, part] :
       llvm::zip_equal(op->getResults(), made->getResults())) {
    auto sum =
        SumOp::create(builder, op.getLoc(), whole.getType(), SumKind::groups,
                      part, getAddedTile(op.getTileAttr()));
    whole.replaceAllUsesWith(sum.getResult());
  }
  op.erase();
}
