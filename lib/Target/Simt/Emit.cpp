//===- Emit.cpp - From kernel ops to dispatches of GPU code ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Common/ReplaceKernels.h"
#include "Emitters.h"

#include "vit/Kernel/Variables.h"
#include "vit/Passes.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

namespace mlir::vit {
#define GEN_PASS_DEF_EMITSIMT
#include "Passes.h.inc"
} // namespace mlir::vit

static FailureOr<KernelInfo> emitBody(Operation *op, SimtBuilder &b) {
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
      .Case([&](kernel::WeightGradientOp op) {
        return emitWeightGradient(op, b);
      })
      .Case([&](kernel::SumOp op) { return emitSum(op, b); })
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
      .Case([&](kernel::PackOp op) { return emitPack(op, b); })
      .Case([&](kernel::NormOp op) { return emitNorm(op, b); })
      .Case([&](kernel::UpdateOp op) { return emitUpdate(op, b); })
      .Default(
          [](Operation *op) { return op->emitOpError("has no GPU code"); });
}

/// Returns the operands of the dispatch, then its results.
static SmallVector<KernelArgument> getArguments(Operation *op) {
  SmallVector<KernelArgument> arguments;
  for (Value operand : op->getOperands())
    arguments.push_back({cast<RankedTensorType>(operand.getType()),
                         kernel::isComputed(operand)});
  for (Type type : op->getResultTypes())
    arguments.push_back({cast<RankedTensorType>(type), true});
  if (auto update = dyn_cast<kernel::UpdateOp>(op)) {
    auto range = RankedTensorType::get({kernel::getUpdatedElements(update)},
                                       Float32Type::get(op->getContext()));
    arguments.append(update.getVariableCount(), {range, false});
  }
  return arguments;
}

/// Adds the kernel `name` for `op` to `kernels`.
static FailureOr<KernelInfo> emit(kernel::KernelOpInterface op, StringRef name,
                                  gpu::GPUModuleOp kernels,
                                  const Level &level) {
  kernel::TileAttr tile = op.getTileAttr();
  if (!tile || !tile.isGpu())
    return op->emitOpError("has no tile for a GPU; run vit-tile with this "
                           "target first");
  if (tile.getThreads() > level.limits.threads)
    return op->emitOpError("has a tile of ")
           << tile.getThreads() << " threads; the level has at most "
           << level.limits.threads;
  SmallVector<KernelArgument> arguments = getArguments(op);
  if (int64_t(arguments.size()) > level.limits.arguments)
    return op->emitOpError("has ")
           << arguments.size()
           << " operands and results; a GPU kernel can have "
           << level.limits.arguments << "; fuse less into it";
  SimtBuilder b(op, arguments, name, kernels, level);
  FailureOr<KernelInfo> info = emitBody(op, b);
  b.finish();
  return info;
}

namespace {
struct EmitSimt : mlir::vit::impl::EmitSimtBase<EmitSimt> {
  using EmitSimtBase::EmitSimtBase;
  void runOnOperation() override;
};
} // namespace

void EmitSimt::runOnOperation() {
  const Level *found = getLevel(getOperation().getLoc(), target, level);
  if (!found)
    return signalPassFailure();
  if (found->target == ::vit::format::Target::Cpu) {
    getOperation().emitError("target cpu is no GPU; use vit-emit-cpu");
    return signalPassFailure();
  }
  SmallVector<kernel::KernelOpInterface> ops = getKernelOps(getOperation());
  if (ops.empty())
    return;
  auto kernels = getOperation().lookupSymbol<gpu::GPUModuleOp>("kernels");
  if (!kernels) {
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    kernels =
        gpu::GPUModuleOp::create(builder, getOperation().getLoc(), "kernels");
  }
  FailureOr<ReplacedKernels> done = replaceKernels(
      ops, kernels, [&](kernel::KernelOpInterface op, StringRef name) {
        return emit(op, name, kernels, *found);
      });
  if (failed(done))
    return signalPassFailure();
  dispatches += done->dispatches;
  functions += done->functions;
}
