//===- Emit.cpp - From kernel ops to dispatches of GPU code ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../CUDA/TensorEmitters.h"
#include "../Common/ReplaceKernels.h"
#include "../Vulkan/MatrixEmitters.h"
#include "Emitters.h"

#include "vit/Kernel/Cluster.h"
#include "vit/Kernel/TensorCores.h"
#include "vit/Kernel/Variables.h"
#include "vit/Passes.h"
#include "vit/Target/Codegen.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

namespace mlir::vit {
#define GEN_PASS_DEF_EMITSIMT
#include "Passes.h.inc"
} // namespace mlir::vit

/// Returns the operands of the dispatch, then its results.
static SmallVector<KernelArgument> getArguments(Operation *op) {
  SmallVector<KernelArgument> arguments;
  for (Value operand : op->getOperands())
    arguments.push_back({tensorOf(operand), kernel::isComputed(operand)});
  for (Type type : op->getResultTypes())
    arguments.push_back({cast<RankedTensorType>(type), true});
  if (auto update = dyn_cast<kernel::UpdateOp>(op)) {
    auto range = RankedTensorType::get({kernel::getUpdatedElements(update)},
                                       Float32Type::get(op->getContext()));
    arguments.append(update.getVariableCount(), {range, false});
    kernel::Variables variables(update->getParentOfType<ModuleOp>());
    arguments.append(variables.getRoundedLists(update).size(),
                     {range.clone(BFloat16Type::get(op->getContext())), false});
  }
  return arguments;
}

/// Adds the kernel `name` for `op` to `kernels`.
static FailureOr<KernelInfo> addFunction(kernel::KernelOpInterface op,
                                         StringRef name,
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
  auto emitOp = [&]() -> FailureOr<KernelInfo> {
    if (!kernel::usesTensorCores(op, level))
      return visitKernel(op, [&](auto kernel) { return emit(kernel, b); });
    return level.target == ::vit::format::Target::Cuda
               ? cuda::emitTensor(op, b)
               : vulkan::emitMatrix(op, b);
  };
  FailureOr<KernelInfo> info = emitOp();
  b.finish();
  if (succeeded(info) && op->hasAttr(kernel::kClusterAttr) &&
      !b.function()->hasAttr(kClusterDimAttr))
    return op->emitOpError("is for clusters of workgroups (")
           << kernel::kClusterAttr << "), which its kernel does not have";
  return info;
}

namespace {
struct EmitSimt : mlir::vit::impl::EmitSimtBase<EmitSimt> {
  using EmitSimtBase::EmitSimtBase;
  void getDependentDialects(DialectRegistry &registry) const override {
    EmitSimtBase::getDependentDialects(registry);
    registry.insert<NVVM::NVVMDialect, nvgpu::NVGPUDialect>();
  }
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
        return addFunction(op, name, kernels, *found);
      });
  if (failed(done))
    return signalPassFailure();
  dispatches += done->dispatches;
  functions += done->functions;
}
