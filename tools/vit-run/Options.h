//===- Options.h - Options shared by the commands ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_OPTIONS_H
#define VIT_TOOLS_OPTIONS_H

#include "Command.h"
#include "CompilerOptions.h"

namespace vit::tools {

/// Options of every command that runs a model.
struct CommonOptions {
  std::string model;
  std::string device = "cpu";
  std::string precision; ///< Empty: f32, or a compiled module's default.
  std::string weights;
  std::string imageSize; ///< "H" or "HxW"; empty: the model's own.
  std::string level;     ///< At most this level of the device; empty: the best.
  std::string trace;     ///< File for a Chrome/Perfetto trace; empty: none.
  /// NAME=PRECISION: products with at least this precision.
  std::vector<std::string> keep;
  std::string dumpIr; ///< Folder for the compiler's steps; empty: none.
  std::vector<std::string> skipPasses;
  int threads = 0;
  uint64_t seed = 0;
  uint64_t memory = 0; ///< Bytes of workspace allowed; 0: no limit.
  bool allowUnused = false;
  bool noCache = false;
  bool verbose = false;
  bool quiet = false; ///< Do not say what is compiled.

  /// What `device` is one of: "cpu", "vulkan", "cuda" or "reference".
  std::string family() const { return device.substr(0, device.find(':')); }
  bool isReference() const { return device == "reference"; }
  bool isGpu() const { return family() == "vulkan" || family() == "cuda"; }
  /// The precision of the code that runs: f32 where none is asked for, and in
  /// place of tf32 on devices that have no products of it.
  std::string codePrecision() const;
};

/// The options with which a command runs on the CPU, in f32, what `compiler`
/// makes a module of; of several image sizes it is the first one. Its level is
/// the best that this processor has, of several at most the highest.
CommonOptions optionsToRun(const CompilerOptions &compiler);

/// Options of every command that reads a data set. They must not change when a
/// run is resumed: see describeRun.
struct DataOptions {
  std::string data, split, range;
};

/// What belongs to a model, in the group "Model" of the help.
void addModelDetails(Command command, CommonOptions &options);
/// The model and what belongs to it, in the same group.
void addModelOptions(Command command, CommonOptions &options);
/// Where and how it runs, in the group "Execution".
void addExecutionOptions(Command command, CommonOptions &options);
/// Both. Options that are added afterwards are in the group "Options".
void addCommonOptions(Command command, CommonOptions &options);
/// `split`: the help text of --split, including its default. Returns --data,
/// which may be made required.
Option addDataOptions(Command command, DataOptions &options,
                      const std::string &split);
/// The options of the words of a command line, for hosts. Throws if they are
/// wrong.
CommonOptions parseCommonOptions(const std::vector<std::string> &words);
/// Throws if an option is not supported by this build, with what to use
/// instead.
void checkCommonOptions(const CommonOptions &options);
/// Throws if --precision asks for one that training steps do not have.
void requireTrainable(const CommonOptions &options);

// One per command: registers the command and its callback, which runs it and
// throws Error on failure.
void addInfer(CLI::App &app);
void addClassify(CLI::App &app);
void addEmbed(CLI::App &app);
void addEval(CLI::App &app);
void addTrain(CLI::App &app);
void addBench(CLI::App &app);
void addCompare(CLI::App &app);
void addInspect(CLI::App &app);
void addReport(CLI::App &app);
void addDevices(CLI::App &app);
void addCache(CLI::App &app);

} // namespace vit::tools

#endif // VIT_TOOLS_OPTIONS_H
