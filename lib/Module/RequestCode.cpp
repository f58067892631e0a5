//===- RequestCode.cpp - The code of a requested module -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Request.h"

#include "vit/Dialect/Vit.h"
#include "vit/Kernel/Layout.h"
#include "vit/Kernel/Variables.h"

#include "format/TestVariables.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>

using namespace mlir;
using namespace mlir::vit;

/// Bytes of all slots of the largest training entry at `batch`.
static uint64_t getTrainingBytes(ModuleOp module, int64_t batch) {
  uint64_t most = 0;
  for (auto entry : module.getOps<func::FuncOp>()) {
    if (entry.isExternal() || !kernel::isTrainingEntry(entry))
      continue;
    std::map<int64_t, int64_t> slots;
    auto add = [&](int64_t slot, Value value) {
      if (slot >= 0)
        slots[slot] = std::max(slots[slot], kernel::getSlotBytes(value, batch));
    };
    for (Operation &op : entry.getBody().front()) {
      if (auto dispatch = dyn_cast<kernel::DispatchOp>(op))
        for (auto [slot, value] :
             llvm::zip(dispatch.getSlots().getNumbers(), dispatch.getResults()))
          add(slot, value);
      else if (auto concat = dyn_cast<kernel::ConcatOp>(op);
               concat && concat.getSlots())
        add(concat.getSlots().getNumbers()[0], concat.getResult());
    }
    uint64_t bytes = 0;
    for (auto [slot, size] : slots)
      bytes += size;
    most = std::max(most, bytes);
  }
  return most;
}

/// Removes the mark of vit-rematerialize from the training entries. Returns
/// whether all of them had it.
static bool takeLeastMemory(ModuleOp module) {
  bool isLeast = true;
  for (auto entry : module.getOps<func::FuncOp>())
    if (!entry.isExternal() && kernel::isTrainingEntry(entry))
      isLeast &= entry->removeAttr(kernel::kLeastMemoryAttr) != nullptr;
  return isLeast;
}

/// Runs the passes for a level. vit-rematerialize knows neither padding nor how
/// well slots can be shared, so a result may need more memory than its budget.
/// The budgets tried are therefore powers of 2^(1/8), whatever is allowed, from
/// the largest one allowed downwards until a result fits or the entries cannot
/// become smaller: what is tried for some memory is also tried for more, so
/// that a step that fits is never refused where more memory is allowed.
LogicalResult Request::lower(const Plan &plan, OwningOpRef<ModuleOp> &lowered) {
  constexpr double kBudgetsPerOctave = 8;
  // Reserves 1/64 for the scratch memory of threads.
  uint64_t wanted = request.training
                        ? request.training_memory - request.training_memory / 64
                        : 0;
  uint64_t best = std::numeric_limits<uint64_t>::max();
  OwningOpRef<ModuleOp> smallest;
  bool isDone = false;
  for (int step = wanted ? static_cast<int>(kBudgetsPerOctave *
                                            std::log2(double(wanted)))
                         : 0;
       step >= 0 && !isDone; --step) {
    uint64_t budget =
        wanted ? static_cast<uint64_t>(std::exp2(step / kBudgetsPerOctave)) : 0;
    lowered = graph->clone();
    if (failed(runPasses(plan, *lowered, budget)))
      return failure();
    uint64_t bytes =
        wanted ? getTrainingBytes(*lowered, std::max<int64_t>(request.batch, 1))
               : 0;
    isDone = takeLeastMemory(*lowered) || bytes <= wanted;
    if (bytes < best) {
      best = bytes;
      smallest = std::move(lowered);
    }
  }
  lowered = std::move(smallest);
  endPhase("passes " + plan.name());
  return success();
}

LogicalResult Request::runPasses(const Plan &plan, ModuleOp lowered,
                                 uint64_t trainingMemory) {
  const Level &level = *plan.level;
  PassManager manager(&context);
  TargetPipelineOptions options;
  options.target = ::vit::format::targetName(level.target);
  options.level = level.name;
  options.expandTiles = plan.expandsTiles;
  options.precision = ::vit::format::precisionName(plan.precision);
  for (std::string &product : splitList(request.keep))
    options.keep.push_back(std::move(product));
  if (plan.precision == ::vit::format::ElementType::I8)
    options.calibration = calibration;
  options.batch = request.batch > 0 ? request.batch : 1;
  options.outputs.assign(outputs.begin(), outputs.end());
  options.skip.assign(skip.begin(), skip.end());
  if (request.training)
    options.training = request.training;
  options.bucketBytes = request.bucket_bytes;
  options.trainingMemory = trainingMemory;
  if (failed(buildTargetPipeline(
          manager, options, [&](const Twine &message) -> LogicalResult {
            return outcome.fail(VIT_INVALID_ARGUMENT,
                                "training options: " +
                                    StringRef(message.str()).trim());
          }))) {
    if (outcome.status == VIT_OK)
      return outcome.fail(VIT_INVALID_ARGUMENT,
                          Twine("'") + request.training +
                              "' are not options of vit-generate-backward");
    return failure();
  }
#ifdef NDEBUG
  manager.enableVerifier(dumper != nullptr);
#endif
  if (dumper)
    manager.addInstrumentation(dumper->forLevel(plan.name()));
  if (failed(manager.run(lowered)))
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        firstError->take("the passes for " + plan.name() +
                                         " failed without a message"));
  return success();
}

/// The op of type `OpT` called @kernels, or null.
template <typename OpT> static OpT findKernels(ModuleOp module) {
  for (auto nested : module.getOps<OpT>())
    if (nested.getName() == "kernels")
      return nested;
  return nullptr;
}

/// Turns the kernels of a lowered graph into code.
LogicalResult Request::generate(const Plan &plan, CompiledLevel &compiled) {
  const Level &level = *plan.level;
  CodegenOptions options;
  options.threads = request.threads > 0 ? request.threads : 0;
  if (dumper) {
    options.verify = true;
    options.dumpDirectory = dumper->codeFolder(plan.name());
  }
  auto take = [&](auto code) -> LogicalResult {
    if (failed(code))
      return outcome.fail(
          VIT_INTERNAL, firstError->take("code generation for " + plan.name() +
                                         " failed without a message"));
    compiled.code = std::move(*code);
    endPhase("code " + plan.name());
    return success();
  };
  if (level.target == ::vit::format::Target::Cpu) {
    if (auto kernels = findKernels<ModuleOp>(compiled.lowered))
      return take(compileKernels(kernels, plan.codeLevel().name, options));
  } else if (auto kernels = findKernels<gpu::GPUModuleOp>(compiled.lowered)) {
    if (level.target == ::vit::format::Target::Vulkan)
      return take(compileVulkanKernels(kernels, level.name, options));
    return take(compileCudaKernels(kernels, level.name, options));
  }
  return outcome.fail(VIT_INTERNAL,
                      Twine("the pipeline left no kernels to compile for ") +
                          level.name);
}

/// Whether code for `level` in `precision` has instructions of tiles: those of
/// the precision, or, in a code in int8, those of bf16.
static bool hasTiles(const Level &level, ::vit::format::ElementType precision) {
  using ::vit::format::ElementType;
  auto isTile = [&](ElementType type) {
    const ::vit::format::Product *product =
        ::vit::format::findProduct(level, type);
    return product && product->m > 1;
  };
  return isTile(precision) ||
         (precision == ElementType::I8 && isTile(ElementType::BF16));
}

/// Adds the levels of one precision. Targets without products of tf32 compute
/// in f32, which they may have been asked for, too.
LogicalResult Request::addPlans(ArrayRef<std::string> targets,
                                ::vit::format::ElementType precision,
                                SmallVector<Plan> &plans) {
  SmallVector<::vit::format::ElementType> own = {precision};
  if (precision == ::vit::format::ElementType::TF32)
    own.push_back(::vit::format::ElementType::F32);
  for (::vit::format::ElementType one : own) {
    std::string message;
    FailureOr<SmallVector<const Level *>> levels =
        chooseLevels(targets, splitList(request.levels), one, message);
    if (failed(levels))
      return outcome.fail(VIT_INVALID_ARGUMENT, message);
    for (const Level *level : *levels) {
      bool isPlanned = llvm::any_of(plans, [&](const Plan &plan) {
        return plan.level == level && plan.precision == one;
      });
      if (isPlanned ||
          ::vit::format::precisionOn(level->target, precision) != one)
        continue;
      plans.push_back(
          {level, one,
           hasTiles(*level, one) && std::getenv(::vit::format::kExpandTiles)});
      if (plans.back().expandsTiles && levels->size() > 1)
        return outcome.fail(VIT_INVALID_ARGUMENT,
                            Twine(::vit::format::kExpandTiles) +
                                " is set: compile for level " + level->name +
                                " alone");
    }
  }
  return success();
}

/// Whether a product is to be computed in tf32, by the precision of the code,
/// of the text or that it keeps.
bool Request::asksForTf32(ArrayRef<std::string> precisions) {
  auto isTf32 = [](StringRef text) { return text.ends_with("tf32"); };
  if (llvm::any_of(precisions, isTf32) ||
      llvm::any_of(splitList(request.keep), isTf32))
    return true;
  return graph
      ->walk([](Operation *op) {
        auto precision = op->getAttrOfType<PrecisionAttr>("precision");
        return precision && precision.getValue() == Precision::tf32
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Says once for which targets vit-tile makes products of tf32 those of f32.
void Request::noteTf32(ArrayRef<std::string> precisions, ArrayRef<Plan> plans) {
  SmallVector<StringRef> exact;
  for (const Plan &plan : plans) {
    StringRef target = ::vit::format::targetName(plan.level->target);
    if (::vit::format::precisionOn(plan.level->target,
                                   ::vit::format::ElementType::TF32) !=
            ::vit::format::ElementType::TF32 &&
        !llvm::is_contained(exact, target))
      exact.push_back(target);
  }
  if (exact.empty() || !request.on_note || !asksForTf32(precisions))
    return;
  std::string text = "products in tf32 are for target cuda; code for " +
                     llvm::join(exact, " and ") + " computes them in f32";
  request.on_note(request.context, VIT_COMPILER_NOTE_MODEL, text.c_str());
}

/// The code to make: the levels of each precision, in the order of both lists.
LogicalResult Request::choosePlans(SmallVector<Plan> &plans) {
  SmallVector<std::string> precisions = splitList(request.precision);
  if (precisions.empty())
    precisions.push_back("f32");
  SmallVector<std::string> targets = splitList(request.targets);
  if (request.keep && precisions == SmallVector<std::string>{"f32"})
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "in precision f32 there is no product to keep in a "
                        "wider one; compile for another precision");
  for (const std::string &name : precisions) {
    ::vit::format::ElementType precision;
    if (!::vit::format::parsePrecision(name, precision))
      return outcome.fail(VIT_INVALID_ARGUMENT,
                          "there is no precision '" + name +
                              "'; choose one of " +
                              ::vit::format::precisionNames().text);
    if (llvm::count(precisions, name) > 1)
      return outcome.fail(VIT_INVALID_ARGUMENT,
                          "precision " + name + " is given twice");
    if (!::vit::format::isForTraining(precision) && request.training)
      return outcome.fail(VIT_UNSUPPORTED,
                          Twine("precision ") + name +
                              " is for inference; a training step computes in "
                              "one of " +
                              ::vit::format::trainingPrecisionNames().text);
    if (failed(addPlans(targets, precision, plans)))
      return failure();
  }
  noteTf32(precisions, plans);
  return success();
}

LogicalResult Request::compile() {
  if (!request.output_path || !*request.output_path)
    return outcome.fail(VIT_INVALID_ARGUMENT, "no output file was given");
  SmallVector<Plan> plans;
  if (failed(choosePlans(plans)) || (request.keep && failed(checkKept())) ||
      (request.statistics && failed(addWeightMagnitudes())))
    return failure();

  std::vector<OwningOpRef<ModuleOp>> lowered(plans.size());
  std::vector<CompiledLevel> compiled(plans.size());
  for (auto [index, plan] : llvm::enumerate(plans)) {
    if (failed(lower(plan, lowered[index])))
      return failure();
    compiled[index].level = plan.codeLevel().name;
    compiled[index].precision = plan.precision;
    compiled[index].lowered = *lowered[index];
    if (failed(generate(plan, compiled[index])))
      return failure();
  }
  std::string message;
  WriterOptions options;
  bool isInline =
      request.parameters == VIT_COMPILER_INLINE ||
      (request.parameters == VIT_COMPILER_DEFAULT && weights->isStored());
  options.parameters =
      isInline ? ParameterStorage::Inline : ParameterStorage::Reference;
  if (failed(writeModule(compiled, *weights, options, request.output_path,
                         message)))
    return outcome.fail(VIT_IO_ERROR, message);
  endPhase("write");
  return success();
}
