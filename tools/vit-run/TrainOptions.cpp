//===- TrainOptions.cpp - Options of vit-run train ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainOptions.h"

#include "Numbers.h"

#include "Schedule.h"
#include "Support.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

namespace vit::tools {

static std::string positive(const std::string &text) {
  return findFault(
      text, [](double value) { return value >= 1; }, "of 1 or more");
}

static std::string upToOne(const std::string &text) {
  return findFault(
      text, [](double value) { return value >= 0 && value <= 1; },
      "from 0 to 1");
}

static std::string belowOne(const std::string &text) {
  return findFault(
      text, [](double value) { return value >= 0 && value < 1; },
      "of at least 0 and below 1");
}

static void addTrainingDataOptions(Command command, TrainOptions &options,
                                   bool needsData) {
  command.group("Data");
  Option data =
      addDataOptions(command, options, "Part to train on (default: train)");
  if (needsData)
    data.required();
  command.option("--limit", options.limit, "Use only N pictures, evenly spread")
      .check(positive)
      .type("N");
  command
      .option("--test", options.test,
              "Folder to evaluate on (default: the test part of --data, "
              "where it has one)")
      .type("DIR");
  command
      .option("--test-range", options.testRange,
              "Only these pictures to evaluate on")
      .type("FIRST..LAST");
  command
      .option("--order", options.order,
              "Pictures of each epoch in order: i32 [epochs, pictures] "
              "(default: shuffled, from --seed)")
      .type("FILE.npy");
  command.flag("--skip-unreadable", options.skipUnreadable,
               "Leave out pictures that cannot be read");
  command
      .option("--mean", options.mean,
              "Mean of each channel, pixels being 0..1 (default: what the "
              "model says, else 0.5)")
      .separatedBy(',')
      .type("A,B,C");
  command
      .option("--std", options.std,
              "Standard deviation of each channel, likewise")
      .separatedBy(',')
      .type("A,B,C");
}

static void addAugmentationOptions(Command command, PictureOptions &options) {
  command.group("Augmentation");
  command
      .option("--crop", options.crop,
              "Random crop after adding black pixels on each side")
      .range(0, 1 << 20)
      .type("PADDING");
  command.flag("--flip", options.flip, "Mirror pictures with probability 1/2");
  command
      .option("--erase", options.erase,
              "Probability of erasing a random rectangle")
      .check(upToOne)
      .type("P");
}

static void addStepOptions(Command command, StepOptions &options) {
  command.group("Optimizer");
  command.option("--optimizer", options.optimizer, "adamw, adam or sgd")
      .oneOf({"adamw", "adam", "sgd"})
      .showDefault()
      .type("NAME");
  command.option("--momentum", options.momentum, "Momentum of sgd; 0: none")
      .check(upToOne)
      .showDefault();
  command.flag("--nesterov", options.nesterov,
               "Use Nesterov momentum with sgd");
  command.option("--beta1", options.beta1, "Of adam and adamw")
      .check(belowOne)
      .showDefault();
  command.option("--beta2", options.beta2, "Of adam and adamw")
      .check(belowOne)
      .showDefault();
  command.option("--epsilon", options.epsilon, "Of adam and adamw")
      .check(notNegative)
      .showDefault();
  command
      .option("--weight-decay", options.weightDecay,
              "Default: 0.01 with adamw, else 0")
      .check(notNegative)
      .type("X");
  command.flag("--decay-all", options.decayAll,
               "Also decay norms, biases, tokens and positions");
  command
      .option("--label-smoothing", options.labelSmoothing,
              "Share of the target that is spread over all classes")
      .check(belowOne)
      .type("X");
  command
      .option("--clip-norm", options.clipNorm,
              "Maximum norm of all gradients; 0: no limit")
      .check(notNegative)
      .type("X");
  command
      .option("--accumulate", options.accumulate,
              "Batches per update, of each rank")
      .range(1, 1 << 20)
      .showDefault()
      .type("K");
}

static void addRateOptions(Command command, RateOptions &options) {
  command.option("--lr", options.learningRate, "Learning rate")
      .check(notNegative)
      .showDefault();
  command
      .option("--schedule", options.schedule,
              "Schedule of the learning rate: constant, cosine or step")
      .oneOf({"constant", "cosine", "step"})
      .showDefault();
  command
      .option("--warmup", options.warmup,
              "Updates (or epochs: 2e) over which the rate rises to --lr")
      .type("N[e]");
  command
      .option("--min-lr", options.minimumRate,
              "Final rate of cosine; lower bound of step")
      .check(notNegative)
      .type("X");
  command
      .option("--step-epochs", options.stepEpochs,
              "step: epochs until the next reduction")
      .check(positive)
      .showDefault();
  command
      .option("--step-factor", options.stepFactor,
              "step: factor of each reduction")
      .check(upToOne)
      .showDefault();
}

/// What is trained of the model, and from what on.
static void addStartOptions(Command command, TrainOptions &options) {
  addModelOptions(command, options);
  command
      .option("--init", options.init,
              "Start from these weights: a checkpoint's folder or a "
              ".safetensors, .bin or .pth file; a new head where classes "
              "differ")
      .type("CHECKPOINT");
  command
      .option("--frozen", options.frozen,
              "Parameters not to train: a name of the model or of "
              "its checkpoint, with * and ?")
      .oneValueEach()
      .type("GLOB");
  command.option("--trained", options.trained, "The only parameters to train")
      .oneValueEach()
      .type("GLOB");
}

static void addScheduleOptions(Command command, TrainOptions &options) {
  command.group("Schedule");
  command.option("--epochs", options.epochs, "Passes over the data")
      .range(1, 1 << 30)
      .showDefault();
  command.option("--batch", options.batch, "Pictures per step")
      .range(1, 1 << 20)
      .showDefault();
  command
      .option("--eval-batch", options.evalBatch,
              "Pictures per run of an evaluation (default: --batch)")
      .range(1, 1 << 20)
      .type("N");
  command
      .option("--eval-every", options.evalEvery,
              "Epochs between evaluations; 0: none")
      .check(notNegative)
      .showDefault();
  command.option("--steps", options.steps, "Stop after step N of the run")
      .check(positive)
      .type("N");
  addRateOptions(command, options);
}

static void addRankOptions(Command command, RankOptions &options) {
  command.group("Several machines or GPUs (mpirun, srun)");
  command
      .option("--mpi", options.mpi,
              "auto: train together with the other processes of the launcher; "
              "off: each by itself")
      .oneOf({"auto", "off"})
      .showDefault();
  command
      .option("--reduce", options.reduce,
              "ordered: gradients are added in the order of ranks, with the "
              "bits of one rank; fast: as MPI does")
      .oneOf({"ordered", "fast"})
      .showDefault();
  command
      .option("--rank-timeout", options.rankTimeout,
              "Seconds without news of a rank after which the run ends")
      .check(positive)
      .showDefault();
}

static void addOutputOptions(Command command, TrainOptions &options,
                             bool isNeeded) {
  command.group("Output");
  Option out =
      command
          .option("--out", options.out,
                  "Folder for checkpoints (best, last), log and curves")
          .type("DIR");
  if (isNeeded)
    out.required();
  command
      .option("--checkpoint-every", options.checkpointEvery,
              "Steps between checkpoints within an epoch; 0: none")
      .check(notNegative)
      .type("STEPS");
  command.flag("--resume", options.resume,
               "Resume from the last checkpoint in --out");
}

static constexpr const char *kExamples =
    R"(Examples:
  From random parameters, on CIFAR-10:
    vit-run train models/vit-cifar10.mlir --data cifar-10-batches-bin --out run \
        --epochs 30 --lr 1e-3 --schedule cosine --warmup 1e --crop 4 --flip
  Fine-tune a checkpoint on a folder with one folder of pictures per class:
    vit-run train vit-base-folder --data photos --out tuned --epochs 5 --lr 1e-4
  Continue the last run after it was stopped (with its other options):
    vit-run train vit-base-folder --data photos --out tuned --epochs 5 --lr 1e-4 --resume
)";

void addTrainOptions(Command command, TrainOptions &options, bool needsData) {
  addTrainingDataOptions(command, options, needsData);
  addStartOptions(command, options);
  addScheduleOptions(command, options);
  addStepOptions(command, options);
  addAugmentationOptions(command, options);
  addRankOptions(command, options);
  addOutputOptions(command, options, needsData);
  addExecutionOptions(command, options);
  command.footer(kExamples);
}

TrainOptions parseTrainOptions(const std::vector<std::string> &words) {
  TrainOptions options;
  parseWords("vit-run train", words, [&](Command command) {
    addTrainOptions(command, options, /*needsData=*/false);
    command.action([&, command] { finishTrainOptions(command, options); });
  });
  return options;
}

void finishTrainOptions(const Command &command, TrainOptions &options) {
  for (const char *name :
       {"--optimizer", "--momentum", "--nesterov", "--beta1", "--beta2",
        "--epsilon", "--weight-decay", "--decay-all", "--label-smoothing",
        "--clip-norm", "--frozen", "--trained"})
    if (command.has(name))
      options.fixedInModule = name;
  options.hasAccumulate = command.has("--accumulate");
  bool isSgd = options.optimizer == "sgd";
  for (const char *name : {"--momentum", "--nesterov"})
    if (command.has(name) && !isSgd)
      throw Error(std::string(name) + " belongs to --optimizer sgd");
  for (const char *name : {"--beta1", "--beta2", "--epsilon"})
    if (command.has(name) && isSgd)
      throw Error(std::string(name) + " belongs to --optimizer adam and adamw");
}

void checkTrainOptions(const TrainOptions &options) {
  if (options.isReference())
    throw Error(
        "--device reference does not train; choose cpu, vulkan or cuda");
  requireTrainable(options);
  if (!options.order.empty() && options.limit > 0)
    throw Error("--order selects the pictures; leave out --limit");
  if (options.mean.empty() != options.std.empty())
    throw Error("--mean and --std go together");
  for (float value : options.mean)
    if (!std::isfinite(value))
      throw Error("--mean holds a value that is not a number");
  for (float value : options.std)
    if (!std::isfinite(value) || value <= 0)
      throw Error("--std holds a value that is not above 0");
  if (options.nesterov && options.momentum == 0)
    throw Error("--nesterov needs a --momentum");
  if (options.minimumRate > options.learningRate)
    throw Error("--min-lr is above --lr");
  parseWarmup(options.warmup, 1);
}

/// The shortest decimal number that reads back as `value`.
static std::string numberText(double value) {
  return nlohmann::json(value).dump();
}

std::string trainingText(const StepOptions &options) {
  const auto &[optimizer, momentum, nesterov, beta1, beta2, epsilon,
               weightDecay, decayAll, labelSmoothing, clipNorm, frozen, trained,
               accumulate] = options;
  std::string text = "optimizer=" + optimizer;
  auto add = [&text](const std::string &name, double value) {
    text += " " + name + "=" + numberText(value);
  };
  if (optimizer == "sgd") {
    add("momentum", momentum);
    if (nesterov)
      text += " nesterov=true";
  } else {
    add("beta1", beta1);
    add("beta2", beta2);
    add("epsilon", epsilon);
  }
  if (weightDecay)
    add("weight-decay", *weightDecay);
  if (decayAll)
    text += " decay-all=true";
  if (labelSmoothing > 0)
    add("label-smoothing", labelSmoothing);
  if (clipNorm > 0)
    add("clip-norm", clipNorm);
  if (!frozen.empty())
    text += " frozen=" + join(frozen, ",");
  if (!trained.empty())
    text += " trained=" + join(trained, ",");
  if (accumulate > 1)
    text += " accumulate=" + std::to_string(accumulate);
  return text;
}

nlohmann::ordered_json describeRun(const TrainOptions &options) {
  auto path = [](const std::string &text) {
    std::error_code ignored;
    return text.empty()
               ? text
               : std::filesystem::weakly_canonical(text, ignored).string();
  };
  const auto &[data, split, range] = static_cast<const DataOptions &>(options);
  const auto &[limit, order, skipUnreadable, crop, flip, erase, mean, std] =
      static_cast<const PictureOptions &>(options);
  const auto &[rate, schedule, warmup, minimumRate, stepEpochs, stepFactor] =
      static_cast<const RateOptions &>(options);
  nlohmann::ordered_json result = {{"data", path(data)},
                                   {"split", split},
                                   {"range", range},
                                   {"limit", limit},
                                   {"order", path(order)},
                                   {"skip-unreadable", skipUnreadable},
                                   {"crop", crop},
                                   {"flip", flip},
                                   {"erase", erase},
                                   {"mean", mean},
                                   {"std", std},
                                   {"batch", options.batch},
                                   {"seed", options.seed},
                                   {"training", trainingText(options)},
                                   {"lr", rate},
                                   {"schedule", schedule},
                                   {"warmup", warmup},
                                   {"min-lr", minimumRate},
                                   {"step-epochs", stepEpochs},
                                   {"step-factor", stepFactor}};
  if (!options.imageSize.empty())
    result["image-size"] = options.imageSize;
  if (!options.precision.empty() && options.precision != "f32")
    result["precision"] = options.precision;
  if (options.reduce != "ordered")
    result["reduce"] = options.reduce;
  // The cosine ends with the last epoch.
  if (schedule == "cosine")
    result["epochs"] = options.epochs;
  return result;
}

nlohmann::ordered_json describeOptions(const TrainOptions &options) {
  nlohmann::ordered_json result = {
      {"model", options.model},    {"init", options.init},
      {"test", options.test},      {"test-range", options.testRange},
      {"epochs", options.epochs},  {"device", options.device},
      {"threads", options.threads}};
  result.update(describeRun(options));
  return result;
}

} // namespace vit::tools
