//===- vit-check-import.cpp - Prints and checks imported models -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A test tool:
//   vit-check-import print MODEL         prints the graph with its locations
//   vit-check-import weights MODEL       prints the source of each parameter;
//                                        --values: and its values
//   vit-check-import verify FOLDER...    compares the interpreter's results and
//                                        the numbers in the folders;
//                                        --text MODEL: evaluates that model
//   vit-check-import train FOLDER...     compares gradients and weights of the
//                                        reference interpreter with those in
//                                        the folders' train/
//   vit-check-import export MODEL -o F   writes weights that affect results, by
//                                        --seed
//   vit-check-import input MODEL -o X.npy  writes an input of --batch pictures
//   vit-check-import mutate MODEL        damages config.json in many ways: each
//                                        must be an error or a model
//
//===----------------------------------------------------------------------===//

#include "ExportWeights.h"
#include "TrainFolder.h"
#include "VerifyFolder.h"

#include "vit/Import/Import.h"
#include "vit/Import/Weights.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <random>

using namespace mlir;
using namespace mlir::vit;
using llvm::errs;
using llvm::formatv;
using llvm::outs;
namespace cl = llvm::cl;

static cl::opt<std::string>
    action(cl::Positional, cl::Required,
           cl::desc("print|weights|verify|train|export|input|mutate"));
static cl::list<std::string> models(cl::Positional, cl::OneOrMore,
                                    cl::desc("MODEL..."));
static cl::opt<std::string> weightsPath("weights",
                                        cl::desc("Checkpoint for a text"));
static cl::opt<std::string> text("text", cl::desc("The model to verify"));
static cl::opt<std::string> output("o", cl::desc("The file to export to"));
static cl::opt<bool> allowUnused("allow-unused");
static cl::opt<bool> showValues("values",
                                cl::desc("Mean and deviation of each"));
static cl::opt<bool> showLocations("locations", cl::init(true),
                                   cl::desc("Print locations too"));
static cl::opt<uint64_t> seed("seed", cl::init(0));
static cl::opt<int64_t> batch("batch", cl::init(1));
static cl::opt<int> rounds("rounds", cl::init(300));

static int fail(const std::string &message) {
  errs() << "error: " << message << "\n";
  return 1;
}

static std::unique_ptr<Weights> openWeights(StringRef model, ModuleOp module,
                                            std::string &error) {
  std::string path = weightsPath;
  if (path.empty() && llvm::sys::fs::is_directory(model))
    path = model.str();
  std::unique_ptr<Weights> weights = Weights::open(path, seed, error);
  if (weights && failed(weights->check(module, allowUnused, error)))
    return nullptr;
  return weights;
}

static int printWeights(StringRef model, ModuleOp module) {
  std::string error;
  std::unique_ptr<Weights> weights = openWeights(model, module, error);
  if (!weights)
    return fail(error);
  for (ParameterOp parameter : module.getOps<ParameterOp>()) {
    int64_t count = parameter.getTensorType().getNumElements();
    for (int64_t i = 0; i < parameter.getLayers().value_or(1); ++i) {
      outs() << parameter.getSymName();
      if (parameter.getLayers())
        outs() << "[" << i << "]";
      if (std::optional<StoredRange> range = weights->locate(parameter, i))
        outs() << formatv(" in {0} of {1}: {2} bytes from {3}", range->tensor,
                          llvm::sys::path::filename(range->file), range->size,
                          range->offset);
      else
        outs() << " drawn";
      if (showValues) {
        std::vector<double> values(count);
        if (failed(weights->read(parameter, i, values, error)))
          return fail(error);
        double sum = 0, squares = 0;
        for (double x : values) {
          sum += x;
          squares += x * x;
        }
        double mean = sum / count;
        outs() << formatv(
            ", mean {0:F4}, deviation {1:F4}", mean,
            std::sqrt(std::max(0.0, squares / count - mean * mean)));
      }
      outs() << "\n";
    }
  }
  return 0;
}

static int writeInput(func::FuncOp entry) {
  reference::Tensor input = makeInput(entry, batch);
  std::vector<float> data(input.data.begin(), input.data.end());
  vit_tensor tensor = {};
  tensor.data = data.data();
  tensor.size = data.size() * sizeof(float);
  tensor.dtype = VIT_F32;
  tensor.rank = input.rank();
  llvm::copy(input.shape, tensor.dims);
  vit_error message = {};
  if (vit_npy_write(output.c_str(), &tensor, &message) != VIT_OK)
    return fail(message.message);
  return 0;
}

/// Replaces, removes, duplicates or swaps parts of `text`.
static std::string mutate(std::string text, std::mt19937 &random) {
  static constexpr StringLiteral pieces[] = {
      "0",     "-1",           "1e99", "9223372036854775807",
      "0.5",   "null",         "true", "[]",
      "[1,2]", "{}",           "\"\"", "\"x\"",
      "16",    "[0,0]",        "[7,]", "\"",
      "\\u00", "{\"a\":[{}]}", "4096", "3"};
  auto below = [&](size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random);
  };
  for (int edits = 1 + below(3); edits > 0 && !text.empty(); --edits) {
    size_t at = below(text.size());
    switch (below(4)) {
    case 0:
      text[at] = char(below(256));
      break;
    case 1:
      text.erase(at, 1 + below(40));
      break;
    default: {
      // The value after a colon.
      at = text.find(':', at);
      if (at == std::string::npos)
        break;
      size_t end = text.find_first_of(",}\n", at);
      text.replace(at + 1, end - at - 1,
                   pieces[below(std::size(pieces))].str());
    }
    }
  }
  return text;
}

static int verifyAll(MLIRContext *context) {
  int status = 0;
  for (const std::string &model : models) {
    std::string error;
    OwningOpRef<ModuleOp> module =
        loadModel(text.empty() ? model : text, context, error);
    std::unique_ptr<Weights> weights;
    if (module)
      weights = openWeights(model, *module, error);
    if (!weights || failed(action == "train"
                               ? trainFolder(model, *module, *weights, error)
                               : verifyFolder(model, *module, *weights, error)))
      status = fail(error);
  }
  return status;
}

static int mutateConfig(StringRef model, MLIRContext *context) {
  SmallString<128> path(model), folder;
  llvm::sys::path::append(path, "config.json");
  auto original = llvm::MemoryBuffer::getFile(path);
  if (!original)
    return fail((path + ": " + original.getError().message()).str());
  if (std::error_code code =
          llvm::sys::fs::createUniqueDirectory("vit-mutate", folder))
    return fail(code.message());
  SmallString<128> copy(folder);
  llvm::sys::path::append(copy, "config.json");
  std::mt19937 random(seed);
  int good = 0, errors = 0, bad = 0;
  for (int i = 0; i < rounds; ++i) {
    std::string text = mutate((*original)->getBuffer().str(), random);
    std::error_code code;
    llvm::raw_fd_ostream(copy, code) << text;
    std::string error;
    OwningOpRef<ModuleOp> module = importModel(folder, context, error);
    (module ? good : errors) += 1;
    if (bool(module) == !error.empty() || StringRef(error).contains('\n')) {
      bad += 1;
      errs() << "not one clear error: " << error << "\nof: " << text << "\n";
    }
  }
  llvm::sys::fs::remove_directories(folder);
  outs() << good << " models, " << errors << " errors, " << bad
         << " of them unclear\n";
  return bad != 0;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv,
                              "prints and checks imported models\n");
  MLIRContext context(MLIRContext::Threading::DISABLED);
  if (action == "verify" || action == "train")
    return verifyAll(&context);
  const std::string &model = models.front();
  if (models.size() != 1)
    return fail("one model, please");
  if (action == "mutate")
    return mutateConfig(model, &context);
  std::string error;
  ImportNotes notes;
  OwningOpRef<ModuleOp> module = loadModel(model, &context, error, &notes);
  if (!module)
    return fail(error);
  for (const std::string &note : notes.model)
    errs() << "note: " << note << "\n";
  if (action == "weights")
    return printWeights(model, *module);
  if (action == "export") {
    if (failed(exportWeights(*module, seed, output, error)))
      return fail(error);
    return 0;
  }
  if (action == "input")
    return writeInput(module->lookupSymbol<func::FuncOp>("forward"));
  if (action != "print")
    return fail("no such action: " + action);
  OpPrintingFlags flags;
  if (showLocations)
    flags.enableDebugInfo(true, /*prettyForm=*/false);
  module->print(outs(), flags);
  outs() << "\n";
  return 0;
}
