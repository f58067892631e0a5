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

SmallVector<Operation *> mlir::vit::getKernelOps(ModuleOp module) {
  SmallVector<Operation *> ops;
  for (auto entry : module.getOps<func::FuncOp>())
    for (Block &block : entry.getBody())
      for (Operation &op : block)
        if (isa<kernel::KernelDialect>(op.getDialect()) &&
            !isa<kernel::DeriveOp, kernel::ResampleOp, kernel::ArenaOp,
                 kernel::ConcatOp, kernel::DispatchOp>(op))
          ops.push_back(&op);
  return ops;
}

bool mlir::vit::isInWorkspace(Value value) {
  return !isa_and_nonnull<ReadOp, kernel::DeriveOp, kernel::ResampleOp,
                          kernel::ArenaOp, arith::ConstantOp>(
      value.getDefiningOp());
}

namespace {
/// Identifies the code of a kernel: op names, attributes, types and the
/// structure of the regions. All of these are uniqued in the context, so they
/// are compared by address. Of an operand only its type and kind of buffer
/// count. Locations are ignored.
class Signature {
public:
  explicit Signature(Operation *op) { add(op); }
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
      parts.push_back(isInWorkspace(operand));
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
  /// For an update, the variables do not matter, only the number of elements
  /// and which optional operands are present.
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
  }
  std::vector<uintptr_t> parts;
};

struct EmittedKernel {
  SymbolRefAttr symbol;
  StringRef family;
  KernelInfo info;
};
} // namespace

/// Removes the slots from `op` and returns one per result, -1 if it has none.
static SmallVector<int64_t> takeSlots(Operation *op) {
  SmallVector<int64_t> slots;
  if (auto list = op->getAttrOfType<DenseI64ArrayAttr>("slots"))
    llvm::append_range(slots, list.asArrayRef());
  else
    for (StringRef name : {"slot", "probabilities_slot"})
      if (slots.size() < op->getNumResults()) {
        auto slot = op->getAttrOfType<IntegerAttr>(name);
        slots.push_back(slot ? slot.getInt() : -1);
      }
  for (StringRef name : {"slot", "probabilities_slot", "slots"})
    op->removeAttr(name);
  return slots;
}

/// Creates the arena ranges that `update` changes: the parameters, then each
/// state.
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
  return ranges;
}

FailureOr<ReplacedKernels> mlir::vit::replaceKernels(
    ArrayRef<Operation *> ops, Operation *kernels,
    function_ref<FailureOr<KernelInfo>(Operation *op, StringRef name)> emit) {
  ReplacedKernels done;
  std::map<Signature, EmittedKernel> emitted;
  llvm::StringMap<int> counts;
  StringAttr module = SymbolTable::getSymbolName(kernels);
  kernel::Variables variables(kernels->getParentOfType<ModuleOp>());
  for (Operation *op : ops) {
    // The slots belong to the dispatch. They must not distinguish kernels.
    SmallVector<int64_t> slots = takeSlots(op);
    auto offsets =
        op->getAttrOfType<DenseI64ArrayAttr>(kernel::kSlotOffsetsName);
    op->removeAttr(kernel::kSlotOffsetsName);
    Signature signature(op);
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
    if (auto update = dyn_cast<kernel::UpdateOp>(op)) {
      FailureOr<SmallVector<Value>> ranges = createRanges(update, variables);
      if (failed(ranges))
        return failure();
      llvm::append_range(operands, *ranges);
    }
    OpBuilder builder(op);
    auto dispatch = kernel::DispatchOp::create(
        builder, op->getLoc(), op->getResultTypes(), kernel.symbol, operands,
        kernel.info.units, builder.getDenseI64ArrayAttr(slots),
        builder.getI64IntegerAttr(kernel.info.scratch),
        builder.getStringAttr(kernel.family), kernel.info.flop, offsets);
    // For readers of the IR and for module inspection.
    if (Attribute tile = op->getAttr("tile"))
      dispatch->setAttr("tile", tile);
    ++done.dispatches;
    op->replaceAllUsesWith(dispatch->getResults());
    op->erase();
  }
  return done;
}
