//===- Main.cpp - vit-compile: a model to a module ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Validators.h"

#include "format/level.h"
#include "vit/Compiler.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace {

/// What the callbacks write to.
struct Report {
  bool time = false;
  double total = 0;
  std::string error;
};

int fail(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}

std::string join(const std::vector<std::string> &parts) {
  return CLI::detail::join(parts, ",");
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Compiles a Vision Transformer to a .vitm module",
               "vit-compile");
  app.set_version_flag("--version",
                       "vit-compile " + std::to_string(VIT_VERSION_MAJOR) +
                           "." + std::to_string(VIT_VERSION_MINOR) + "." +
                           std::to_string(VIT_VERSION_PATCH));
  std::string model, output, weights, dumpIr, precision = "f32";
  std::string parameters, training;
  uint64_t trainingMemory = 0;
  std::vector<std::string> targets, levels, outputs, entries, skipPasses;
  uint64_t seed = 0;
  int64_t batch = 1;
  int threads = 0;
  bool allowUnused = false;
  Report report;
  app.add_option("model", model,
                 "A .mlir text, or a Hugging Face, timm or vit-pytorch folder")
      ->required()
      ->type_name("MODEL");
  app.add_option("-o,--output", output, "The module to write")
      ->required()
      ->type_name("OUT.vitm");
  app.add_option("--target", targets,
                 "What to compile for: any of cpu, vulkan, cuda (default: cpu)")
      ->delimiter(',');
  app.add_option("--level", levels,
                 std::string("Levels to include (default: all of each "
                             "target); ") +
                     vit::format::levelNames().text)
      ->delimiter(',');
  app.add_option("--batch", batch,
                 "Batch to choose tile sizes for; any batch stays right")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  app.add_option("--entry", entries,
                 "Any of forward and train; train is --train without options "
                 "(default: forward)")
      ->delimiter(',');
  CLI::Option *trainOption = app.add_flag(
      "--train", training,
      "Add a training step. --train='OPTIONS' gives options of "
      "vit-generate-backward (optimizer=sgd momentum=0.9 clip-norm=1 ...)");
  app.add_option("--train-memory", trainingMemory,
                 "Bytes (10M, 2G ...) that a training step's activations may "
                 "take at --batch; what is cheap is computed twice to stay "
                 "below")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false));
  app.add_option("--outputs", outputs,
                 "Outputs to compute, the first being the default: logits, "
                 "hidden_0.., final, attention_0.., and what else the model "
                 "has (default: the model's own)")
      ->delimiter(',');
  app.add_option("--precision", precision, "f32")->capture_default_str();
  app.add_option("--parameters", parameters,
                 "inline: weights go into the module, as kernels read them; "
                 "reference: they stay in the checkpoint's files, found "
                 "relative to the module (default: inline; a text without "
                 "weights keeps its initialisers, drawn at load)");
  app.add_option("--weights", weights, "Weights for a .mlir text")
      ->type_name("FILE.safetensors");
  CLI::Option *seedOption =
      app.add_option("--seed", seed,
                     "Draw the parameters of a text without weights now, from "
                     "this seed (implies --parameters inline)")
          ->check(vit::tools::wholeNumber());
  app.add_flag("--allow-unused", allowUnused,
               "Weights that the model does not use are no error");
  app.add_option("--skip-pass", skipPasses,
                 "Leave out an optional pass: simplify, narrow-tokens or fuse")
      ->delimiter(',');
  app.add_option("--dump-ir", dumpIr,
                 "Write the text after each pass and the kernels' code there")
      ->type_name("DIR");
  app.add_option("--threads", threads, "Threads; 0: one per core")
      ->check(CLI::Range(0, 1024));
  app.add_flag("--time", report.time, "Print how long each phase took");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &done) {
    return app.exit(done);
  } catch (const CLI::ParseError &error) {
    return fail(std::string(error.what()) +
                " (vit-compile --help lists the options)");
  }

  bool trains = trainOption->count() > 0;
  for (const std::string &entry : entries)
    if (entry == "train")
      trains = true;
    else if (entry != "forward")
      return fail("--entry " + entry + " is unknown; use forward or train");
  vit_compiler_request request = {};
  if (parameters.empty())
    request.parameters =
        seedOption->count() > 0 ? VIT_COMPILER_INLINE : VIT_COMPILER_DEFAULT;
  else if (parameters == "inline")
    request.parameters = VIT_COMPILER_INLINE;
  else if (parameters == "reference")
    request.parameters = VIT_COMPILER_REFERENCE;
  else
    return fail("--parameters " + parameters +
                " is unknown; use inline or reference");
  if (trainingMemory != 0 && !trains)
    return fail("--train-memory goes with --train");
  if (seedOption->count() > 0 && request.parameters == VIT_COMPILER_REFERENCE)
    return fail("--seed draws parameters now, --parameters reference when the "
                "module is loaded; leave one out");

  std::string targetList = join(targets), levelList = join(levels),
              outputList = join(outputs), skipList = join(skipPasses);
  request.struct_size = sizeof(request);
  request.action = VIT_COMPILER_COMPILE;
  request.model = model.c_str();
  request.weights = weights.empty() ? nullptr : weights.c_str();
  request.allow_unused = allowUnused;
  request.seed = seed;
  request.outputs = outputList.empty() ? nullptr : outputList.c_str();
  request.skip_passes = skipList.empty() ? nullptr : skipList.c_str();
  request.dump_directory = dumpIr.empty() ? nullptr : dumpIr.c_str();
  request.output_path = output.c_str();
  request.targets = targetList.empty() ? nullptr : targetList.c_str();
  request.levels = levelList.empty() ? nullptr : levelList.c_str();
  request.precision = precision.c_str();
  request.batch = batch;
  request.threads = threads;
  // A flag without a value reads "true".
  if (trains)
    request.training = training == "true" ? "" : training.c_str();
  request.training_memory = trainingMemory;
  request.context = &report;
  request.on_phase = [](void *context, const char *phase, double seconds) {
    auto *report = static_cast<Report *>(context);
    report->total += seconds;
    if (report->time)
      std::fprintf(stderr, "%8.1f ms  %s\n", seconds * 1e3, phase);
  };
  request.on_error = [](void *context, const char *text) {
    static_cast<Report *>(context)->error = text;
  };
  vit_error error = {};
  if (vit_compiler_run(&request, &error) != VIT_OK)
    return fail(report.error.empty() ? error.message : report.error);
  if (report.time)
    std::fprintf(stderr, "%8.1f ms  in all\n", report.total * 1e3);
  return 0;
}
