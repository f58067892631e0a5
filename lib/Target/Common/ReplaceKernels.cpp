//===- ReplaceKernels.cpp - From kernel ops to dispatches -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReplaceKernels.h"

#include "vit/Dialect/Vit.h"
#include "vit/Kernel/Layout.h"
#include "vit/Kernel/Variables.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>

using namespace mlir;
using namespace mlir::vit;

SmallVector<kernel::KernelOpInterface>
mlir::vit::getKernelOps(ModuleOp module) {
  SmallVector<kernel::KernelOpInterface> ops;
  for (auto entry : module.getOps<func::FuncOp>())
    for (Block &block : entry.getBody())
      llvm::append_range(ops, block.getOps<kernel::KernelOpInterface>());
  return ops;
}

namespace {
/// Identifies the code of a kernel: op names, attributes, types and the
/// structure of the regions. All of these are uniqued in the context, so they
/// are compared by address. Of an operand only its type and kind of buffer
/// count. Locations are ignored.
class Signature {
public:
  Signature(Operation *op, const kernel::Variables &variables)
      : variables(variables) {
    add(op);
  }
  bool operator<(const Signature &other) const { return parts < other.parts; }

private:
  void add(const void *pointer) {
    parts.push_back(reinterpret_cast<uintptr_t>(pointer));
  }
  void add(Operation *op) {
    add(op->getName().getAsOpaquePointer());
    if (auto update = dyn_cast<kernel::UpdateOp>(op))
      add(update);
    else
      add(op->getAttrDictionary().getAsOpaquePointer());
    parts.push_back(op->getNumOperands());
    for (Value operand : op->getOperands()) {
      add(operand.getType().getAsOpaquePointer());
      parts.push_back(kernel::isComputed(operand));
    }
    for (Type type : op->getResultTypes())
      add(type.getAsOpaquePointer());
    llvm::DenseMap<Value, uintptr_t> numbers;
    for (Region &region : op->getRegions())
      for (Block &block : region) {
        for (BlockArgument argument : block.getArguments())
          numbers[argument] = numbers.size();
        for (Operation &inner : block) {
          parts.push_back(inner.getNumOperands());
          add(inner.getName().getAsOpaquePointer());
          add(inner.getAttrDictionary().getAsOpaquePointer());
          for (Value operand : inner.getOperands())
            parts.push_back(numbers.lookup(operand));
          for (Value result : inner.getResults()) {
            add(result.getType().getAsOpaquePointer());
            numbers[result] = numbers.size();
          }
        }
      }
  }
  /// For an update, the variables do not matter, only the number of elements,
  /// which arenas have a rounded copy, and which optional operands are present.
  void add(kernel::UpdateOp update) {
    for (NamedAttribute attribute : update->getAttrs()) {
      StringAttr name = attribute.getName();
      if (name == update.getParametersAttrName() ||
          name == update.getStatesAttrName())
        continue;
      add(name.getAsOpaquePointer());
      add(attribute.getValue().getAsOpaquePointer());
    }
    for (int32_t size : update.getProperties().operandSegmentSizes)
      parts.push_back(size);
    parts.push_back(update.getVariableCount());
    parts.push_back(kernel::getUpdatedElements(update));
    llvm::append_range(parts, variables.getRoundedLists(update));
  }

  const kernel::Variables &variables;
  std::vector<uintptr_t> parts;
};

struct EmittedKernel {
  SymbolRefAttr symbol;
  StringRef family;
  KernelInfo info;
};
} // namespace

/// Removes the slots from `op` and returns them, -1 for each result without.
static kernel::SlotsAttr takeSlots(kernel::KernelOpInterface op) {
  kernel::SlotsAttr slots = op.getSlotsAttr();
  op.setSlotsAttr({});
  if (slots)
    return slots;
  size_t count = op->getNumResults();
  return kernel::SlotsAttr::get(op.getContext(),
                                SmallVector<int64_t>(count, -1),
                                SmallVector<int64_t>(count, 0));
}

/// Creates the arena ranges that `update` changes: the parameters, then each
/// state, then those of rounded copies, in the same order.
static FailureOr<SmallVector<Value>>
createRanges(kernel::UpdateOp update, const kernel::Variables &variables) {
  OpBuilder builder(update);
  SmallVector<Value> ranges;
  auto type = RankedTensorType::get({kernel::getUpdatedElements(update)},
                                    builder.getF32Type());
  auto addRange = [&](ArrayAttr list) -> LogicalResult {
    auto first = cast<kernel::VariableAttr>(list[0]);
    std::optional<kernel::Variables::Place> begin = variables.find(first);
    int64_t next = begin ? begin->offset : 0;
    for (auto variable : list.getAsRange<kernel::VariableAttr>()) {
      std::optional<kernel::Variables::Place> place = variables.find(variable);
      if (!place || place->arena != begin->arena || place->offset != next)
        return update.emitOpError("changes ")
               << variable.getSymbol()
               << ", which does not follow the variable before it; run "
                  "vit-group-updates";
      next += place->elements * sizeof(float);
    }
    ranges.push_back(kernel::ArenaOp::create(
        builder, update.getLoc(), type, begin->name,
        builder.getI64IntegerAttr(begin->offset / sizeof(float))));
    return success();
  };
  if (failed(addRange(update.getParameters())))
    return failure();
  if (ArrayAttr states = update.getStatesAttr())
    for (Attribute list : states)
      if (failed(addRange(cast<ArrayAttr>(list))))
        return failure();
  for (unsigned list : variables.getRoundedLists(update)) {
    auto range = ranges[list].getDefiningOp<kernel::ArenaOp>();
    ranges.push_back(kernel::ArenaOp::create(
        builder, update.getLoc(), type.clone(builder.getBF16Type()),
        range.getNameAttr(), range.getAtAttr()));
  }
  return ranges;
}

FailureOr<ReplacedKernels> mlir::vit::replaceKernels(
    ArrayRef<kernel::KernelOpInterface> ops, Operation *kernels,
    function_ref<FailureOr<KernelInfo>(kernel::KernelOpInterface op,
                                       StringRef name)>
        emit) {
  ReplacedKernels done;
  std::map<Signature, EmittedKernel> emitted;
  llvm::StringMap<int> counts;
  StringAttr module = SymbolTable::getSymbolName(kernels);
  kernel::Variables variables(kernels->getParentOfType<ModuleOp>());
  for (kernel::KernelOpInterface op : ops) {
    // The slots belong to the dispatch. They must not distinguish kernels.
    kernel::SlotsAttr slots = takeSlots(op);
    Signature signature(op, variables);
    auto known = emitted.find(signature);
    if (known == emitted.end()) {
      StringRef family = op->getName().stripDialect();
      std::string name;
      do
        name = (family + "_" + Twine(counts[family]++)).str();
      while (SymbolTable::lookupSymbolIn(kernels, name));
      FailureOr<KernelInfo> info = emit(op, name);
      if (failed(info))
        return failure();
      if (!info->flop)
        info->flop = perImage(op, 0);
      auto symbol = SymbolRefAttr::get(
          module, {FlatSymbolRefAttr::get(op->getContext(), name)});
      known = emitted
                  .emplace(std::move(signature),
                           EmittedKernel{symbol, family, *info})
                  .first;
      ++done.functions;
    }
    const EmittedKernel &kernel = known->second;
    SmallVector<Value> operands(op->getOperands());
    if (auto update = dyn_cast<kernel::UpdateOp>(*op)) {
      FailureOr<SmallVector<Value>> ranges = createRanges(update, variables);
      if (failed(ranges))
        return failure();
      llvm::append_range(operands, *ranges);
    }
    OpBuilder builder(op);
    auto dispatch = kernel::DispatchOp::create(
        builder, op->getLoc(), op->getResultTypes(), kernel.symbol, operands,
        kernel.info.units, slots,
        builder.getI64IntegerAttr(kernel.info.scratch),
        builder.getStringAttr(kernel.family), kernel.info.flop);
    // For readers of the IR and for module inspection.
    if (kernel::TileAttr tile = op.getTileAttr())
      dispatch->setAttr("tile", tile);
    ++done.dispatches;
    op->replaceAllUsesWith(dispatch->getResults());
    op->erase();
  }
  return done;
}
