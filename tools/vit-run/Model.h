//===- Model.h - The MODEL argument of the commands -------------*- C++ -*-===//
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

/// The MODEL argument. A text or a folder is compiled, or found in the cache,
/// when the module is first used.
class Model {
public:
  /// `outputs` empty: the model's own. With `training` the module has a
  /// training step.
  Model(const CommonOptions &options, std::vector<std::string> outputs,
        std::optional<TrainingRequest> training = std::nullopt);

  const CommonOptions &getOptions() const { return options; }
  /// By canonical name. A module that was compiled elsewhere knows its own
  /// aliases.
  const std::vector<std::string> &getOutputs() const { return outputs; }
  /// The options for the compiler, except target and level.
  CompilerOptions compilerOptions() const;

  vit_module *module();
  vit_parameters *parameters();

  /// Whether MODEL is a compiled module.
  bool isCompiled() const { return compiled; }
  /// Whether this process has compiled the module: no driver has seen its code.
  bool isCompiledNow() const { return isNew; }
  /// The entry to run: null for the first, which a compiled module for several
  /// sizes of pictures may not mean.
  const char *entry();
  bool hasEntry(const std::string &name);
  bool hasOutput(const std::string &name);
  vit_binding_info inputInfo();
  /// The module's outputs, the default one first.
  std::vector<vit_binding_info> outputInfos();
  /// Throws if nothing describes how pictures are prepared.
  /// Prints how pictures are prepared if `always` or with --verbose, and a
  /// warning in any case if it is assumed.
  vit_preprocessing preprocessing(bool always = false);
  std::optional<vit_preprocessing> findPreprocessing();
  /// Prints how pictures are prepared and which file says so; see
  /// preprocessing().
  void reportPreparation(const vit_preprocessing &preprocessing, bool always);
  /// Prints, with --verbose, the code that a session runs, once.
  void reportCode(const vit_code_info &code);
  /// Throws unless there are as many labels as classes, or none.
  void checkLabels();
  /// The label of a class, or its number.
  std::string label(int32_t index);
  /// The name of the parameter `name` in messages.
  std::string parameterName(const std::string &name);

private:
  std::string explainPreprocessing(bool &isDefault);
  vit_status load(const std::string &path, vit_error &error);
  void compileAndLoad();
  void chooseEntry();
  void compileTo(const std::string &path, const CompilerOptions &wanted);
  bool findInCache(const std::string &cached);
  bool compileToFile(const std::string &path, const CompilerOptions &wanted,
                     std::string &reason);
  bool compileToTemporary(const CompilerOptions &wanted, std::string &reason);
  void compileToMemory(const CompilerOptions &wanted);

  CommonOptions options;
  std::vector<std::string> outputs;
  std::optional<TrainingRequest> training;
  std::string textFolder; ///< The checkpoint, if its model is a text.
  std::string entryName;  ///< Empty: the first.
  std::string reportedCode;
  bool compiled;
  bool isNew = false;
  ModuleHandle handle;
  ParametersHandle weights;
};

/// Scales the sizes to an input of height x width, as vit-set-image-size does.
void scalePreprocessing(vit_preprocessing &preprocessing, int64_t height,
                        int64_t width);

/// "resized to 256 x 256 (bicubic), cropped in the middle to 224 x 224, mean
/// 0.5, 0.5, 0.5, std 0.5, 0.5, 0.5": width x height.
std::string describePreparation(const vit_preprocessing &preprocessing);

/// The output of the model that is the embedding of a picture: image_embeds,
/// else pooler_output, else features; empty if it has none of them.
std::string findEmbedding(Model &model);

/// The output to embed with: what findEmbedding finds, else "features", for
/// which a text or a folder has to be compiled anew. Throws if a compiled
/// module has none.
std::string chooseEmbedding(Model &model);

/// The canonical name of an output: "logits" for its alias, any other name
/// unchanged.
std::string canonicalName(const std::string &output);

/// The name of a parameter in messages: that in its checkpoint, followed by
/// that in the model in parentheses if they differ.
std::string parameterName(const vit_binding_info &info);

} // namespace vit::tools

#endif // VIT_TOOLS_MODEL_H
