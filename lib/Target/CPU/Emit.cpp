//===- Emit.cpp - From kernel ops to dispatches of generated code ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Common/ReplaceKernels.h"
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
      .Case([&](kernel::NormalizeBackwardOp op) {
        return emitNormalizeBackward(op, b);
      })
      .Case([&](kernel::SoftmaxBackwardOp op) {
        return emitSoftmaxBackward(op, b);
      })
      .Case([&](kernel::AttentionBackwardOp op) {
        return emitAttentionBackward(op, b);
      })
      .Case([&](kernel::LossOp op) { return emitLoss(op, b); })
      .Case([&](kernel::LossBackwardOp op) { return emitLossBackward(op, b); })
      .Case([&](kernel::PlaceOp op) { return emitPlace(op, b); })
      .Case([&](kernel::SpreadOp op) { return emitSpread(op, b); })
      .Case([&](kernel::DropoutOp op) { return emitDropout(op, b); })
      .Case([&](kernel::NormOp op) { return emitNorm(op, b); })
      .Case([&](kernel::UpdateOp op) { return emitUpdate(op, b); })
      .Case([&](kernel::WeightGradientOp op) {
        return emitWeightGradient(op, b);
      })
      .Case([&](kernel::PackOp op) { return emitPack(op, b); })
      .Case([&](kernel::SumOp op) { return emitSum(op, b); })
      .Default([](Operation *op) {
        return op->emitOpError("has no code for the CPU");
      });
}

namespace {
struct EmitCpu : mlir::vit::impl::EmitCpuBase<EmitCpu> {
  using EmitCpuBase::EmitCpuBase;
  void runOnOperation() override;
};
} // namespace

/// Adds the function `name` for `op` to `kernels`.
static FailureOr<KernelInfo> emit(Operation *op, StringRef name,
                                  ModuleOp kernels, const Level &level) {
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
  if (auto update = dyn_cast<kernel::UpdateOp>(op))
    types.append(update.getVariableCount(), getBuffer(builder.getF32Type()));
  types.append(3, builder.getIndexType());
  types.push_back(getBuffer(builder.getI8Type()));
  auto function = func::FuncOp::create(builder, op->getLoc(), name,
                                       builder.getFunctionType(types, {}));
  function.addEntryBlock();
  KernelBuilder b(function, level);
  FailureOr<KernelInfo> info = emitBody(op, b);
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
  if (cast<RankedTensorType>(result.getType()).getRank() == 0)
    return isUsedBy(llvm::IsaPred<kernel::ConcatOp>);
  return !isUsedBy(llvm::IsaPred<func::ReturnOp>);
}

static void setEnds(kernel::KernelOpInterface op) {
  SmallVector<int64_t> ends;
  for (OpResult result : op->getResults())
    if (cast<RankedTensorType>(result.getType()).hasStaticShape() &&
        !hasTail(result))
      ends.push_back(result.getResultNumber());
  if (!ends.empty())
    op.setEndsAttr(DenseI64ArrayAttr::get(op.getContext(), ends));
}

void EmitCpu::runOnOperation() {
  const Level *found =
      getLevel(getOperation().getLoc(), ::vit::format::Target::Cpu, level);
  if (!found)
    return signalPassFailure();
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
  FailureOr<ReplacedKernels> done =
      replaceKernels(ops, kernels, [&](Operation *op, StringRef name) {
        return emit(op, name, kernels, *found);
      });
  if (failed(done))
    return signalPassFailure();
  dispatches += done->dispatches;
  functions += done->functions;
}
