//===- Model.h - A model, ready to be asked and run -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_MODEL_H
#define VIT_TOOLS_MODEL_H

#include "CompilerLibrary.h"
#include "Options.h"
#include "Support.h"

#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

/// What MODEL stands for. A text or a folder is compiled, or found in the
/// cache, when the module is first asked for.
class Model {
public:
  /// `outputs` empty: the model's own. With `training` the module has a
  /// training step.
  Model(const CommonOptions &options, std::vector<std::string> outputs,
        std::optional<TrainingRequest> training = std::nullopt);

  const CommonOptions &getOptions() const { return options; }
  /// By their first names; a module that was compiled elsewhere knows its own
  /// aliases.
  const std::vector<std::string> &getOutputs() const { return outputs; }
  /// What the compiler is asked for, but for target and level.
  CompilerOptions compilerOptions() const;

  vit_module *module();
  vit_parameters *parameters();

  /// Whether MODEL is a module already.
  bool isCompiled() const { return compiled; }
  bool hasEntry(const std::string &name);
  bool hasOutput(const std::string &name);
  vit_binding_info inputInfo();
  /// The module's outputs, the default one first.
  std::vector<vit_binding_info> outputInfos();
  /// Throws where nothing says how pictures are prepared.
  vit_preprocessing preprocessing();
  std::optional<vit_preprocessing> findPreprocessing();
  /// The label of a class, or its number.
  std::string label(int32_t index);
  /// What users call the parameter `name`.
  std::string parameterName(const std::string &name);

private:
  vit_status load(const std::string &path, vit_error &error);
  void compileAndLoad();
  void compileTo(const std::string &path, const CompilerOptions &wanted);

  CommonOptions options;
  std::vector<std::string> outputs;
  std::optional<TrainingRequest> training;
  std::string textFolder; ///< of a checkpoint whose model is a text
  bool compiled;
  ModuleHandle handle;
  ParametersHandle weights;
};

/// "logits" for its other name; any other name as it is.
std::string firstName(const std::string &output);

/// What users call a parameter: its checkpoint's name, and the model's own in
/// brackets where that differs.
std::string parameterName(const vit_binding_info &info);

} // namespace vit::tools

#endif // VIT_TOOLS_MODEL_H
