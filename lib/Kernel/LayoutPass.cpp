//===- LayoutPass.cpp - Memory layouts ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layout of an activation consists of a grouping of channels (HeadGroups.h)
// and, on the CPU, of the height of row blocks in `tile`. If a kernel reads a
// value in another layout than the value has, the value is converted: a
// parameter by a derive when the module is loaded, an activation by a relayout.
// Gradients of parameters and single numbers, which have no batch, stay
// row-major.
//
//===----------------------------------------------------------------------===//

#include "GpuTiles.h"
#include "HeadGroups.h"
#include "KernelUtils.h"
#include "vit/Kernel/Layout.h"
#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_LAYOUT
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct LayoutPass : mlir::vit::impl::LayoutBase<LayoutPass> {
  using Base::Base;
  void runOnOperation() override;
};

class LayoutAssigner {
public:
  LayoutAssigner(func::FuncOp entry, TileAttr tile)
      : entry(entry), builder(entry), groups(entry), relayoutTile(tile) {}
  LogicalResult run();
  int64_t derived = 0, relayouts = 0;

private:
  void assign(KernelOpInterface kernel);
  LogicalResult assignResults();
  RankedTensorType activation(RankedTensorType type, int64_t group);
  Value convert(Value value, RankedTensorType type);
  Value asActivation(Value value, int64_t group);
  Value derive(Value parameter, Attribute encoding);
  Value asPanels(GemmOp gemm, int64_t group);
  Value asOperand(KernelOpInterface kernel, unsigned index, int64_t group);
  Value copy(Value value);

  func::FuncOp entry;
  OpBuilder builder;
  HeadGroups groups;
  TileAttr relayoutTile;
  /// The conversions made so far, by value and type.
  DenseMap<std::pair<Value, Type>, Value> converted;
};
} // namespace

/// Columns of panels, the same on all levels of all targets.
static constexpr int64_t kColumns = 64;

static RankedTensorType withEncoding(RankedTensorType type,
                                     Attribute encoding) {
  return RankedTensorType::get(type.getShape(), type.getElementType(),
                               encoding);
}

/// Returns `type` with the layout of an activation of `group`. On a GPU there
/// is no encoding if the width needs no padding.
RankedTensorType LayoutAssigner::activation(RankedTensorType type,
                                            int64_t group) {
  MLIRContext *context = type.getContext();
  if (!relayoutTile.isGpu())
    return withEncoding(
        type, BlockedAttr::get(context, relayoutTile.getRows(), group));
  int64_t width = type.getShape().back();
  if (paddedChannels(width, group) == width)
    return withEncoding(type, {});
  return withEncoding(type, ChannelsAttr::get(context, group));
}

/// Returns `value`, an activation, in the layout of `type`. The conversion
/// between two padded layouts goes through row-major.
Value LayoutAssigner::convert(Value value, RankedTensorType type) {
  auto from = cast<RankedTensorType>(value.getType());
  if (from == type)
    return value;
  Value &found = converted[{value, type}];
  if (found)
    return found;
  Value source = value;
  if (from.getEncoding() && type.getEncoding())
    source = convert(value, withEncoding(type, {}));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(source);
  Value result =
      RelayoutOp::create(builder, value.getLoc(), type, source, relayoutTile);
  ++relayouts;
  // The recursive call may have invalidated `found`.
  converted[{value, type}] = result;
  return result;
}

Value LayoutAssigner::asActivation(Value value, int64_t group) {
  return convert(value,
                 activation(cast<RankedTensorType>(value.getType()), group));
}

/// Returns `parameter` in the layout `encoding`, derived when the module is
/// loaded.
Value LayoutAssigner::derive(Value parameter, Attribute encoding) {
  auto type =
      withEncoding(cast<RankedTensorType>(parameter.getType()), encoding);
  Value &found = converted[{parameter, type}];
  if (found)
    return found;
  Operation *source = parameter.getDefiningOp();
  if (auto constant = dyn_cast<arith::ConstantOp>(source)) {
    auto values = cast<DenseElementsAttr>(constant.getValue());
    found = arith::ConstantOp::create(builder, constant.getLoc(),
                                      values.reshape(type));
    return found;
  }
  // Uses the sources of a derive directly, instead of its result.
  SmallVector<Value> sources = {parameter};
  if (auto inner = dyn_cast<DeriveOp>(source))
    sources.assign(inner.getSources().begin(), inner.getSources().end());
  found = DeriveOp::create(builder, parameter.getLoc(), type, sources);
  ++derived;
  return found;
}

/// Returns the group of the layout that `value` has.
static int64_t getGroupOf(Value value) {
  Attribute encoding = cast<RankedTensorType>(value.getType()).getEncoding();
  if (auto blocked = dyn_cast_or_null<BlockedAttr>(encoding))
    return blocked.getGroup();
  auto channels = dyn_cast_or_null<ChannelsAttr>(encoding);
  return channels ? channels.getGroup() : 0;
}

/// Returns the weight of `gemm` in panels, where the result of `gemm` is in
/// `group`.
Value LayoutAssigner::asPanels(GemmOp gemm, int64_t group) {
  int64_t out = group, in = getGroupOf(gemm.getInput());
  if (gemm.getTransposed())
    std::swap(out, in);
  return derive(gemm.getWeight(),
                PanelsAttr::get(entry.getContext(), kColumns, out, in,
                                gemm.getTransposed()));
}

/// Returns operand `index` in the layout in which `kernel`, which works in
/// `group`, reads it.
Value LayoutAssigner::asOperand(KernelOpInterface kernel, unsigned index,
                                int64_t group) {
  Value value = kernel->getOperand(index);
  switch (kernel.getOperandLayout(index)) {
  case OperandLayout::RowMajor:
    return value;
  case OperandLayout::Panels:
    return asPanels(cast<GemmOp>(kernel), group);
  case OperandLayout::AnyGroup:
    return isActivation(value) ? asActivation(value, getGroupOf(value)) : value;
  case OperandLayout::Grouped:
  case OperandLayout::OwnGroup:
    if (isActivation(value))
      return asActivation(value, group);
    if (!isActivation(kernel->getResult(0)))
      return value;
    return derive(value, ChannelsAttr::get(entry.getContext(), group));
  }
  llvm_unreachable("no such layout");
}

/// Converts the operands of `kernel` to the layouts that it reads and sets the
/// layouts of its results.
void LayoutAssigner::assign(KernelOpInterface kernel) {
  builder.setInsertionPoint(kernel);
  int64_t group = groups.getGroup(kernel);
  for (OpOperand &operand : kernel->getOpOperands())
    operand.set(asOperand(kernel, operand.getOperandNumber(), group));

  for (Value result : kernel->getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    // The probabilities of an attention, of rank 4, stay row-major.
    if (isActivation(result) && type.getRank() <= 3)
      result.setType(activation(type, group));
  }
}

/// A copy of a row-major value.
Value LayoutAssigner::copy(Value value) {
  auto map = MapOp::create(builder, value.getLoc(), value.getType(), value,
                           ValueRange(), relayoutTile);
  addIdentity(map);
  return map.getResult();
}

/// Makes the results of the entry row-major and distinct values, since each has
/// its own buffer.
LogicalResult LayoutAssigner::assignResults() {
  Operation *terminator = entry.getBody().front().getTerminator();
  llvm::SmallDenseSet<Value> returned;
  builder.setInsertionPoint(terminator);
  for (OpOperand &operand : terminator->getOpOperands()) {
    Value value = operand.get();
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getEncoding()) {
      operand.set(RelayoutOp::create(builder, value.getLoc(),
                                     withEncoding(type, {}), value,
                                     relayoutTile));
      ++relayouts;
    } else if (returned.insert(value).second && !isa<BlockArgument>(value)) {
      continue;
    } else if ((relayoutTile.isGpu() || !isActivation(value)) &&
               !isa<BlockArgument>(value)) {
      operand.set(copy(value));
    } else {
      return entry.emitError()
             << "result " << operand.getOperandNumber() << " of '"
             << entry.getSymName() << "' is "
             << (isa<BlockArgument>(value) ? "an argument"
                                           : "an earlier result")
             << "; return computed values, each once";
    }
  }
  return success();
}

LogicalResult LayoutAssigner::run() {
  Block &block = entry.getBody().front();
  SmallVector<KernelOpInterface> kernels(block.getOps<KernelOpInterface>());
  for (KernelOpInterface kernel : kernels)
    assign(kernel);
  if (failed(assignResults()))
    return failure();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
  return success();
}

/// Returns the tile of the kernels that the pass adds. On the CPU they have the
/// height of row blocks of the entry, on a GPU the tile of element-wise
/// kernels.
static FailureOr<TileAttr> getTile(func::FuncOp entry) {
  MLIRContext *context = entry.getContext();
  TileAttr tile;
  for (auto kernel : entry.getOps<KernelOpInterface>()) {
    TileAttr own = kernel.getTileAttr();
    if (!own)
      return kernel->emitOpError("has no tile; run vit-tile first");
    if (tile && tile.isGpu() != own.isGpu())
      return kernel->emitOpError("has a tile for another kind of target than "
                                 "the entry's first kernel");
    if (tile && !own.isGpu() && tile.getRows() != own.getRows())
      return kernel->emitOpError("has row blocks of ")
             << own.getRows() << ", the entry's first kernel of "
             << tile.getRows() << "; all must have one height";
    for (Value operand : kernel->getOperands())
      if (!isActivation(operand) && !operand.getDefiningOp() &&
          cast<RankedTensorType>(operand.getType()).getRank() != 0)
        return kernel->emitOpError("reads an argument without a batch, ")
               << operand.getType() << "; make it a vit.parameter";
    if (!tile || (own.isGpu() && own.getThreads() > tile.getThreads()))
      tile = own;
  }
  if (!tile)
    return entry.emitError() << "'" << entry.getSymName()
                             << "' computes nothing; return a value that its "
                                "kernels make";
  if (!tile.isGpu())
    return TileAttr::get(context, tile.getRows(), kChannelPad, /*chunk=*/1, 0,
                         0, 0);
  return getElementwiseTile(context, tile.getThreads());
}

void LayoutPass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (entry.isExternal())
    return;
  FailureOr<TileAttr> tile = getTile(entry);
  if (failed(tile))
    return signalPassFailure();
  LayoutAssigner assigner(entry, *tile);
  if (failed(assigner.run()))
    return signalPassFailure();
  parametersDerived += assigner.derived;
  this->relayouts += assigner.relayouts;
}
