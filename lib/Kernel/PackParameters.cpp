//===- PackParameters.cpp - Derived forms of what a step changes ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuTiles.h"
#include "GridProduct.h"
#include "KernelUtils.h"
#include "vit/Kernel/Layout.h"
#include "vit/Kernel/Variables.h"
#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_PACKPARAMETERS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct PackParametersPass
    : mlir::vit::impl::PackParametersBase<PackParametersPass> {
  using Base::Base;
  void runOnOperation() override;
};
} // namespace

/// Returns the tile of the kernels that the pass adds; null if no kernel of the
/// entry has one.
static TileAttr getTile(func::FuncOp entry) {
  TileAttr tile;
  for (auto kernel : entry.getOps<KernelOpInterface>())
    if (TileAttr own = kernel.getTileAttr();
        own && (!tile || own.getThreads() > tile.getThreads()))
      tile = own;
  return tile ? getAddedTile(tile) : tile;
}

/// Returns whether `value` is in transposed panels, which modules do not store.
static bool isTransposed(Value value) {
  auto panels = dyn_cast_or_null<PanelsAttr>(tensorOf(value).getEncoding());
  return panels && panels.getTransposed();
}

/// Creates the kernel that computes in each step what `op` would compute when
/// the module is loaded.
static Value packComputed(Operation *op, TileAttr tile) {
  OpBuilder builder(op);
  if (auto resample = dyn_cast<ResampleOp>(op))
    return createGridProduct(builder, op->getLoc(), tensorOf(resample),
                             resample.getSource(), getResampling(resample),
                             /*isAdjoint=*/false, tile);
  auto positions = cast<kernel::RelativePositionsOp>(op);
  return PackRelativePositionsOp::create(
      builder, op->getLoc(), positions.getType(), positions.getSource(),
      positions.getGridAttr(), positions.getPrefixAttr(), tile);
}

void PackParametersPass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (entry.isExternal())
    return;
  bool isTraining = isTrainingEntry(entry);
  Variables variables(entry->getParentOfType<ModuleOp>());
  if (isTraining && variables.empty()) {
    entry.emitError() << "'" << entry.getSymName()
                      << "' changes variables that have no place; run "
                         "vit-place-variables first";
    return signalPassFailure();
  }
  TileAttr tile = getTile(entry);
  /// Variables that the entry changes, and values derived from them.
  llvm::SmallDenseSet<Value> changing;
  Block &body = entry.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(body)) {
    if (auto read = dyn_cast<ReadOp>(op)) {
      if (isTraining && variables.find(read))
        changing.insert(read.getResult());
      continue;
    }
    if (!isa<DeriveOp, ResampleOp, kernel::RelativePositionsOp>(op))
      continue;
    bool changes = llvm::any_of(op.getOperands(), [&](Value value) {
      return changing.contains(value);
    });
    if (!changes && !isTransposed(op.getResult(0)))
      continue;
    auto derive = dyn_cast<DeriveOp>(op);
    if (!derive) {
      Value pack = packComputed(&op, tile);
      changing.insert(pack);
      op.getResult(0).replaceAllUsesWith(pack);
      op.erase();
      ++packs;
      continue;
    }
    if (variables.hasView(derive.getResult())) {
      changing.insert(derive.getResult());
      ++views;
      continue;
    }
    OpBuilder builder(derive);
    auto pack =
        PackOp::create(builder, derive.getLoc(), derive.getResult().getType(),
                       derive.getSources(), tile);
    derive.replaceAllUsesWith(pack.getResult());
    if (changes)
      changing.insert(pack.getResult());
    derive.erase();
    ++packs;
  }
}
