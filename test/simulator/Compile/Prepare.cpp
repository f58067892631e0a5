//===- Prepare.cpp - Lowers kernels to the NVVM dialect -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Prepare.h"

#include "../Runtime/Library.h"

#include "format/Cubin.h"
#include "format/DeclaredMemory.h"
#include "vit/Dialect/Kernel.h"
#include "vit/Dialect/Registration.h"
#include "vit/Kernel/Layout.h"
#include "vit/Passes.h"
#include "vit/Target/CUDA.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/PassManager.h"

#include <cstdlib>

// In the namespace: at file scope `vit` and `mlir::vit` would be ambiguous.
namespace vit::sim {
using namespace mlir;
using mlir::vit::kernel::ArenaOp;
using mlir::vit::kernel::DispatchOp;

void registerPreparation(DialectRegistry &registry) {
  mlir::vit::registerVitDialects(registry);
  mlir::vit::registerSimtCodegen(registry);
  registry.insert<LLVM::LLVMDialect, NVVM::NVVMDialect, DLTIDialect>();
}

/// Records the sizes of the operands of each dispatch.
static void noteBytes(ModuleOp module, HostOptions &options) {
  module.walk([&](DispatchOp dispatch) {
    std::vector<ArgumentBytes> arguments;
    auto add = [&](Value value, bool written) {
      auto type = cast<RankedTensorType>(value.getType());
      auto bytes = mlir::vit::kernel::getBytes(type);
      Type element = type.getElementType();
      arguments.push_back({bytes.getTimes(), bytes.getOf(), bytes.getPer(),
                           written,
                           element.isBF16()  ? "bf16"
                           : element.isF16() ? "f16"
                                             : "any"});
    };
    // An update changes its ranges of arenas in place.
    for (Value operand : dispatch.getOperands())
      add(operand, operand.getDefiningOp<ArenaOp>() != nullptr);
    for (Value result : dispatch.getResults())
      add(result, true);
    std::string name = dispatch.getKernel().getLeafReference().str();
    options.bytes[name] = arguments;
    auto units = dispatch.getUnits();
    options.units[name] = {units.getTimes(), units.getOf(), units.getPer()};
  });
}

/// Records the registers that ptxas, if there is one, gives the kernel that is
/// counted.
static LogicalResult noteRegisters(gpu::GPUModuleOp kernels, StringRef level,
                                   HostOptions &options) {
  if (mlir::vit::findPtxas().empty())
    return success();
  OwningOpRef<gpu::GPUModuleOp> single = kernels.clone();
  for (auto function :
       llvm::make_early_inc_range(single->getOps<gpu::GPUFuncOp>()))
    if (function.getName() != options.counted)
      function.erase();
  if (single->getOps<gpu::GPUFuncOp>().empty())
    return success(); // the launch will say so
  auto code = mlir::vit::compileCudaKernels(*single, level);
  if (failed(code))
    return failure();
  for (const mlir::vit::CudaImage &image : code->cubins)
    options.registers[image.arch] = ::vit::format::findRegisters(
        reinterpret_cast<const unsigned char *>(image.bytes.data()),
        image.bytes.size(), options.counted);
  return success();
}

LogicalResult prepareKernels(ModuleOp module, StringRef level,
                             HostOptions &options) {
  auto find = [&] {
    gpu::GPUModuleOp found;
    module.walk([&](gpu::GPUModuleOp kernels) { found = kernels; });
    return found;
  };
  gpu::GPUModuleOp kernels = find();
  if (!kernels && !module.getOps<func::FuncOp>().empty()) {
    PassManager manager(module.getContext());
    mlir::vit::TargetPipelineOptions target;
    target.target = "cuda";
    target.level = level.str();
    auto report = [&](const Twine &text) { return module.emitError() << text; };
    if (failed(mlir::vit::buildTargetPipeline(manager, target, report)) ||
        failed(manager.run(module)))
      return failure();
    kernels = find();
  }
  if (!kernels)
    return success(); // NVVM dialect, or an error later
  noteBytes(module, options);
  if (options.counters && failed(noteRegisters(kernels, level, options)))
    return failure();
  // The simulator needs only the PTX, not machine code.
  setenv("VIT_PTXAS", "", 1);
  auto code = mlir::vit::compileCudaKernels(kernels, level);
  if (failed(code))
    return failure();
  // As the runtime does.
  for (const mlir::vit::SimtKernel &kernel : code->kernels) {
    if (kernel.sharedBytes > ::vit::format::kDeclaredSharedBytes)
      options.dynamicShared[kernel.name] = kernel.sharedBytes;
    for (const mlir::vit::TensorMap &map : kernel.maps)
      options.maps[kernel.name].push_back(
          {map.argument, map.columns, map.boxRows, map.rows});
  }
  options.ptxHash = hashText(code->ptx.data(), code->ptx.size());
  PassManager manager(module.getContext());
  manager.addPass(mlir::vit::createLowerToNvvm());
  return manager.run(module);
}

} // namespace vit::sim
