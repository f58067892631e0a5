//===- Train.cpp - vit-run train ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checkpoint.h"
#include "Init.h"
#include "Trainer.h"

#include <cstdio>
#include <filesystem>

namespace fs = std::filesystem;

namespace vit::tools {

/// Checks that a compiled module was compiled with the given optimizer options.
static void checkModule(Model &model, const TrainOptions &options) {
  if (!model.hasEntry("train_step"))
    throw Error(options.model + " has no training step; compile it with "
                                "vit-compile --train, or train the text or the "
                                "checkpoint's folder");
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
  if (hasWeights(out + "/model"))
    inTheWay(out + "/model", "it holds weights");
}

static void train(TrainOptions options) {
  checkCommonOptions(options);
  checkTrainOptions(options);
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
  std::error_code error;
  fs::create_directories(options.out, error);
  if (error)
    throw Error("cannot make the folder " + options.out + ": " +
                error.message());

  // Adapt a checkpoint's folder to the classes of this data.
  std::string init = options.init;
  std::string asked = options.model;
  if (fs::exists(fs::path(options.model) / "config.json", error)) {
    if (init.empty() && hasWeights(options.model))
      init = options.model;
    makeModelFolder(options.model, data.getLabels(), options.out + "/model");
    options.model = options.out + "/model";
  }
  Model model(
      options, {},
      TrainingRequest{trainingText(options), options.memory, options.batch});
  if (model.isCompiled())
    checkModule(model, options);
  data.prepareFor(model);

  TrainingState state;
  state.options = describeRun(options);
  state.options["model"] = fs::weakly_canonical(asked, error).string();
  if (found) {
    TrainingState saved = loadCheckpoint(last, model);
    std::string difference = describeDifference(saved.options, state.options);
    if (!difference.empty())
      throw Error("--resume requires the options that the run began with: " +
                  difference +
                  "; to change them, start a new run with --init " + last);
    state = saved;
  } else {
    if (!init.empty())
      initialise(model, init);
    vit_parameters_seed(model.parameters(), options.seed);
  }
  Trainer(options, model, data, std::move(state)).run();
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
