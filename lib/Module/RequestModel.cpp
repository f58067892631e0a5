//===- RequestModel.cpp - The model of a request, and its products --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Request.h"

#include "vit/Dialect/Names.h"
#include "vit/Dialect/Products.h"
#include "vit/Dialect/Vit.h"
#include "vit/Import/Import.h"
#include "vit/Import/ModelFolder.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::vit;

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
  vit_status status = VIT_INVALID_ARGUMENT;
  graph = loadModel(model, &context, message, &notes, &status);
  if (!graph)
    return outcome.fail(
        status, message.empty() ? firstError->take("the model cannot be read")
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
  weights = Weights::open(path, request.seed, message, &status);
  if (!weights ||
      failed(weights->check(*graph, request.allow_unused != 0, message)))
    return outcome.fail(status, message);
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
