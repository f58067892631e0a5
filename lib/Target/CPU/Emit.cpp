//===- Emit.cpp - From kernel ops to dispatches of generated code ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "vit/Passes.h"
#include "vit/Target/CPU.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace mlir::vit {
#define GEN_PASS_DEF_EMITCPU
#include "Passes.h.inc"
} // namespace mlir::vit

static FailureOr<KernelInfo> emitBody(Operation *op, KernelBuilder &b) {
  return TypeSwitch<Operation *, FailureOr<KernelInfo>>(op)
      .Case([&](kernel::GemmOp op) { return emitGemm(op, b); })
      .Case([&](kernel::AttentionOp op) { return emitAttention(op, b); })
      .Case([&](kernel::RowsOp op) { return emitRows(op, b); })
      .Case([&](kernel::MapOp op) { return emitMap(op, b); })
      .Case([&](kernel::PrependOp op) { return emitPrepend(op, b); })
      .Case([&](kernel::TakeOp op) { return emitTake(op, b); })
      .Case([&](kernel::MeanOp op) { return emitMean(op, b); })
      .Case([&](kernel::PatchifyOp op) { return emitPatchify(op, b); })
      .Case([&](kernel::RelayoutOp op) { return emitRelayout(op, b); })
      .Default([](Operation *) { return failure(); });
}

static bool isEmitted(Operation *op) {
  return isa<kernel::GemmOp, kernel::AttentionOp, kernel::RowsOp, kernel::MapOp,
             kernel::PrependOp, kernel::TakeOp, kernel::MeanOp,
             kernel::PatchifyOp, kernel::RelayoutOp>(op);
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

struct EmitCpu : mlir::vit::impl::EmitCpuBase<EmitCpu> {
  using EmitCpuBase::EmitCpuBase;

  void runOnOperation() override {
    FailureOr<Level> found = getLevel(level);
    if (failed(found)) {
      getOperation().emitError("no CPU level \"")
          << level << "\"; the levels are avx2 and avx512";
      return signalPassFailure();
    }
    cpuLevel = *found;
    SmallVector<Operation *> ops;
    for (auto entry : getOperation().getOps<func::FuncOp>())
      entry.walk([&](Operation *op) {
        if (isEmitted(op))
          ops.push_back(op);
      });
    if (ops.empty())
      return;
    kernels = getOperation().lookupSymbol<ModuleOp>("kernels");
    if (!kernels) {
      OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
      kernels = ModuleOp::create(builder, getOperation().getLoc(), "kernels");
    }
    for (Operation *op : ops)
      if (failed(replace(op)))
        return signalPassFailure();
  }

private:
  LogicalResult replace(Operation *op);
  FailureOr<EmittedKernel> emit(Operation *op);

  Level cpuLevel;
  ModuleOp kernels;
  std::map<Signature, EmittedKernel> emitted;
  llvm::StringMap<int> counts;
};
} // namespace

FailureOr<EmittedKernel> EmitCpu::emit(Operation *op) {
  EmittedKernel kernel;
  kernel.family = op->getName().stripDialect();
  OpBuilder builder = OpBuilder::atBlockEnd(kernels.getBody());
  auto buffer = MemRefType::get({ShapedType::kDynamic}, builder.getF32Type());
  auto bytes = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
  SmallVector<Type> types(op->getNumOperands() + op->getNumResults(), buffer);
  types.append(3, builder.getIndexType());
  types.push_back(bytes);
  std::string name;
  do
    name = (kernel.family + "_" + Twine(counts[kernel.family]++)).str();
  while (kernels.lookupSymbol(name));
  auto function = func::FuncOp::create(builder, op->getLoc(), name,
                                       builder.getFunctionType(types, {}));
  function.addEntryBlock();
  KernelBuilder b(function, cpuLevel);
  FailureOr<KernelInfo> info = emitBody(op, b);
  if (failed(info))
    return failure();
  b.setInsertionPointToEnd(&function.getBody().front());
  func::ReturnOp::create(b);
  kernel.info = *info;
  kernel.symbol =
      SymbolRefAttr::get(kernels.getSymNameAttr(),
                         {FlatSymbolRefAttr::get(function.getSymNameAttr())});
  return kernel;
}

LogicalResult EmitCpu::replace(Operation *op) {
  // Where a result lives is the dispatch's matter, not the kernel's.
  SmallVector<int64_t> slots;
  for (StringRef name : {"slot", "probabilities_slot"}) {
    if (slots.size() == op->getNumResults())
      break;
    auto slot = op->getAttrOfType<IntegerAttr>(name);
    slots.push_back(slot ? slot.getInt() : -1);
  }
  op->removeAttr("slot");
  op->removeAttr("probabilities_slot");
  Signature signature(op);
  auto known = emitted.find(signature);
  if (known == emitted.end()) {
    FailureOr<EmittedKernel> kernel = emit(op);
    if (failed(kernel))
      return failure();
    known = emitted.emplace(std::move(signature), *kernel).first;
    ++functions;
  }
  const EmittedKernel &kernel = known->second;
  OpBuilder builder(op);
  auto dispatch = kernel::DispatchOp::create(
      builder, op->getLoc(), op->getResultTypes(), kernel.symbol,
      op->getOperands(), kernel.info.units, builder.getDenseI64ArrayAttr(slots),
      builder.getI64IntegerAttr(kernel.info.scratch),
      builder.getStringAttr(kernel.family), kernel.info.flop);
  ++dispatches;
  op->replaceAllUsesWith(dispatch->getResults());
  op->erase();
  return success();
}
