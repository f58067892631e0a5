//===- Train.cpp - vit-run train ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checkpoint.h"
#include "Classes.h"
#include "Data.h"
#include "ImageSize.h"
#include "Init.h"
#include "Trainer.h"
#include "format/Hash.h"
#include "vit/Import/ModelFolder.h"

#include <cstdio>
#include <filesystem>

namespace fs = std::filesystem;

namespace vit::tools {

/// Checks that a compiled module was compiled with the given optimizer options.
static void checkModule(Model &model, const TrainOptions &options) {
  if (!options.imageSize.empty())
    throw Error("--image-size requires a text or a folder; " + options.model +
                " was compiled for one size of pictures (vit-compile --train "
                "--image-size)");
  if (!model.hasEntry("train_step"))
    throw Error(options.model + " has no training step; compile it with "
                                "vit-compile --train, or train the text or the "
                                "checkpoint's folder");
  // A checkpoint holds every parameter.
  vit_error problem;
  vit_binding_info parameter = {};
  for (int32_t i = 0; i < vit_parameters_count(model.parameters()); ++i) {
    check(vit_parameters_info(model.parameters(), i, &parameter, &problem),
          problem);
    if (parameter.dtype != VIT_F32)
      throw Error(options.model + " holds " + parameterName(parameter) +
                  " rounded, so no checkpoint can be written; train the text "
                  "or the checkpoint's folder, or a module compiled with "
                  "--precision f32");
  }
  if (!options.fixedInModule.empty())
    throw Error(options.fixedInModule + " requires a text or a folder; " +
                options.model +
                " was compiled with its optimizer (vit-compile --train)");
  vit_binding_info targets = {};
  vit_error error;
  check(vit_module_input(model.module(), "train_step", 1, &targets, &error),
        error);
  if (targets.dtype != VIT_I32)
    throw Error(options.model + " is trained on a number for each class (" +
                targets.name +
                ", f32), not from the classes of pictures; compile it without "
                "soft-targets and loss=mse, or train it with vit_session_step");
  if (model.hasEntry("accumulate_step") != (options.accumulate > 1))
    throw Error(options.model +
                (options.accumulate > 1
                     ? " was compiled without accumulation; leave out "
                       "--accumulate"
                     : " was compiled to accumulate gradients; give the same "
                       "--accumulate"));
}

/// Throws if the model (a text or a module; in a folder it is changed) is not
/// one of a single label per picture.
static void checkProblemType(Model &model, const std::string &name) {
  const char *type = vit_module_problem_type(model.module());
  if (type && std::string(type) != "single_label_classification")
    throw Error(name + ": vit.problem_type is " + type +
                ", and train learns one label per picture (cross entropy of "
                "the softmax); remove the attribute to train it so");
}

/// A new run overwrites only what a run left that was stopped before its first
/// checkpoint.
static void checkOutFolder(const std::string &out) {
  std::error_code ignored;
  auto inTheWay = [](const std::string &path, const char *what) {
    throw Error(path + " is in the way: " + what + "; choose another --out");
  };
  if (fs::exists(out + "/last", ignored))
    inTheWay(out + "/last", "it is not the folder of a checkpoint");
  std::string log = out + "/log.jsonl";
  bool isOurs = fs::exists(log, ignored);
  if (isOurs && !isTrainingLog(log))
    inTheWay(log, "no training run wrote it");
  for (const char *name : {"/best", "/curves.svg"})
    if (!isOurs && fs::exists(out + name, ignored))
      inTheWay(out + name, "no training run is beside it");
  if (mlir::vit::hasWeights(out + "/model"))
    inTheWay(out + "/model", "it holds weights");
}

/// The hash of what defines the model's structure; empty for a module, whose
/// tensors alone are compared.
static std::string modelHash(const std::string &model) {
  std::error_code ignored;
  std::string path = model;
  for (const char *name : {"config.json", "model.mlir"})
    if (path == model && fs::exists(fs::path(model) / name, ignored))
      path = (fs::path(model) / name).string();
  if (path == model && fs::path(model).extension() != ".mlir")
    return "";
  std::string text = readFile(path);
  return hexText(format::hash64(text.data(), text.size()));
}

/// The options of a run, with what data and model are in place of where they
/// are.
static nlohmann::ordered_json describeContent(const TrainOptions &options,
                                              const TrainingData &data) {
  nlohmann::ordered_json result = describeRun(options);
  result["data"] = data.describe();
  result["test"] = data.describeTest();
  result.erase("order"); // It belongs to the data.
  std::string hash = modelHash(options.model);
  if (!hash.empty())
    result["model"] = hash;
  return result;
}

/// Throws if a run cannot be resumed with these options and this data.
static void compareRuns(const nlohmann::ordered_json &was,
                        const nlohmann::ordered_json &is,
                        const std::string &last) {
  std::string difference = describeDifference(was, is);
  if (!difference.empty())
    throw Error(
        "--resume requires the options that the run began with: " + difference +
        "; to change them, start a new run with --init " + last);
  if (was.value("data", nlohmann::ordered_json()).is_string())
    std::fprintf(stderr,
                 "note: %s was written by an older version, so it is not known "
                 "whether the data has changed\n",
                 last.c_str());
  auto test = was.find("test");
  if (test == was.end() || test->is_null() || is["test"].is_null())
    return;
  std::string change = compareData(*test, is["test"]);
  if (!change.empty())
    std::fprintf(stderr,
                 "warning: the accuracies before and after are not of the same "
                 "test data: %s\n",
                 change.c_str());
}

/// Whether the head of the checkpoint `init` is for other classes than `labels`
/// or has them in another order.
static bool needsNewHead(const std::string &init, const Names &labels) {
  std::error_code ignored;
  Names before =
      fs::is_directory(init, ignored) ? labelsOfFolder(init) : Names();
  return areWords(before) && areWords(labels) &&
         before.size() == labels.size() &&
         !matchClasses(before, labels, static_cast<int64_t>(labels.size()))
              .isIdentity();
}

/// A folder of config.json alone may be trained from scratch; one whose weights
/// cannot be read may not: the user wants them.
static void reportNoWeights(const std::string &folder) {
  mlir::vit::FolderProblem problem = mlir::vit::explainMissingWeights(folder);
  if (problem.hasOtherWeights)
    throw Error(problem.text);
  std::fprintf(stderr,
               "note: %s; training starts from initialised parameters\n",
               problem.text.c_str());
}

/// open_clip has no class with a head to export to.
static void refuseOpenClip(const std::string &model) {
  std::error_code ignored;
  if (!fs::exists(fs::path(model) / "config.json", ignored) &&
      fs::exists(fs::path(model) / "open_clip_config.json", ignored))
    throw Error(model + " is a model of open_clip, which has no class with a "
                        "head for classes; train the same tower as a model of "
                        "transformers (CLIPForImageClassification) or timm "
                        "(vit_*_clip_*), or use the vectors of vit-run embed");
}

static void train(TrainOptions options) {
  options.model = mlir::vit::resolveModelFolder(options.model);
  options.init = mlir::vit::resolveModelFolder(options.init);
  checkCommonOptions(options);
  checkTrainOptions(options);
  refuseOpenClip(options.model);
  std::string last = options.out + "/last";
  bool found = hasCheckpoint(last);
  if (found && !options.resume)
    throw Error(options.out + " already holds a training run; continue it with "
                              "--resume, or choose another --out");
  if (!found)
    checkOutFolder(options.out);
  if (options.resume && !found)
    std::fprintf(stderr,
                 "no checkpoint in %s yet: starting from the beginning\n",
                 options.out.c_str());

  TrainingData data(options);
  TrainingState state;
  state.options = describeContent(options, data);
  if (found)
    compareRuns(readTrainingState(last).options, state.options, last);
  std::error_code error;
  fs::create_directories(options.out, error);
  if (error)
    throw Error("cannot make the folder " + options.out + ": " +
                error.message());

  // Adapt a checkpoint's folder to the classes of this data.
  std::string init = options.init;
  if (fs::exists(fs::path(options.model) / "config.json", error)) {
    if (init.empty() && mlir::vit::hasWeights(options.model))
      init = options.model;
    else if (init.empty())
      reportNoWeights(options.model);
    std::string folder = options.out + "/model";
    makeModelFolder(options.model, data.getLabels(), folder);
    if (!options.imageSize.empty())
      setModelSize(options.model, folder, options.imageSize);
    options.imageSize.clear();
    options.model = folder;
  }
  Model model(
      options, {},
      TrainingRequest{trainingText(options), options.memory, options.batch});
  if (model.isCompiled())
    checkModule(model, options);
  checkProblemType(model, options.model);
  data.prepareFor(model);

  CarriedTensors carried;
  if (found) {
    nlohmann::ordered_json current = state.options;
    state = loadCheckpoint(last, model, carried);
    if (current.value("model", "") != state.options.value("model", "") &&
        state.options.value("model", "").rfind('/', 0) != 0)
      std::fprintf(stderr, "warning: the text or config.json of the model has "
                           "changed since the run began\n");
    state.options = current;
  } else {
    if (!init.empty())
      carried =
          initialise(model, init, needsNewHead(init, data.getModelLabels()));
    vit_parameters_seed(model.parameters(), options.seed);
  }
  Trainer(options, model, data, carried, std::move(state)).run();
}

void addTrain(CLI::App &app) {
  Command command(app, "train", "Train a model on a labelled data set");
  auto options = std::make_shared<TrainOptions>();
  addTrainOptions(command, *options);
  command.action([options, command] {
    finishTrainOptions(command, *options);
    train(*options);
  });
}

} // namespace vit::tools
