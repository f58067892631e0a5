//===- Infer.cpp - vit-run infer ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "Overwriting.h"
#include "Runner.h"
#include "Support.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace vit::tools {

namespace {

struct NamedFile {
  std::string name; ///< Empty: the default input or output.
  std::string file;
};

/// The text before the first '=' where that may be a name: a path with a '/'
/// before its '=' is not.
std::string nameBeforeEquals(const std::string &text) {
  std::string name = text.substr(0, text.find('='));
  bool isName = name.size() + 1 < text.size() && !name.empty() &&
                name.find('/') == std::string::npos;
  return isName ? name : "";
}

/// "[NAME=]FILE"
NamedFile splitName(const std::string &text, const std::string &name) {
  return {name, name.empty() ? text : text.substr(name.size() + 1)};
}

/// Whether NAME is one of the names that the outputs of imported models have,
/// or that of a product.
bool isStandardOutput(const std::string &name) {
  std::string stem = name.substr(0, name.find_last_not_of("0123456789") + 1);
  return canonicalName(name) == "logits" || name == "final" ||
         name.rfind(VIT_COMPILER_PRODUCT_PREFIX, 0) == 0 ||
         (stem.size() < name.size() &&
          (stem == "hidden_" || stem == "attention_"));
}

struct InferOptions : CommonOptions {
  std::string input;
  std::vector<std::string> outputs;
};

/// The file of --output: NAME= is a name where the model has such an output.
NamedFile parseOutput(const std::string &text, const InferOptions &options) {
  std::string name = nameBeforeEquals(text);
  if (name.empty() || isStandardOutput(name))
    return splitName(text, name);
  // Where no such file can be made, it is a name; if it is wrong, the runner
  // says so. This comes first: to know the outputs, a model is compiled.
  std::error_code ignored;
  std::filesystem::path folder = std::filesystem::path(text).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, ignored))
    return splitName(text, name);
  if (Model(options, {}).hasOutput(name))
    return splitName(text, name);
  std::fprintf(stderr,
               "note: the model has no output '%s'; %s is taken as a path\n",
               name.c_str(), text.c_str());
  return {"", text};
}

/// The file of --input: NAME= is a name where the model's input has it.
NamedFile parseInput(const std::string &text, Model &model) {
  std::string name = nameBeforeEquals(text);
  std::error_code ignored;
  if (name.empty() ||
      (!model.getOptions().isReference() && name == model.inputInfo().name))
    return splitName(text, name);
  // Where only FILE exists, the name is wrong: the runner says so.
  NamedFile named = splitName(text, name);
  bool isNamed = !std::filesystem::exists(text, ignored) &&
                 std::filesystem::exists(named.file, ignored);
  return isNamed ? named : NamedFile{"", text};
}

void infer(const InferOptions &options) {
  checkCommonOptions(options);
  std::vector<NamedFile> files;
  std::vector<std::string> names;
  for (const std::string &text : options.outputs) {
    files.push_back(parseOutput(text, options));
    names.push_back(files.back().name);
  }
  bool hasDefault = std::count(names.begin(), names.end(), "") > 0;
  if (hasDefault && names.size() > 1)
    throw Error("with several outputs each needs its name: "
                "--output NAME=FILE");

  Model model(options, hasDefault ? std::vector<std::string>() : names);
  NamedFile inputFile = parseInput(options.input, model);
  Tensor input = readNpy(inputFile.file);
  input.name = inputFile.name;
  std::vector<std::string> read = filesOfModel(options.model);
  read.push_back(inputFile.file);
  for (const NamedFile &file : files)
    requireNotRead(file.file, read);
  if (!options.isReference())
    checkInput(input, model.inputInfo(), inputFile.file);
  EventLog log;
  std::unique_ptr<Runner> runner =
      Runner::create(model, options.trace.empty() ? nullptr : &log);
  std::vector<Tensor> outputs = runner->run(input, names);
  for (const NamedFile &file : files) {
    const Tensor *output = &outputs.front();
    for (const Tensor &candidate : outputs)
      if (candidate.name == file.name ||
          candidate.name == canonicalName(file.name))
        output = &candidate;
    vit_tensor view = output->view();
    vit_error error;
    check(vit_npy_write(file.file.c_str(), &view, &error), error);
  }
  writeTrace(options.trace, log);
}

} // namespace

void addInfer(CLI::App &app) {
  Command command(app, "infer",
                  "Run a model on an .npy array and write its outputs");
  auto options = std::make_shared<InferOptions>();
  addCommonOptions(command, *options);
  command
      .option("--input", options->input,
              "Array [batch, channels, height, width]")
      .required()
      .type("[NAME=]X.npy");
  command
      .option("--output", options->outputs,
              "File for an output; may be repeated. Names: "
              "logits, hidden_0.., final, attention_0.., and other "
              "outputs of the model")
      .required()
      .oneValueEach()
      .type("[NAME=]Y.npy");
  command.action([options] { infer(*options); });
}

} // namespace vit::tools
