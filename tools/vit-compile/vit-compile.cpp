//===- vit-compile.cpp - Compiles a model to a module ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Calibration.h"
#include "Command.h"
#include "CompilerOptions.h"
#include "KeepSearch.h"
#include "Overwriting.h"
#include "Suggestions.h"
#include "Support.h"
#include "Validators.h"

#include "format/Level.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace {

/// The options of the command line.
struct Options {
  vit::tools::CompilerOptions compiler;
  vit::tools::TrainingRequest training = {"", 0, /*batch=*/1, 0};
  bool distributes = false;
  uint64_t bucketBytes = vit::tools::kBucketBytes;
  std::string output, parameters;
  vit::tools::DataOptions data;
  vit::tools::AccuracyBound bound;
  vit::tools::Calibration calibration;
  int64_t images = 0; // 0: all
  std::vector<std::string> targets, levels, precisions, keep, outputs, entries,
      skipPasses, imageSizes;
  int threads = 0;
  bool time = false, printStatus = false;
  // Whether these options were given.
  bool trains = false, hasSeed = false, calibrates = false;
};

/// The context of the callbacks.
struct Report {
  bool time = false;
  double total = 0;
  std::string error;
};

using vit::tools::Error;

void addModelOptions(CLI::App &app, Options &options) {
  app.add_option("model", options.compiler.model,
                 "A .mlir text, or a folder of transformers, timm, open_clip, "
                 "vit-pytorch or torchvision")
      ->required()
      ->type_name("MODEL");
  app.add_option("-o,--output", options.output, "The module to write")
      ->required()
      ->type_name("OUT.vitm");
  app.add_option("--outputs", options.outputs,
                 "Outputs to compute, the first being the default: logits, "
                 "hidden_0.., final, attention_0.., and other outputs of the "
                 "model (default: the model's own)")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--parameters", options.parameters,
                 "inline: weights go into the module, as kernels read them; "
                 "reference: they stay in the checkpoint's files, found "
                 "relative to the module (default: inline; a text without "
                 "weights keeps its initialisers, drawn at load)");
  app.add_option("--weights", options.compiler.weights,
                 "Weights for a .mlir text, as safetensors or from torch.save")
      ->type_name("FILE");
  vit::tools::addWeightsKey(app);
  app.add_option("--image-size", options.imageSizes,
                 "Size of the pictures, to which the position table is "
                 "resampled as the model's library does; several make one "
                 "entry each, with the same weights (default: the model's own)")
      ->type_name("H[xW],...");
  app.add_option("--seed", options.compiler.seed,
                 "Draw the parameters of a text without weights now, from "
                 "this seed (implies --parameters inline)")
      ->check(vit::tools::wholeNumber());
  app.add_flag("--allow-unused", options.compiler.allowUnused,
               "Do not report unused weights as an error");
}

void addTrainingOptions(CLI::App &app, Options &options) {
  app.add_option("--entry", options.entries,
                 "Any of forward and train; train is --train without options "
                 "(default: forward)")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag(
      "--train", options.training.options,
      "Add a training step. --train='OPTIONS' gives options of "
      "vit-generate-backward (optimizer=sgd momentum=0.9 clip-norm=1 ...)");
  app.add_option(
         "--train-memory", options.training.memory,
         "Bytes (10M, 2G ...) that a training step's activations may take at "
         "--batch; cheap values are recomputed to stay below it")
      ->transform(vit::tools::sizeInBytes());
  app.add_flag(
      "--distribute", options.distributes,
      "Let the training step, which needs accumulate=K, sum its gradients over "
      "up to K ranks (vit-distribute)");
  app.add_option(
         "--bucket-bytes", options.bucketBytes,
         "Bytes (1M, 8M ...) of gradients that ranks exchange at a time "
         "(default: 1M, for cuda alone 8M)")
      ->transform(vit::tools::sizeInBytes())
      ->needs("--distribute");
}

void addCodeOptions(CLI::App &app, Options &options) {
  app.add_option("--target", options.targets,
                 "What to compile for: any of cpu, vulkan, cuda (default: cpu)")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--level", options.levels,
                 std::string("Levels to include (default: all of each "
                             "target); ") +
                     vit::format::levelNames().text)
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--batch", options.training.batch,
                 "Batch to choose tile sizes for; any batch stays right")
      ->check(vit::tools::wholeNumberIn(1, 1 << 20));
  app.add_option("--precision", options.precisions,
                 std::string("Types of the operands of products, the first "
                             "being the module's default; any of ") +
                     vit::format::precisionNames().text + " (default: f32)")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--keep", options.keep,
                 "Compute these products, by the names that vit-run compare "
                 "--precision shows, in at least this precision")
      ->type_name("NAME=TYPE,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--skip-pass", options.skipPasses,
                 "Leave out an optional pass, "
                 "of " VIT_COMPILER_OPTIONAL_PASSES)
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--dump-ir", options.compiler.dumpIr,
                 "Write the text after each pass and the kernels' code there")
      ->type_name("DIR");
  app.add_option("--threads", options.threads, "Threads; 0: one per core")
      ->check(vit::tools::wholeNumberIn(0, 1024));
  app.add_flag("--time", options.time, "Print how long each phase took");
  app.add_flag("--print-status", options.printStatus,
               "Before an error, print a line with its status in the C API, "
               "such as VIT_NOT_FOUND");
}

void addAccuracyOptions(CLI::App &app, Options &options) {
  vit::tools::Command command(app);
  command.group("Accuracy in --precision f16, bf16 or int8");
  vit::tools::addDataOptions(
      command, options.data,
      "train, val or test (default: val, else test, else all)");
  app.add_option("--images", options.images,
                 "Only so many pictures, evenly spread (default: all)")
      ->check(vit::tools::wholeNumberIn(1, 1 << 30))
      ->type_name("N");
  app.add_option("--max-drop", options.bound.maxDrop,
                 "Keep the products that harm most in a wider precision, until "
                 "the top-1 accuracy on --data is at most so many percentage "
                 "points below that in f32")
      ->check(vit::tools::numberIn(0, 100))
      ->type_name("POINTS");
  app.add_option("--min-cosine", options.bound.minCosine,
                 "The same until the default output has at least this cosine "
                 "with that in f32, as the mean of the pictures of --data; "
                 "needs no classes")
      ->check(vit::tools::numberIn(0, 1))
      ->type_name("COSINE");
  command.group("Calibration of --precision int8");
  app.add_option("--smooth-quant", options.calibration.smoothAlpha,
                 "Move so much (above 0, at most 1; 0.5 is usual) of what is "
                 "hard to round from activations to weights, by the largest "
                 "magnitudes of channels on --data (SmoothQuant)")
      ->type_name("ALPHA");
  app.add_flag("--static-scales", options.calibration.staticScales,
               "Round activations with a scale from --data in place of one "
               "for each row, which is found at run time");
  command.group("Options");
}

void finishCalibration(const CLI::App &app, Options &options) {
  bool isSmooth = app.count("--smooth-quant") > 0;
  double alpha = options.calibration.smoothAlpha;
  options.calibrates = isSmooth || options.calibration.staticScales;
  if (!options.calibrates)
    return;
  if (isSmooth && !(alpha > 0 && alpha <= 1))
    throw Error("--smooth-quant must be above 0 and at most 1");
  if (options.data.data.empty())
    throw Error("--smooth-quant and --static-scales observe pictures; give "
                "them with --data DIR");
  if (std::count(options.precisions.begin(), options.precisions.end(),
                 "int8") == 0)
    throw Error("--smooth-quant and --static-scales are for products of int8; "
                "add --precision int8");
  if (options.bound.isGiven())
    throw Error("--max-drop and --min-cosine are measured with scales found at "
                "run time; leave out --smooth-quant and --static-scales");
}

void finishOptions(const CLI::App &app, Options &options) {
  options.trains = app.count("--train") > 0;
  options.hasSeed = app.count("--seed") > 0;
  // A flag without a value reads "true".
  if (options.training.options == "true")
    options.training.options = "";
  for (const std::string &entry : options.entries)
    if (entry == "train")
      options.trains = true;
    else if (entry != "forward")
      throw Error("--entry " + entry + " is unknown; use forward or train");
  if (options.training.memory != 0 && !options.trains)
    throw Error("--train-memory requires --train");
  if (options.distributes) {
    if (options.training.options.find("accumulate=") == std::string::npos)
      throw Error("--distribute requires --train='accumulate=K ...', where K "
                  "counts the micro-batches of all ranks per update");
    options.training.bucketBytes = options.bucketBytes;
  }
  finishCalibration(app, options);
  const vit::tools::DataOptions &data = options.data;
  if (options.bound.isGiven() && data.data.empty())
    throw Error("--max-drop and --min-cosine are measured on pictures; give "
                "them with --data DIR");
  if (options.bound.isGiven() && options.trains)
    throw Error("--max-drop and --min-cosine are for inference; compile the "
                "training step apart");
  if (!options.bound.isGiven() && !options.calibrates &&
      (!data.data.empty() || !data.split.empty() || !data.range.empty() ||
       options.images != 0))
    throw Error("--data, --split, --range and --images are for --max-drop, "
                "--min-cosine, --smooth-quant or --static-scales");
}

/// Searches for the products to keep, and adds them to `wanted`.
void keepAccuracy(const Options &options, vit::tools::CompilerOptions &wanted) {
  std::vector<std::string> narrow;
  for (const std::string &precision : options.precisions)
    if (precision != "f32")
      narrow.push_back(precision);
  if (narrow.size() != 1 || narrow.front() == "tf32")
    throw Error("--max-drop and --min-cosine choose what one precision keeps; "
                "give --precision f16, bf16 or int8, f32 beside it at most");
  vit::tools::CommonOptions common = vit::tools::optionsToRun(wanted);
  common.threads = options.threads;
  vit::tools::CommonOptions checked = common;
  checked.precision = narrow.front();
  vit::tools::checkCommonOptions(checked);
  vit::tools::printFirstPictureWarning();
  vit::tools::PrecisionTrials trials(common, options.outputs, options.data,
                                     options.images, "measuring on");
  for (const std::string &product :
       vit::tools::searchKept(trials, narrow.front(), options.bound))
    wanted.keep += (wanted.keep.empty() ? "" : ",") + product;
}

vit_compiler_parameters chooseParameters(const Options &options) {
  if (options.parameters.empty())
    return options.hasSeed ? VIT_COMPILER_INLINE : VIT_COMPILER_DEFAULT;
  if (options.parameters == "inline")
    return VIT_COMPILER_INLINE;
  if (options.parameters != "reference")
    throw Error("--parameters " + options.parameters +
                " is unknown; use inline or reference");
  if (options.hasSeed)
    throw Error("--seed draws parameters now, but --parameters reference draws "
                "them at load; leave one out");
  return VIT_COMPILER_REFERENCE;
}

void compile(const Options &options) {
  auto join = [](const std::vector<std::string> &parts) {
    return CLI::detail::join(parts, ",");
  };
  vit::tools::CompilerOptions wanted = options.compiler;
  wanted.outputs = join(options.outputs);
  wanted.skipPasses = join(options.skipPasses);
  wanted.imageSize = join(options.imageSizes);
  wanted.target = join(options.targets);
  wanted.level = join(options.levels);
  wanted.precision = join(options.precisions);
  wanted.keep = join(options.keep);
  if (options.trains)
    wanted.training = options.training;
  std::vector<std::string> inputs = vit::tools::filesOfModel(wanted.model);
  if (!wanted.weights.empty())
    inputs.push_back(wanted.weights);
  std::string fault = vit::tools::explainOverwrite(options.output, inputs);
  if (!fault.empty())
    throw Error(fault);
  if (options.bound.isGiven())
    keepAccuracy(options, wanted);
  if (options.calibrates) {
    wanted.calibration = options.calibration;
    wanted.calibration->statistics =
        vit::tools::observeInputs(wanted, options.data, options.images);
  }
  Report report;
  report.time = options.time;
  vit_compiler_request request = wanted.createRequest(VIT_COMPILER_COMPILE);
  request.output_path = options.output.c_str();
  request.parameters = chooseParameters(options);
  request.batch = options.training.batch;
  request.threads = options.threads;
  request.context = &report;
  request.on_phase = [](void *context, const char *phase, double seconds) {
    auto *report = static_cast<Report *>(context);
    report->total += seconds;
    if (report->time)
      std::fprintf(stderr, "%8.1f ms  %s\n", seconds * 1e3, phase);
  };
  request.on_note = [](void *, vit_compiler_note, const char *text) {
    std::fprintf(stderr, "note: %s\n", text);
  };
  request.on_error = [](void *context, const char *text) {
    static_cast<Report *>(context)->error = text;
  };
  vit_error error = {};
  if (vit_status status = vit_compiler_run(&request, &error))
    throw Error(report.error.empty() ? error.message : report.error, status);
  if (report.time)
    std::fprintf(stderr, "%8.1f ms  in all\n", report.total * 1e3);
}

int fail(std::string message, const Options &options,
         vit_status status = VIT_INVALID_ARGUMENT) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  if (options.printStatus)
    std::fprintf(stderr, "status: %s\n", vit_status_name(status));
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Compiles a Vision Transformer to a .vitm module",
               "vit-compile");
  app.set_version_flag("--version",
                       "vit-compile " + std::to_string(VIT_VERSION_MAJOR) +
                           "." + std::to_string(VIT_VERSION_MINOR) + "." +
                           std::to_string(VIT_VERSION_PATCH));
  Options options;
  addModelOptions(app, options);
  addTrainingOptions(app, options);
  addCodeOptions(app, options);
  addAccuracyOptions(app, options);
  for (CLI::Option *option : app.get_options())
    if (option->get_expected_min() > 0)
      option->check(vit::tools::notEmpty());
  try {
    app.parse(argc, argv);
    finishOptions(app, options);
    compile(options);
  } catch (const CLI::Success &done) {
    return app.exit(done);
  } catch (const CLI::ParseError &error) {
    return fail(vit::tools::describeParseError(app, error), options);
  } catch (const Error &error) {
    return fail(error.what(), options, error.status);
  } catch (const std::bad_alloc &) {
    return fail("not enough memory", options, VIT_OUT_OF_MEMORY);
  } catch (const std::exception &error) {
    return fail(error.what(), options, VIT_INTERNAL);
  }
  return 0;
}
