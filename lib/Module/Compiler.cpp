//===- Compiler.cpp - The compiler's one function in C --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Compiler.h"

#include "CompilerProcess.h"
#include "DumpIr.h"
#include "Levels.h"
#include "vit/Dialect/Names.h"
#include "vit/Dialect/Products.h"
#include "vit/Dialect/Registration.h"
#include "vit/Dialect/Vit.h"
#include "vit/Import/Import.h"
#include "vit/Import/ModelFolder.h"
#include "vit/Import/Weights.h"
#include "vit/Kernel/Layout.h"
#include "vit/Kernel/Variables.h"
#include "vit/Module/Writer.h"
#include "vit/Passes.h"
#include "vit/Reference/Interpreter.h"

#include "format/TestVariables.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <new>

using namespace mlir;
using namespace mlir::vit;

namespace {

/// The first error that MLIR reports, with its location.
class FirstError {
public:
  explicit FirstError(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          std::lock_guard<std::mutex> lock(mutex);
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error &&
              text.empty())
            text = describe(diagnostic);
          return success();
        }) {}

  /// The error's text, or `otherwise` if none was reported.
  std::string take(const Twine &otherwise) {
    std::lock_guard<std::mutex> lock(mutex);
    return text.empty() ? otherwise.str() : std::exchange(text, "");
  }

private:
  static std::string describe(Diagnostic &diagnostic) {
    std::string where;
    llvm::raw_string_ostream stream(where);
    diagnostic.getLocation()->walk([&](Location location) {
      if (auto file = dyn_cast<FileLineColLoc>(location)) {
        stream << file.getFilename().getValue() << ':' << file.getLine() << ':'
               << file.getColumn() << ": ";
        return WalkResult::interrupt();
      }
      if (auto name = dyn_cast<NameLoc>(location);
          name && isa<UnknownLoc>(name.getChildLoc())) {
        stream << name.getName().getValue() << ": ";
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    return where + diagnostic.str();
  }

  std::mutex mutex;
  std::string text;
  ScopedDiagnosticHandler handler;
};

SmallVector<std::string> splitList(const char *text) {
  SmallVector<std::string> parts;
  SmallVector<StringRef> pieces;
  StringRef(text ? text : "").split(pieces, ',', -1, /*KeepEmpty=*/false);
  for (StringRef piece : pieces)
    parts.push_back(piece.trim().str());
  return parts;
}

/// One kind of code that a module will hold.
struct Plan {
  const Level *level;
  ::vit::format::ElementType precision;
  bool expandsTiles = false; ///< see kExpandTiles

  /// The level that the module says the code is for. That of a GPU tells the
  /// features that kernels use one by one.
  const Level &codeLevel() const {
    return expandsTiles && level->target == ::vit::format::Target::Cpu
               ? getExpandedLevel()
               : *level;
  }
  /// "avx2", or "avx2-bf16".
  std::string name() const {
    std::string text = level->name;
    if (precision != ::vit::format::ElementType::F32)
      text += std::string("-") + ::vit::format::precisionName(precision);
    return text;
  }
};

/// One request, step by step.
class Request {
public:
  Request(const vit_compiler_request &request, Outcome &outcome)
      : request(request), outcome(outcome) {
    DialectRegistry registry;
    registerVitDialects(registry);
    registerCpuCodegen(registry);
    registerSimtCodegen(registry);
    context.appendDialectRegistry(registry);
    // Passes have one function to work on; code generation has its own threads.
    context.disableMultithreading();
    started = std::chrono::steady_clock::now();
  }

  LogicalResult run() {
    FirstError errors(&context);
    firstError = &errors;
    outputs = splitList(request.outputs);
    for (std::string &name : outputs)
      if (name == VIT_COMPILER_LOGITS_ALIAS)
        name = "logits";
    skip = splitList(request.skip_passes);
    for (StringRef pass : skip)
      if (!llvm::is_contained(getOptionalPasses(), pass))
        return outcome.fail(VIT_INVALID_ARGUMENT,
                            "there is no optional pass '" + pass +
                                "'; choose of " VIT_COMPILER_OPTIONAL_PASSES);
    if (failed(load()) || failed(expandOutputs()) || failed(observeProducts()))
      return failure();
    return request.action == VIT_COMPILER_EVALUATE ? evaluate() : compile();
  }

private:
  LogicalResult load();
  LogicalResult setImageSize();
  LogicalResult expandOutputs();
  LogicalResult observeProducts();
  void addPassesBeforeNarrow(OpPassManager &entries,
                             const SelectOutputsOptions &selected);
  FailureOr<OwningOpRef<ModuleOp>> prepareProducts();
  LogicalResult checkKept();
  LogicalResult addWeightMagnitudes();
  LogicalResult choosePlans(SmallVector<Plan> &plans);
  LogicalResult compile();
  LogicalResult lower(const Plan &plan, OwningOpRef<ModuleOp> &lowered);
  LogicalResult runPasses(const Plan &plan, ModuleOp lowered,
                          uint64_t trainingMemory);
  LogicalResult generate(const Plan &plan, CompiledLevel &compiled);
  LogicalResult evaluate();

  /// Reports the time since the last phase ended.
  void endPhase(const Twine &name) {
    auto now = std::chrono::steady_clock::now();
    if (request.on_phase)
      request.on_phase(request.context, name.str().c_str(),
                       std::chrono::duration<double>(now - started).count());
    started = now;
  }

  const vit_compiler_request &request;
  Outcome &outcome;
  MLIRContext context;
  FirstError *firstError = nullptr;
  SmallVector<std::string> outputs, skip;
  std::optional<CalibrateOptions> calibration; ///< of code in int8
  OwningOpRef<ModuleOp> graph;
  std::unique_ptr<Weights> weights;
  std::unique_ptr<IrDumper> dumper;
  std::chrono::steady_clock::time_point started;
};

LogicalResult Request::load() {
  std::string model = resolveModelFolder(request.model ? request.model : "");
  if (!llvm::sys::fs::exists(model))
    return outcome.fail(VIT_NOT_FOUND, model.empty()
                                           ? "the request has no model"
                                           : explainMissingModel(model));
  if (request.dump_directory) {
    if (std::error_code code =
            llvm::sys::fs::create_directories(request.dump_directory))
      return outcome.fail(VIT_IO_ERROR, Twine("cannot make the folder ") +
                                            request.dump_directory + ": " +
                                            code.message());
    dumper = std::make_unique<IrDumper>(request.dump_directory);
  }
  std::string message;
  ImportNotes notes;
  graph = loadModel(model, &context, message, &notes);
  if (!graph)
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        message.empty()
                            ? firstError->take("the model cannot be read")
                            : message);
  if (failed(setImageSize()))
    return failure();
  bool isFolder = llvm::sys::fs::is_directory(model);
  if (isFolder && request.weights)
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "--weights requires a .mlir text; a folder has its "
                        "own weights");
  // A folder without weights can be trained from its initialisers.
  bool isStored = isFolder && (!request.training || Weights::existIn(model));
  StringRef path = request.weights ? request.weights
                   : isStored      ? StringRef(model)
                                   : "";
  weights = Weights::open(path, request.seed, message);
  if (!weights ||
      failed(weights->check(*graph, request.allow_unused != 0, message)))
    return outcome.fail(VIT_INVALID_ARGUMENT, message);
  if (std::string note = weights->describePrefix(*graph); !note.empty())
    notes.model.push_back(note);
  // A training run opens the weights again and says so itself.
  if (!request.training)
    notes.model.insert(notes.model.end(), weights->getNotes().begin(),
                       weights->getNotes().end());
  if (request.on_note) {
    for (const std::string &note : notes.model)
      request.on_note(request.context, VIT_COMPILER_NOTE_MODEL, note.c_str());
    if (!notes.pictures.empty())
      request.on_note(request.context, VIT_COMPILER_NOTE_PICTURES,
                      notes.pictures.c_str());
  }
  endPhase("import");
  return success();
}

LogicalResult Request::setImageSize() {
  StringRef text = request.image_size ? request.image_size : "";
  if (text.empty())
    return success();
  SetImageSizeOptions options;
  SmallVector<StringRef> sizes;
  text.split(sizes, ',');
  for (StringRef size : sizes)
    options.sizes.push_back(size.trim().str());
  if (llvm::is_contained(options.sizes, ""))
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "--image-size " + text +
                            ": a size is missing beside a comma; sizes are H "
                            "or HxW, such as 224,518x336");
  if (options.sizes.size() > 1 && request.training)
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "a training step is compiled for one image size");
  PassManager manager(&context);
  manager.addPass(createSetImageSize(options));
  if (failed(manager.run(*graph)))
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        firstError->take("the image size cannot be set"));
  return success();
}

/// Replaces `attention_*` by the outputs of all layers, and `attention_-1` by
/// that of the last.
LogicalResult Request::expandOutputs() {
  SmallVector<std::string> expanded;
  for (const std::string &name : outputs) {
    StringRef prefix = name;
    int64_t fromEnd = 0;
    bool isAll = prefix.consume_back("_*");
    if (!isAll) {
      auto [before, after] = prefix.rsplit('_');
      if (!after.starts_with("-") || after.getAsInteger(10, fromEnd)) {
        expanded.push_back(name);
        continue;
      }
      prefix = before;
    }
    // One more than the highest number of an output with this name.
    int64_t count = 0;
    graph->walk([&](OutputOp output) {
      StringRef number = output.getName();
      int64_t value = 0;
      if (!number.consume_front((prefix + "_").str()))
        return;
      if (number == "{}") {
        auto layers = output->getParentOfType<LayersOp>();
        count = std::max<int64_t>(count, layers ? layers.getCount() : 0);
      } else if (!number.getAsInteger(10, value)) {
        count = std::max(count, value + 1);
      }
    });
    if (count == 0 || -fromEnd > count)
      return outcome.fail(VIT_NOT_FOUND,
                          "no output of the model is called '" + name + "'");
    if (isAll)
      for (int64_t layer = 0; layer < count; ++layer)
        expanded.push_back((prefix + "_" + Twine(layer)).str());
    else
      expanded.push_back((prefix + "_" + Twine(count + fromEnd)).str());
  }
  outputs = std::move(expanded);
  return success();
}

/// Adds what the pipeline for inference runs before vit-narrow.
void Request::addPassesBeforeNarrow(OpPassManager &entries,
                                    const SelectOutputsOptions &selected) {
  entries.addPass(createUnrollLayers());
  entries.addPass(createSelectOutputs(selected));
  if (!llvm::is_contained(skip, "simplify"))
    entries.addPass(createSimplify());
  if (!llvm::is_contained(skip, "narrow-tokens"))
    entries.addPass(createNarrowTokens());
}

/// Brings a copy of the graph into the form in which vit-narrow sees it.
FailureOr<OwningOpRef<ModuleOp>> Request::prepareProducts() {
  PassManager manager(&context);
  SelectOutputsOptions selected;
  selected.outputs.assign(outputs.begin(), outputs.end());
  addPassesBeforeNarrow(manager.nest<func::FuncOp>(), selected);
  OwningOpRef<ModuleOp> prepared = graph->clone();
  if (failed(manager.run(*prepared)))
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        firstError->take("products cannot be listed"));
  return prepared;
}

/// Fails if an entry of `request.keep` is not the name of a product of the
/// model and a precision.
LogicalResult Request::checkKept() {
  if (request.training)
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "products keep a precision of their own in inference; "
                        "leave --keep out where there is a training step");
  FailureOr<OwningOpRef<ModuleOp>> prepared = prepareProducts();
  if (failed(prepared))
    return failure();
  std::vector<std::string> products;
  for (auto entry : (*prepared)->getOps<func::FuncOp>())
    forEachProduct(entry, [&](Operation *, StringRef name) {
      products.push_back(name.str());
    });
  for (StringRef text : splitList(request.keep)) {
    StringRef name = text.rsplit('=').first;
    ::vit::format::ElementType precision;
    if (!::vit::format::parsePrecision(text.rsplit('=').second, precision))
      return outcome.fail(
          VIT_INVALID_ARGUMENT,
          "to keep '" + text +
              "': write the name of a product, '=' and one of " +
              ::vit::format::precisionNames().text);
    if (llvm::is_contained(products, name))
      continue;
    auto nearest = llvm::min_element(products, [&](StringRef a, StringRef b) {
      return name.edit_distance(a) < name.edit_distance(b);
    });
    return outcome.fail(VIT_NOT_FOUND,
                        "the model has no product '" + name + "' to keep" +
                            (nearest == products.end()
                                 ? Twine("")
                                 : "; did you mean '" + *nearest + "'?"));
  }
  return success();
}

/// The largest magnitudes of the columns of the weight of `op`, as JSON.
static FailureOr<llvm::json::Array>
getWeightMagnitudes(LinearOp op, const Weights &weights, std::string &message) {
  llvm::json::Array magnitudes;
  auto read = op.getWeight().getDefiningOp<ReadOp>();
  if (!read)
    return magnitudes;
  auto parameter = SymbolTable::lookupNearestSymbolFrom<ParameterOp>(
      op, read.getParameterAttr());
  std::vector<float> values(parameter.getTensorType().getNumElements());
  if (failed(weights.read(parameter, int64_t(read.getLayer().value_or(0)),
                          MutableArrayRef<float>(values), message)))
    return failure();
  int64_t width = tensorOf(op.getWeight()).getDimSize(1);
  std::vector<float> largest(width);
  for (size_t i = 0; i < values.size(); ++i)
    largest[i % width] = std::max(largest[i % width], std::fabs(values[i]));
  for (float magnitude : largest)
    magnitudes.push_back(magnitude);
  return magnitudes;
}

/// Sets `calibration` from the request. The magnitudes of the weights are those
/// of the products that the pipeline will calibrate.
LogicalResult Request::addWeightMagnitudes() {
  calibration.emplace();
  calibration->alpha = request.smooth_alpha;
  calibration->staticScales = request.static_scales != 0;
  llvm::Expected<llvm::json::Value> statistics =
      llvm::json::parse(request.statistics);
  if (!statistics || !statistics->getAsObject()) {
    llvm::consumeError(statistics.takeError());
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "the statistics are no JSON object of products");
  }
  FailureOr<OwningOpRef<ModuleOp>> prepared = prepareProducts();
  if (failed(prepared))
    return failure();
  std::string message;
  bool isRead = true;
  llvm::json::Object &products = *statistics->getAsObject();
  for (auto entry : (*prepared)->getOps<func::FuncOp>())
    forEachProduct(entry, [&](Operation *product, StringRef name) {
      auto op = dyn_cast<LinearOp>(product);
      if (!op || !isRead || !calibration->alpha)
        return;
      FailureOr<llvm::json::Array> magnitudes =
          getWeightMagnitudes(op, *weights, message);
      isRead = succeeded(magnitudes);
      llvm::json::Value &own = products[name.str()];
      if (isRead && !own.getAsObject())
        own = llvm::json::Object();
      if (isRead)
        (*own.getAsObject())["weight"] = std::move(*magnitudes);
    });
  if (!isRead)
    return outcome.fail(VIT_INVALID_ARGUMENT, message);
  llvm::raw_string_ostream(calibration->text) << *statistics;
  return success();
}

/// If the results or inputs of products are asked for, makes them outputs of
/// the graph and replaces "product:*" or "input:*" by their names. The graph is
/// first brought into the form in which products are compiled for the other
/// outputs: vit-narrow-tokens would find more users of the products, and
/// vit-narrow goes by their shapes.
LogicalResult Request::observeProducts() {
  constexpr StringLiteral products = VIT_COMPILER_PRODUCT_PREFIX,
                          inputs = VIT_COMPILER_INPUT_PREFIX;
  ObserveProductsOptions observed;
  observed.inputs = llvm::any_of(outputs, [&](const std::string &name) {
    return StringRef(name).starts_with(inputs);
  });
  StringRef prefix = observed.inputs ? inputs : products;
  SelectOutputsOptions others;
  for (const std::string &name : outputs)
    if (!StringRef(name).starts_with(prefix))
      others.outputs.push_back(name);
  if (others.outputs.size() == outputs.size())
    return success();
  if (request.training)
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "outputs " + prefix + "NAME are for inference");
  PassManager manager(&context);
  OpPassManager &entries = manager.nest<func::FuncOp>();
  addPassesBeforeNarrow(entries, others);
  entries.addPass(createObserveProducts(observed));
  if (failed(manager.run(*graph)))
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        firstError->take("products cannot be observed"));
  auto functions = graph->getOps<func::FuncOp>();
  if (functions.empty())
    return success();
  // Entries for other sizes of pictures have the same outputs.
  func::FuncOp entry = *functions.begin();
  SmallVector<std::string> expanded;
  for (const std::string &name : outputs) {
    if (name != (prefix + "*").str()) {
      expanded.push_back(name);
      continue;
    }
    for (unsigned i = 0; outputs.size() == 1 && i < entry.getNumResults(); ++i)
      expanded.push_back(getResultName(entry, i).str());
    entry.walk(
        [&](OutputOp output) { expanded.push_back(output.getName().str()); });
  }
  outputs = std::move(expanded);
  return success();
}

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

/// The code to make: the levels of each precision, in the order of both lists.
LogicalResult Request::choosePlans(SmallVector<Plan> &plans) {
  SmallVector<std::string> precisions = splitList(request.precision);
  if (precisions.empty())
    precisions.push_back("f32");
  SmallVector<std::string> targets = splitList(request.targets);
  if (request.keep && precisions == SmallVector<std::string>{"f32"})
    return outcome.fail(VIT_INVALID_ARGUMENT,
                        "in precision f32 there is no product to keep in a "
                        "wider one; compile for bf16 or int8");
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
    if (precision == ::vit::format::ElementType::I8 && request.training)
      return outcome.fail(VIT_UNSUPPORTED, "a training step computes in f32 or "
                                           "bf16; precision " +
                                               name + " is for inference");
    if (precision == ::vit::format::ElementType::I8 &&
        llvm::any_of(targets,
                     [](const std::string &target) { return target != "cpu"; }))
      return outcome.fail(VIT_UNSUPPORTED,
                          "precision " + name +
                              " is for target cpu; compile for vulkan and "
                              "cuda in bf16 or f32");
    std::string message;
    FailureOr<SmallVector<const Level *>> levels =
        chooseLevels(targets, splitList(request.levels), precision, message);
    if (failed(levels))
      return outcome.fail(VIT_INVALID_ARGUMENT, message);
    for (const Level *level : *levels) {
      const ::vit::format::Product *product =
          ::vit::format::findProduct(*level, precision);
      bool hasTiles = product && product->m > 1;
      plans.push_back({level, precision,
                       hasTiles && std::getenv(::vit::format::kExpandTiles)});
      if (plans.back().expandsTiles && levels->size() > 1)
        return outcome.fail(VIT_INVALID_ARGUMENT,
                            Twine(::vit::format::kExpandTiles) +
                                " is set: compile for level " + level->name +
                                " alone");
    }
  }
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

/// The elements of a tensor of f32 or f64.
static FailureOr<reference::Tensor> readTensor(const vit_tensor &tensor) {
  reference::Tensor result(
      std::vector<int64_t>(tensor.dims, tensor.dims + tensor.rank));
  // Not vit_dtype_size: this library does not link the runtime.
  size_t element = tensor.dtype == VIT_F32 ? sizeof(float) : sizeof(double);
  if (tensor.size < result.data.size() * element)
    return failure();
  if (tensor.dtype == VIT_F32)
    llvm::copy(
        ArrayRef(static_cast<const float *>(tensor.data), result.data.size()),
        result.data.begin());
  else if (tensor.dtype == VIT_F64)
    llvm::copy(
        ArrayRef(static_cast<const double *>(tensor.data), result.data.size()),
        result.data.begin());
  else
    return failure();
  return result;
}

LogicalResult Request::evaluate() {
  func::FuncOp entry;
  for (auto function : graph->getOps<func::FuncOp>())
    entry = entry ? entry : function;
  if (!entry)
    return outcome.fail(VIT_INVALID_ARGUMENT, "the model has no func.func");
  std::vector<reference::Tensor> inputs;
  for (int32_t i = 0; i < request.input_count; ++i) {
    FailureOr<reference::Tensor> input = readTensor(request.inputs[i]);
    if (failed(input))
      return outcome.fail(VIT_INVALID_ARGUMENT,
                          "an input is neither f32 nor f64, or too short");
    inputs.push_back(std::move(*input));
  }
  auto read = [&](ParameterOp parameter, int64_t layer,
                  MutableArrayRef<double> out, std::string &message) {
    return weights->read(parameter, layer, out, message);
  };
  std::vector<reference::NamedTensor> results;
  std::string message;
  if (failed(
          reference::evaluate(entry, inputs, read, outputs, results, message)))
    return outcome.fail(VIT_INVALID_ARGUMENT, message);
  endPhase("evaluate");
  for (reference::NamedTensor &result : results) {
    vit_tensor view = {};
    view.name = result.name.c_str();
    view.data = result.value.data.data();
    view.size = result.value.data.size() * sizeof(double);
    view.dtype = VIT_F64;
    view.rank = static_cast<int32_t>(result.value.rank());
    if (view.rank > VIT_MAX_RANK)
      return outcome.fail(VIT_UNSUPPORTED, "output '" + result.name +
                                               "' has too many dimensions");
    llvm::copy(result.value.shape, view.dims);
    if (request.on_output)
      request.on_output(request.context, &view);
  }
  return success();
}

} // namespace

static vit_status report(const vit_compiler_request *request,
                         const Outcome &outcome, vit_error *error) {
  if (outcome.status == VIT_OK)
    return VIT_OK;
  if (request && request->on_error)
    request->on_error(request->context, outcome.message.c_str());
  if (error)
    std::snprintf(error->message, sizeof(error->message), "%s",
                  outcome.message.c_str());
  return outcome.status;
}

vit_status vit_compiler_run(const vit_compiler_request *request,
                            vit_error *error) {
  Outcome outcome;
  if (!request || request->struct_size != sizeof(vit_compiler_request)) {
    (void)outcome.fail(VIT_INVALID_ARGUMENT,
                       "the request's struct_size is not that of this "
                       "compiler; build against its own vit/Compiler.h");
    return report(nullptr, outcome, error);
  }
  try {
    outcome = serveInChild(*request, [](const vit_compiler_request &served) {
      Outcome result;
      Request work(served, result);
      if (failed(work.run()) && result.status == VIT_OK)
        (void)result.fail(VIT_INTERNAL, "compilation failed without a message");
      return result;
    });
    return report(request, outcome, error);
  } catch (const std::bad_alloc &) {
    if (error)
      std::snprintf(error->message, sizeof(error->message), "out of memory");
    return VIT_OUT_OF_MEMORY;
  }
}
