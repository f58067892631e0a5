//===- ReplaceKernels.cpp - From kernel ops to dispatches ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReplaceKernels.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>

using namespace mlir;
using namespace mlir::vit;

SmallVector<Operation *> mlir::vit::getKernelOps(ModuleOp module) {
  SmallVector<Operation *> ops;
  for (auto entry : module.getOps<func::FuncOp>())
    entry.walk([&](Operation *op) {
      if (isa<kernel::GemmOp, kernel::AttentionOp, kernel::RowsOp,
              kernel::MapOp, kernel::PrependOp, kernel::TakeOp, kernel::MeanOp,
              kernel::PatchifyOp, kernel::RelayoutOp>(op))
        ops.push_back(op);
    });
  return ops;
}

namespace {
/// What tells kernels apart: names, attributes, types and the shape of the
/// region, all of them unique in the context, so that addresses do. Operands
/// and locations do not matter.
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
    add(op->getAttrDictionary().getAsOpaquePointer());
    parts.push_back(op->getNumOperands());
    for (Type type : op->getOperandTypes())
      add(type.getAsOpaquePointer());
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
  std::vector<uintptr_t> parts;
};

struct EmittedKernel {
  SymbolRefAttr symbol;
  StringRef family;
  KernelInfo info;
};
} // namespace

/// Takes the slots off `op`, one per result; -1: none.
static SmallVector<int64_t> takeSlots(Operation *op) {
  SmallVector<int64_t> slots;
  for (StringRef name : {"slot", "probabilities_slot"}) {
    if (slots.size() == op->getNumResults())
      break;
    auto slot = op->getAttrOfType<IntegerAttr>(name);
    slots.push_back(slot ? slot.getInt() : -1);
  }
  op->removeAttr("slot");
  op->removeAttr("probabilities_slot");
  return slots;
}

FailureOr<ReplacedKernels> mlir::vit::replaceKernels(
    ArrayRef<Operation *> ops, Operation *kernels,
    function_ref<FailureOr<KernelInfo>(Operation *op, StringRef name)> emit) {
  ReplacedKernels done;
  std::map<Signature, EmittedKernel> emitted;
  llvm::StringMap<int> counts;
  StringAttr module = SymbolTable::getSymbolName(kernels);
  for (Operation *op : ops) {
    // Where a result lives is the dispatch's matter, not the kernel's.
    SmallVector<int64_t> slots = takeSlots(op);
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
    OpBuilder builder(op);
    auto dispatch = kernel::DispatchOp::create(
        builder, op->getLoc(), op->getResultTypes(), kernel.symbol,
        op->getOperands(), kernel.info.units,
        builder.getDenseI64ArrayAttr(slots),
        builder.getI64IntegerAttr(kernel.info.scratch),
        builder.getStringAttr(kernel.family), kernel.info.flop);
    // For who reads the text, or inspects the module.
    if (Attribute tile = op->getAttr("tile"))
      dispatch->setAttr("tile", tile);
    ++done.dispatches;
    op->replaceAllUsesWith(dispatch->getResults());
    op->erase();
  }
  return done;
}
