//===- Options.cpp - What the commands have in common ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "Support.h"
#include "Validators.h"
#include "format/level.h"
#include "vit/Compiler.h"

namespace vit::tools {

void addCommonOptions(CLI::App &command, CommonOptions &options) {
  command
      .add_option("model", options.model,
                  "A .vitm module, a .mlir text, or a Hugging Face, timm or "
                  "vit-pytorch folder")
      ->required()
      ->type_name("MODEL");
  command
      .add_option("--device", options.device,
                  "cpu; vulkan, vulkan:N or vulkan:PART OF NAME; cuda or "
                  "cuda:N; or reference: plain loops in double")
      ->capture_default_str();
  command.add_option("--precision", options.precision, "f32")
      ->capture_default_str();
  command
      .add_option("--level", options.level,
                  std::string("Level to use, on the cpu at most; ") +
                      format::levelNames().text)
      ->type_name("LEVEL");
  command
      .add_option("--threads", options.threads,
                  "Worker threads; 0: one per core")
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
  command
      .add_option("--seed", options.seed,
                  "For parameters drawn from their initialisers")
      ->check(wholeNumber())
      ->type_name("N");
  command
      .add_option("--weights", options.weights,
                  "Weights for a .mlir text, as safetensors")
      ->type_name("FILE");
  command.add_flag("--allow-unused", options.allowUnused,
                   "Do not report unused weights as an error");
  command
      .add_option("--memory", options.memory,
                  "Workspace allowed at most, such as 512M or 2G")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command
      .add_option("--trace", options.trace,
                  "Write a trace of every command for ui.perfetto.dev")
      ->type_name("FILE");
  command
      .add_option("--dump-ir", options.dumpIr,
                  "Write the compiler's text after each pass (compiles anew)")
      ->type_name("DIR");
  command
      .add_option("--skip-pass", options.skipPasses,
                  "Leave out an optional pass, "
                  "of " VIT_COMPILER_OPTIONAL_PASSES)
      ->type_name("PASS")
      ->allow_extra_args(false);
  command.add_flag("--no-cache", options.noCache,
                   "Neither read nor write compiled models in the cache");
  command.add_flag("--verbose", options.verbose,
                   "Report on standard error what is compiled and loaded, and "
                   "the memory needed");
}

void addDataOptions(CLI::App &command, DataOptions &options,
                    const std::string &split) {
  command
      .add_option("--data", options.data,
                  "Folder of CIFAR-10, MNIST, or CLASS/PICTURE files")
      ->required()
      ->type_name("DIR");
  command.add_option("--split", options.split, split)->type_name("SPLIT");
  command
      .add_option("--range", options.range,
                  "Only these pictures, counted from 0, both included")
      ->type_name("FIRST..LAST");
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
  if (options.precision == "bf16")
    throw Error("--precision bf16 is not in this build yet; use f32");
  if (options.precision != "f32")
    throw Error("--precision " + options.precision + " is unknown; use f32");
  if (!options.level.empty() && !format::findLevel(target, options.level))
    throw Error("--level " + options.level + " is unknown on " + family +
                "; choose one of " + format::levelNames(target).text);
  if (!options.trace.empty())
    requireWritable(options.trace);
}

} // namespace vit::tools
