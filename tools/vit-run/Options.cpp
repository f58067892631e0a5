//===- Options.cpp - Options shared by the commands -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "Support.h"
#include "format/Level.h"
#include "vit/Compiler.h"

#include <algorithm>

namespace vit::tools {

CommonOptions optionsToRun(const CompilerOptions &compiler) {
  CommonOptions options;
  options.model = compiler.model;
  options.precision = "f32";
  options.weights = compiler.weights;
  options.imageSize =
      compiler.imageSize.substr(0, compiler.imageSize.find(','));
  options.skipPasses = split(compiler.skipPasses, ',');
  int highest = -1;
  for (const std::string &name : split(compiler.level, ','))
    if (const format::Level *level =
            format::findLevel(format::Target::Cpu, name);
        level && level->rank > highest) {
      highest = level->rank;
      options.level = name;
    }
  options.keep = split(compiler.keep, ',');
  options.seed = compiler.seed;
  options.allowUnused = compiler.allowUnused;
  return options;
}

void addModelOptions(Command command, CommonOptions &options) {
  command.group("Model");
  command
      .option("model", options.model,
              "A .vitm module, a .mlir text, or a Hugging Face, timm or "
              "vit-pytorch folder")
      .required()
      .type("MODEL");
  addModelDetails(command, options);
}

void addModelDetails(Command command, CommonOptions &options) {
  command.group("Model");
  command
      .option("--weights", options.weights,
              "Weights for a .mlir text, as safetensors or from torch.save")
      .type("FILE");
  command.weightsKey();
  command
      .option("--image-size", options.imageSize,
              "Size of the pictures, to which the position table is resampled "
              "as the model's library does (default: the model's own)")
      .type("H[xW]");
  command.flag("--allow-unused", options.allowUnused,
               "Do not report unused weights as an error");
  command
      .option("--seed", options.seed,
              "For parameters drawn from their initialisers")
      .wholeNumber()
      .type("N");
}

void addExecutionOptions(Command command, CommonOptions &options) {
  command.group("Execution");
  command
      .option("--device", options.device,
              "cpu; vulkan, vulkan:N or vulkan:PART OF NAME; cuda or "
              "cuda:N; or reference: plain loops in double")
      .showDefault();
  command
      .option("--precision", options.precision,
              std::string("Type of the operands of products, of ") +
                  format::precisionNames().text +
                  " (default: f32, of a .vitm its own)")
      .type("TYPE");
  command
      .option("--keep", options.keep,
              "Compute these products, by the names that compare --precision "
              "shows, in at least this precision")
      .type("NAME=TYPE,...")
      .separatedBy(',')
      .oneValueEach();
  command
      .option("--level", options.level,
              std::string("Level to use, on the cpu at most; ") +
                  format::levelNames().text)
      .type("LEVEL");
  command
      .option("--threads", options.threads,
              "Threads; 0: VIT_NUM_THREADS, or one per core "
              "that the process may use")
      .range(0, 1024)
      .type("N");
  command
      .option("--memory", options.memory,
              "Workspace allowed at most, such as 512M or 2G")
      .bytes()
      .type("SIZE");
  command
      .option("--trace", options.trace,
              "Write a trace of every command for ui.perfetto.dev")
      .type("FILE");
  command
      .option("--dump-ir", options.dumpIr,
              "Write the compiler's text after each pass (compiles anew)")
      .type("DIR");
  command
      .option("--skip-pass", options.skipPasses,
              "Leave out an optional pass, "
              "of " VIT_COMPILER_OPTIONAL_PASSES)
      .type("PASS")
      .oneValueEach();
  command.flag("--no-cache", options.noCache,
               "Neither read nor write compiled models in the cache");
  command.flag("--verbose", options.verbose,
               "Report on standard error what is compiled and loaded, and "
               "the memory needed");
}

void addCommonOptions(Command command, CommonOptions &options) {
  addModelOptions(command, options);
  addExecutionOptions(command, options);
  command.group("Options");
}

CommonOptions parseCommonOptions(const std::vector<std::string> &words) {
  CommonOptions options;
  parseWords("vit-run classify", words,
             [&](Command command) { addCommonOptions(command, options); });
  return options;
}

Option addDataOptions(Command command, DataOptions &options,
                      const std::string &split) {
  Option data = command
                    .option("--data", options.data,
                            "Folder of CIFAR-10, MNIST, or CLASS/PICTURE files")
                    .type("DIR");
  command.option("--split", options.split, split).type("SPLIT");
  command
      .option("--range", options.range,
              "Only these pictures, counted from 0, both included")
      .type("FIRST..LAST");
  return data;
}

void requireTrainable(const CommonOptions &options) {
  auto precision = format::ElementType::F32;
  format::parsePrecision(options.precision, precision);
  if (!format::isForTraining(precision))
    throw Error("--precision " + options.precision +
                " is for inference; train in one of " +
                format::trainingPrecisionNames().text);
}

std::string CommonOptions::codePrecision() const {
  auto type = format::ElementType::F32;
  auto target = format::Target::Cpu;
  format::parsePrecision(precision, type);
  format::parseTarget(family(), target);
  return format::precisionName(format::precisionOn(target, type));
}

/// The precisions that code of `level` computes in, or, if that is null, the
/// interpreter.
static std::vector<std::string> precisionsOf(const format::Level *level) {
  std::vector<std::string> names;
  for (format::ElementType type : format::allPrecisions())
    if (type == format::ElementType::F32 ||
        (level && format::findProduct(*level, type)))
      names.push_back(format::precisionName(type));
  return names;
}

void checkCommonOptions(const CommonOptions &options) {
  std::string family = options.family();
  // Texts are compiled for the CPU also where they are only evaluated.
  format::Target target = format::Target::Cpu;
  bool isKnown = options.isReference() || format::parseTarget(family, target);
  bool hasPart = options.device.find(':') != std::string::npos;
  if (!isKnown || (hasPart && !options.isGpu()))
    throw Error("--device " + options.device +
                " is unknown; choose cpu, vulkan[:N or name], cuda[:N] or "
                "reference");
  auto precision = format::ElementType::F32;
  if (!options.precision.empty() &&
      !format::parsePrecision(options.precision, precision))
    throw Error("--precision " + options.precision +
                " is unknown; choose one of " + format::precisionNames().text);
  bool isNarrow =
      !options.precision.empty() && precision != format::ElementType::F32;
  if (!options.keep.empty() && !isNarrow)
    throw Error("--keep is for a --precision other than f32: it names "
                "products that stay wider");
  std::vector<std::string> known = precisionsOf(
      options.isReference() ? nullptr : &format::defaultLevel(target));
  std::string code =
      options.isReference() ? options.precision : options.codePrecision();
  if (!options.precision.empty() &&
      std::find(known.begin(), known.end(), code) == known.end())
    throw Error("--precision " + options.precision +
                " is not there yet for --device " + options.device + "; use " +
                join(known, " or "));
  if (!options.level.empty() && !format::findLevel(target, options.level))
    throw Error("--level " + options.level + " is unknown on " + family +
                "; choose one of " + format::levelNames(target).text);
  if (options.imageSize.find(',') != std::string::npos)
    throw Error("--image-size " + options.imageSize +
                ": a command takes one size, H or HxW (vit-compile takes "
                "several)");
  if (!options.trace.empty())
    requireWritable(options.trace);
}

} // namespace vit::tools
