//===- Pipelines.cpp - The passes in their order --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Compiler.h"
#include "vit/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::vit;

ArrayRef<StringRef> vit::getOptionalPasses() {
  static const SmallVector<StringRef> passes = [] {
    SmallVector<StringRef> names;
    StringRef(VIT_COMPILER_OPTIONAL_PASSES).split(names, ',');
    return names;
  }();
  return passes;
}

LogicalResult vit::buildTargetPipeline(
    OpPassManager &manager, const TargetPipelineOptions &options,
    function_ref<LogicalResult(const Twine &)> reportError) {
  auto wanted = [&](StringRef pass) {
    return !llvm::is_contained(options.skip, pass);
  };
  OpPassManager &entries = manager.nest<func::FuncOp>();
  entries.addPass(createUnrollLayers());
  SelectOutputsOptions outputs;
  outputs.outputs.assign(options.outputs.begin(), options.outputs.end());
  entries.addPass(createSelectOutputs(outputs));
  if (options.training) {
    // Simplify removes dropout, which training needs, so it runs after the
    // backward pass has been generated.
    if (wanted("narrow-tokens"))
      entries.addPass(createNarrowTokens());
    std::unique_ptr<Pass> backward = createGenerateBackward();
    if (failed(backward->initializeOptions(*options.training, reportError)))
      return failure();
    manager.addPass(std::move(backward));
    if (options.bucketBytes != 0) {
      DistributeOptions distribute;
      distribute.bucketBytes = static_cast<int64_t>(options.bucketBytes);
      manager.addPass(createDistribute(distribute));
    }
  }
  OpPassManager &kernels =
      options.training ? manager.nest<func::FuncOp>() : entries;
  if (wanted("simplify"))
    kernels.addPass(createSimplify());
  if (wanted("narrow-tokens") && !options.training)
    kernels.addPass(createNarrowTokens());
  if (options.precision != "f32") {
    NarrowOptions narrow;
    narrow.precision = options.precision;
    narrow.keep.assign(options.keep.begin(), options.keep.end());
    kernels.addPass(createNarrow(narrow));
  }
  if (options.calibration)
    kernels.addPass(createCalibrate(*options.calibration));
  kernels.addPass(createConvertToKernels());
  if (wanted("fuse")) {
    FuseOptions fuse;
    fuse.roundBackward = options.target == "cpu";
    kernels.addPass(createFuse(fuse));
  }
  if (options.training) {
    RematerializeOptions rematerialize;
    rematerialize.budget = options.trainingMemory;
    rematerialize.batch = options.batch;
    kernels.addPass(createRematerialize(rematerialize));
  }
  TileOptions tile;
  tile.target = options.target;
  tile.level = options.level;
  tile.batch = options.batch;
  kernels.addPass(createTile(tile));
  kernels.addPass(createLayout());
  manager.addPass(createPlaceVariables());
  manager.addPass(createGroupUpdates());
  OpPassManager &placed = manager.nest<func::FuncOp>();
  placed.addPass(createPackParameters());
  PlanOptions plan;
  plan.batch = options.batch;
  placed.addPass(createPlan(plan));
  if (options.target == "cpu") {
    EmitCpuOptions emit;
    emit.level = options.level;
    emit.expandTiles = options.expandTiles;
    manager.addPass(createEmitCpu(emit));
  } else {
    EmitSimtOptions emit;
    emit.target = options.target;
    emit.level = options.level;
    manager.addPass(createEmitSimt(emit));
    if (options.expandTiles)
      manager.addNestedPass<gpu::GPUModuleOp>(createExpandMatrices());
  }
  return success();
}

namespace {
struct VitToTargetOptions : PassPipelineOptions<VitToTargetOptions> {
  Option<std::string> level{*this, "level",
                            llvm::cl::desc("Level of the target, see vit-tile"),
                            llvm::cl::init("")};
  Option<std::string> precision{*this, "precision",
                                llvm::cl::desc("Precision of products, see "
                                               "vit-narrow"),
                                llvm::cl::init("f32")};
  ListOption<std::string> keep{
      *this, "keep",
      llvm::cl::desc("Products and the precisions that they keep, see "
                     "vit-narrow")};
  Option<int64_t> batch{
      *this, "batch",
      llvm::cl::desc("The batch to choose for; any batch stays right"),
      llvm::cl::init(1)};
  ListOption<std::string> outputs{
      *this, "outputs",
      llvm::cl::desc("Names to return; empty: the entry's own results")};
  ListOption<std::string> skip{
      *this, "skip",
      llvm::cl::desc("Optional passes to leave out, "
                     "of " VIT_COMPILER_OPTIONAL_PASSES)};
  Option<std::string> training{
      *this, "training",
      llvm::cl::desc("Add a training step: {options of "
                     "vit-generate-backward}, {} for their defaults")};
  Option<uint64_t> bucketBytes{
      *this, "bucket-bytes",
      llvm::cl::desc("Bytes of the buckets in which a training step sums its "
                     "gradients over ranks; 0: it does not, see "
                     "vit-distribute"),
      llvm::cl::init(0)};
  Option<uint64_t> trainingMemory{
      *this, "training-memory",
      llvm::cl::desc("Bytes that a training step's activations may take at "
                     "the batch; 0: no budget, see vit-rematerialize"),
      llvm::cl::init(0)};
};
} // namespace

static LogicalResult
parsePipeline(StringRef target, OpPassManager &manager, StringRef text,
              function_ref<LogicalResult(const Twine &)> reportError) {
  VitToTargetOptions given;
  if (failed(given.parseFromString(text)))
    return failure();
  TargetPipelineOptions options;
  options.target = target.str();
  options.level = given.level;
  options.precision = given.precision;
  options.keep.assign(given.keep.begin(), given.keep.end());
  options.batch = given.batch;
  options.outputs.assign(given.outputs.begin(), given.outputs.end());
  options.skip.assign(given.skip.begin(), given.skip.end());
  for (StringRef pass : options.skip)
    if (!llvm::is_contained(getOptionalPasses(), pass))
      return reportError("cannot leave out '" + pass + "'; optional are " +
                         llvm::join(getOptionalPasses(), ", "));
  if (given.training.hasValue())
    options.training = given.training;
  options.bucketBytes = given.bucketBytes;
  options.trainingMemory = given.trainingMemory;
  return buildTargetPipeline(manager, options, reportError);
}

void vit::registerPipelines() {
  constexpr std::pair<StringLiteral, StringLiteral> targets[] = {
      {"cpu", "generated CPU code"},
      {"vulkan", "kernels for Vulkan devices"},
      {"cuda", "kernels for NVIDIA GPUs"}};
  for (auto [target, code] : targets)
    registerPassPipeline(
        ("vit-to-" + target).str(),
        ("From a graph to dispatches of " + code).str(),
        [target =
             target](OpPassManager &manager, StringRef text,
                     function_ref<LogicalResult(const Twine &)> reportError) {
          return parsePipeline(target, manager, text, reportError);
        },
        [](function_ref<void(const ::mlir::detail::PassOptions &)> handler) {
          handler(VitToTargetOptions());
        });
}
