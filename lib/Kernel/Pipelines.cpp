//===- Pipelines.cpp - The passes in their order ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::vit;

ArrayRef<StringRef> vit::getOptionalPasses() {
  static const StringRef passes[] = {"simplify", "narrow-tokens", "fuse"};
  return passes;
}

void vit::buildCpuPipeline(OpPassManager &manager,
                           const CpuPipelineOptions &options) {
  auto wanted = [&](StringRef pass) {
    return !llvm::is_contained(options.skip, pass);
  };
  OpPassManager &entries = manager.nest<func::FuncOp>();
  entries.addPass(createUnrollLayers());
  SelectOutputsOptions outputs;
  outputs.outputs.assign(options.outputs.begin(), options.outputs.end());
  entries.addPass(createSelectOutputs(outputs));
  if (wanted("simplify"))
    entries.addPass(createSimplify());
  if (wanted("narrow-tokens"))
    entries.addPass(createNarrowTokens());
  entries.addPass(createConvertToKernels());
  if (wanted("fuse"))
    entries.addPass(createFuse());
  TileOptions tile;
  tile.level = options.level;
  tile.batch = options.batch;
  entries.addPass(createTile(tile));
  entries.addPass(createLayout());
  entries.addPass(createPlan());
  EmitCpuOptions emit;
  emit.level = options.level;
  manager.addPass(createEmitCpu(emit));
}

namespace {
struct VitToCpuOptions : PassPipelineOptions<VitToCpuOptions> {
  Option<std::string> level{*this, "level",
                            llvm::cl::desc("CPU level: avx2 or avx512"),
                            llvm::cl::init("avx512")};
  Option<int64_t> batch{
      *this, "batch",
      llvm::cl::desc("The batch to choose for; any batch stays right"),
      llvm::cl::init(1)};
  ListOption<std::string> outputs{
      *this, "outputs",
      llvm::cl::desc("Names to return; empty: the entry's own results")};
  ListOption<std::string> skip{
      *this, "skip",
      llvm::cl::desc("Optional passes to leave out: simplify, "
                     "narrow-tokens, fuse")};
};
} // namespace

static LogicalResult
parseCpuPipeline(OpPassManager &manager, StringRef text,
                 function_ref<LogicalResult(const Twine &)> reportError) {
  VitToCpuOptions given;
  if (failed(given.parseFromString(text)))
    return failure();
  CpuPipelineOptions options;
  options.level = given.level;
  options.batch = given.batch;
  options.outputs.assign(given.outputs.begin(), given.outputs.end());
  options.skip.assign(given.skip.begin(), given.skip.end());
  for (StringRef pass : options.skip)
    if (!llvm::is_contained(getOptionalPasses(), pass))
      return reportError("cannot leave out '" + pass + "'; optional are " +
                         llvm::join(getOptionalPasses(), ", "));
  buildCpuPipeline(manager, options);
  return success();
}

void vit::registerPipelines() {
  registerPassPipeline(
      "vit-to-cpu", "From a graph to dispatches of generated CPU code",
      parseCpuPipeline,
      [](function_ref<void(const ::mlir::detail::PassOptions &)> handler) {
        handler(VitToCpuOptions());
      });
}
