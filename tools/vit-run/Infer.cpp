//===- Infer.cpp - vit-run infer ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "Runner.h"
#include "Support.h"

#include <algorithm>

namespace vit::tools {

namespace {

struct NamedFile {
  std::string name; ///< Empty: the default input or output.
  std::string file;
};

/// "[NAME=]FILE"
NamedFile parseNamedFile(const std::string &text) {
  size_t equals = text.find('=');
  if (equals == std::string::npos)
    return {"", text};
  if (equals == 0 || equals + 1 == text.size())
    throw Error("'" + text + "' is not of the form NAME=FILE");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

struct InferOptions : CommonOptions {
  std::string input;
  std::vector<std::string> outputs;
};

void infer(const InferOptions &options) {
  checkCommonOptions(options);
  std::vector<NamedFile> files;
  std::vector<std::string> names;
  for (const std::string &text : options.outputs) {
    files.push_back(parseNamedFile(text));
    names.push_back(files.back().name);
  }
  bool hasDefault = std::count(names.begin(), names.end(), "") > 0;
  if (hasDefault && names.size() > 1)
    throw Error("with several outputs each needs its name: "
                "--output NAME=FILE");
  NamedFile inputFile = parseNamedFile(options.input);
  Tensor input = readNpy(inputFile.file);
  input.name = inputFile.name;

  Model model(options, hasDefault ? std::vector<std::string>() : names);
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
