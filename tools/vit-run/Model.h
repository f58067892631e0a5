//===- Model.h - A model, ready to be asked and run -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_MODEL_H
#define VIT_TOOLS_MODEL_H

#include "Options.h"
#include "Support.h"

#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

/// What a model is compiled with so that it can be trained.
struct TrainingRequest {
  std::string options; ///< of vit-generate-backward
  uint64_t memory = 0; ///< Bytes for a step's activations; 0: no limit.
  int64_t batch = 0;   ///< of a step
};

/// What MODEL stands for. A text or a folder is compiled, or found in the
/// cache, when the module is first asked for.
class Model {
public:
  /// `outputs` empty: the model's own. With `training` the module has a
  /// training step.
  Model(const CommonOptions &options, std::vector<std::string> outputs,
        std::optional<TrainingRequest> training = std::nullopt);

  const CommonOptions &getOptions() const { return options; }
  /// "logits" for "classification_head_logits", where the model was compiled
  /// here; a module knows its own aliases.
  const std::vector<std::string> &getOutputs() const { return outputs; }

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
  void compileTo(const std::string &path, const std::string &target,
                 const std::string &level);

  CommonOptions options;
  std::vector<std::string> outputs;
  std::optional<TrainingRequest> training;
  std::string textFolder; ///< of a checkpoint whose model is a text
  bool compiled;
  ModuleHandle handle;
  ParametersHandle weights;
};

/// What users call a parameter: its checkpoint's name, and the model's own in
/// brackets where that differs.
std::string parameterName(const vit_binding_info &info);

} // namespace vit::tools

#endif // VIT_TOOLS_MODEL_H
