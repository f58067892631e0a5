//===- Emit.cpp - From kernel ops to dispatches of generated code ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Common/ReplaceKernels.h"
#include "Emitters.h"
#include "ExpandTiles.h"

#include "vit/Passes.h"
#include "vit/Target/CPU.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace mlir::vit {
#define GEN_PASS_DEF_EMITCPU
#include "Passes.h.inc"
} // namespace mlir::vit

namespace {
struct EmitCpu : mlir::vit::impl::EmitCpuBase<EmitCpu> {
  using EmitCpuBase::EmitCpuBase;
  void runOnOperation() override;
};
} // namespace

/// Adds the function `name` for `op` to `kernels`.
static FailureOr<KernelInfo> addFunction(kernel::KernelOpInterface op,
                                         StringRef name, ModuleOp kernels,
                                         const Level &level) {
  OpBuilder builder = OpBuilder::atBlockEnd(kernels.getBody());
  auto getBuffer = [](Type element) {
    return MemRefType::get({ShapedType::kDynamic}, element);
  };
  SmallVector<Type> types;
  for (TypeRange values :
       {TypeRange(op->getOperandTypes()), TypeRange(op->getResultTypes())})
    for (Type type : values)
      types.push_back(getBuffer(cast<RankedTensorType>(type).getElementType()));
  // The operands of an update are followed by what it changes: the parameters,
  // then each state.
  if (auto update = dyn_cast<kernel::UpdateOp>(*op))
    types.append(update.getVariableCount(), getBuffer(builder.getF32Type()));
  types.append(3, builder.getIndexType());
  types.push_back(getBuffer(builder.getI8Type()));
  auto function = func::FuncOp::create(builder, op->getLoc(), name,
                                       builder.getFunctionType(types, {}));
  function.addEntryBlock();
  KernelBuilder b(function, level);
  FailureOr<KernelInfo> info =
      visitKernel(op, [&](auto kernel) { return emit(kernel, b); });
  b.setInsertionPointToEnd(&function.getBody().front());
  func::ReturnOp::create(b);
  return info;
}

/// Whether there is memory behind the last element of `result`, which has no
/// batch: not where the entry returns it, for then the memory is the caller's,
/// and for rank 0, which has 4 bytes, only in a concat.
static bool hasTail(OpResult result) {
  auto isUsedBy = [&](auto isUser) {
    return llvm::any_of(result.getUsers(), isUser);
  };
  if (tensorOf(result).getRank() == 0)
    return isUsedBy(llvm::IsaPred<kernel::ConcatOp, kernel::AllReduceOp>);
  return !isUsedBy(llvm::IsaPred<func::ReturnOp>);
}

static void setEnds(kernel::KernelOpInterface op) {
  SmallVector<int64_t> ends;
  for (OpResult result : op->getResults())
    if (tensorOf(result).hasStaticShape() && !hasTail(result))
      ends.push_back(result.getResultNumber());
  if (!ends.empty())
    op.setEndsAttr(DenseI64ArrayAttr::get(op.getContext(), ends));
}

void EmitCpu::runOnOperation() {
  const Level *found =
      getLevel(getOperation().getLoc(), ::vit::format::Target::Cpu, level);
  if (!found)
    return signalPassFailure();
  Level plain = getExpandedLevel();
  plain.products = found->products;
  if (expandTiles)
    found = &plain;
  SmallVector<kernel::KernelOpInterface> ops = getKernelOps(getOperation());
  if (ops.empty())
    return;
  auto kernels = getOperation().lookupSymbol<ModuleOp>("kernels");
  if (!kernels) {
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    kernels = ModuleOp::create(builder, getOperation().getLoc(), "kernels");
  }
  for (kernel::KernelOpInterface op : ops)
    setEnds(op);
  FailureOr<ReplacedKernels> done = replaceKernels(
      ops, kernels, [&](kernel::KernelOpInterface op, StringRef name) {
        return addFunction(op, name, kernels, *found);
      });
  if (failed(done) || (expandTiles && failed(expandTileOps(kernels, *found))))
    return signalPassFailure();
  dispatches += done->dispatches;
  functions += done->functions;
}
