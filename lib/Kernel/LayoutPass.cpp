//===- LayoutPass.cpp - Memory layouts ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layout of an activation consists of a grouping of channels (HeadGroups)
// and, on the CPU, of the height of row blocks in `tile`. If a kernel reads a
// value in another layout than the value has, the value is converted: a
// parameter by a derive when the module is loaded, an activation by a relayout.
// Gradients of parameters and single numbers, which have no batch, stay
// row-major.
//
//===----------------------------------------------------------------------===//

#include "GpuTiles.h"
#include "KernelUtils.h"
#include "vit/Kernel/Layout.h"
#include "vit/Passes.h"

#include "llvm/ADT/EquivalenceClasses.h"

namespace mlir::vit {
#define GEN_PASS_DEF_LAYOUT
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

namespace {
/// Chooses the `group` of the layout of each activation. Attention and norms of
/// groups need each group padded separately if its size is not a multiple of
/// 16. All other kernels get the group of their neighbours, so that few
/// conversions are needed.
class HeadGroups {
public:
  HeadGroups(func::FuncOp entry, bool isGpu);

  /// Returns the group of the activations that `kernel` writes and reads,
  /// except for operands that it reads in any group.
  int64_t getGroup(KernelOpInterface kernel) const;

private:
  /// The only group that `kernel` supports, or nullopt if it supports any.
  /// Groups that are whole lines need no padding of their own.
  std::optional<int64_t> getOwnGroup(KernelOpInterface kernel) const {
    std::optional<int64_t> size = kernel.getGroupSize();
    if (!size)
      return std::nullopt;
    return *size % line == 0 ? 0 : *size;
  }

  int64_t line;
  llvm::EquivalenceClasses<void *> classes;
  DenseMap<void *, int64_t> groups; // by a class's leader
};
} // namespace

/// The most channels of a line of an activation that has heads: f32 or bf16.
/// The same group of a value means the same padding only up to it. On GPUs
/// channels of all types are padded to the same multiple.
static int64_t getLine(Block &block, bool isGpu) {
  int64_t line = kChannelPad;
  if (isGpu)
    return line;
  for (auto kernel : block.getOps<KernelOpInterface>())
    for (Value result : kernel->getResults())
      if (isActivation(result) &&
          !tensorOf(result).getElementType().isInteger())
        line = std::max(line, lineChannels(tensorOf(result)));
  return line;
}

/// Whether `value` has one channel for a row of the result of `kernel`, and so
/// no groups.
static bool isRowValue(KernelOpInterface kernel, Value value) {
  return kernel->getNumResults() > 0 && isActivation(value) &&
         isRowExtra(tensorOf(value), tensorOf(kernel->getResult(0)));
}

/// The operands that have a batch and that `kernel` reads in `layout`.
static SmallVector<Value> getOperands(KernelOpInterface kernel,
                                      OperandLayout layout) {
  SmallVector<Value> operands;
  for (OpOperand &operand : kernel->getOpOperands())
    if (isActivation(operand.get()) && !isRowValue(kernel, operand.get()) &&
        kernel.getOperandLayout(operand.getOperandNumber()) == layout)
      operands.push_back(operand.get());
  return operands;
}

HeadGroups::HeadGroups(func::FuncOp entry, bool isGpu)
    : line(getLine(entry.getBody().front(), isGpu)) {
  auto key = [](Value value) { return value.getAsOpaquePointer(); };
  Block &block = entry.getBody().front();
  // Unites the values of a kernel that must have the same group. Results
  // without a batch have no groups.
  for (auto kernel : block.getOps<KernelOpInterface>()) {
    ResultRange results = kernel->getResults();
    for (Value result : results)
      classes.insert(key(result));
    if (results.empty() || !isActivation(results.front()) ||
        !getOperands(kernel, OperandLayout::OwnGroup).empty())
      continue;
    for (Value result : results.drop_front())
      if (!isRowValue(kernel, result))
        classes.unionSets(key(results.front()), key(result));
    for (Value operand : getOperands(kernel, OperandLayout::Grouped))
      classes.unionSets(key(results.front()), key(operand));
  }
  // If kernels of a class need different groups, the class has none (0) and the
  // other kernels convert.
  auto wish = [&](Value value, int64_t group) {
    auto [found, isNew] =
        groups.insert({classes.getOrInsertLeaderValue(key(value)), group});
    if (!isNew && group == 0)
      found->second = 0;
  };
  for (auto kernel : block.getOps<KernelOpInterface>())
    if (std::optional<int64_t> own = getOwnGroup(kernel)) {
      for (Value result : kernel->getResults())
        if (isActivation(result))
          wish(result, *own);
      for (auto layout : {OperandLayout::Grouped, OperandLayout::OwnGroup})
        for (Value operand : getOperands(kernel, layout))
          wish(operand, *own);
    }
}

int64_t HeadGroups::getGroup(KernelOpInterface kernel) const {
  if (std::optional<int64_t> own = getOwnGroup(kernel))
    return *own;
  if (kernel->getNumResults() == 0)
    return 0;
  return groups.lookup(
      classes.getLeaderValue(kernel->getResult(0).getAsOpaquePointer()));
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

namespace {
struct LayoutPass : mlir::vit::impl::LayoutBase<LayoutPass> {
  using Base::Base;
  void runOnOperation() override;
};

class LayoutAssigner {
public:
  LayoutAssigner(func::FuncOp entry, TileAttr tile)
      : entry(entry), builder(entry), groups(entry, tile.isGpu()),
        relayoutTile(tile) {}
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

/// Columns of panels, the same on all levels of all targets, except that
/// weights of products narrower than f32 are row-major on GPUs: so a thread, or
/// a tensor core, reads neighbouring depths of one output.
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

/// Returns `value`, an activation, in the layout of `type`. On the CPU the
/// conversion between two padded layouts goes through row-major.
Value LayoutAssigner::convert(Value value, RankedTensorType type) {
  RankedTensorType from = tensorOf(value);
  if (from == type)
    return value;
  Value &found = converted[{value, type}];
  if (found)
    return found;
  Value source = value;
  if (from.getEncoding() && type.getEncoding() && !relayoutTile.isGpu())
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
  return convert(value, activation(tensorOf(value), group));
}

/// Adds the values that `value` is stacked from: the sources of derives instead
/// of their results, which are row-major.
static void addSources(Value value, SmallVectorImpl<Value> &sources) {
  auto derive = value.getDefiningOp<DeriveOp>();
  if (!derive || derive.getMigrationAttr())
    return sources.push_back(value);
  for (Value source : derive.getSources())
    addSources(source, sources);
}

/// Returns `parameter` in the layout `encoding`, derived when the module is
/// loaded.
Value LayoutAssigner::derive(Value parameter, Attribute encoding) {
  auto type = withEncoding(tensorOf(parameter), encoding);
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
  SmallVector<Value> sources;
  DenseElementsAttr migration;
  if (auto inner = dyn_cast<DeriveOp>(source)) {
    migration = inner.getMigrationAttr();
    for (Value value : inner.getSources())
      addSources(value, sources);
  } else {
    sources.push_back(parameter);
  }
  found =
      DeriveOp::create(builder, parameter.getLoc(), type, sources, migration);
  ++derived;
  return found;
}

/// Returns the group of the layout that `value` has.
static int64_t getGroupOf(Value value) {
  Attribute encoding = tensorOf(value).getEncoding();
  if (auto blocked = dyn_cast_or_null<BlockedAttr>(encoding))
    return blocked.getGroup();
  auto channels = dyn_cast_or_null<ChannelsAttr>(encoding);
  return channels ? channels.getGroup() : 0;
}

/// Returns the weight of `gemm` in panels, where the result of `gemm` is in
/// `group`. On a GPU that of a product narrower than f32 is in panels of one
/// column, which products with it and with its transpose share.
Value LayoutAssigner::asPanels(GemmOp gemm, int64_t group) {
  int64_t out = group, in = getGroupOf(gemm.getInput());
  if (gemm.getTransposed())
    std::swap(out, in);
  Type element = gemm.getWeight().getType().getElementType();
  bool isRowMajor =
      relayoutTile.isGpu() && (!element.isF32() || gemm.getTf32());
  return derive(gemm.getWeight(),
                PanelsAttr::get(entry.getContext(), isRowMajor ? 1 : kColumns,
                                out, in, !isRowMajor && gemm.getTransposed(),
                                isRowMajor ? 1 : interleaveOf(element)));
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
      return asActivation(value, isRowValue(kernel, value) ? 0 : group);
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
    RankedTensorType type = tensorOf(result);
    // The probabilities of an attention, of rank 4, stay row-major.
    if (isActivation(result) && type.getRank() <= 3)
      result.setType(activation(type, isRowValue(kernel, result) ? 0 : group));
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
    RankedTensorType type = tensorOf(value);
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

/// Returns the tile of the kernels that the pass adds.
static FailureOr<TileAttr> getTile(func::FuncOp entry) {
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
          tensorOf(operand).getRank() != 0)
        return kernel->emitOpError("reads an argument without a batch, ")
               << operand.getType() << "; make it a vit.parameter";
    if (!tile || (own.isGpu() && own.getThreads() > tile.getThreads()))
      tile = own;
  }
  if (!tile)
    return entry.emitError() << "'" << entry.getSymName()
                             << "' computes nothing; return a value that its "
                                "kernels make";
  return getAddedTile(tile);
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
