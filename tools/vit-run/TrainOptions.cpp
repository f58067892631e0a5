//===- TrainOptions.cpp - What vit-run train is asked for -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainOptions.h"

#include "Schedule.h"
#include "Support.h"

#include <cmath>
#include <filesystem>
#include <limits>

namespace vit::tools {

/// A validator of numbers that satisfy `isGood`, described by `what`. The
/// validators of CLI11 accept NaN, and their messages are several hundred
/// digits long.
template <typename Predicate>
static CLI::Validator number(Predicate isGood, const std::string &what) {
  return CLI::Validator(
      [=](const std::string &text) -> std::string {
        double value = 0;
        bool good = CLI::detail::lexical_cast(text, value) && isGood(value);
        return good ? "" : text + " is not a number " + what;
      },
      "");
}

/// Training computes in float.
static CLI::Validator notNegative() {
  return number(
      [](double value) {
        return value >= 0 && value <= std::numeric_limits<float>::max();
      },
      "of 0 or more");
}

static CLI::Validator positive() {
  return number([](double value) { return value >= 1; }, "of 1 or more");
}

static CLI::Validator upToOne() {
  return number([](double value) { return value >= 0 && value <= 1; },
                "from 0 to 1");
}

static CLI::Validator belowOne() {
  return number([](double value) { return value >= 0 && value < 1; },
                "of at least 0 and below 1");
}

static void addTrainingDataOptions(CLI::App &command, TrainOptions &options) {
  addDataOptions(command, options, "Part to train on (default: train)");
  command
      .add_option("--limit", options.limit,
                  "Use only N pictures, evenly spread")
      ->check(positive())
      ->type_name("N");
  command
      .add_option("--test", options.test,
                  "Folder to evaluate on (default: the test part of --data, "
                  "where it has one)")
      ->type_name("DIR");
  command
      .add_option("--test-range", options.testRange,
                  "Only these pictures to evaluate on")
      ->type_name("FIRST..LAST");
  command
      .add_option("--order", options.order,
                  "Pictures of each epoch in order: i32 [epochs, pictures] "
                  "(default: shuffled, from --seed)")
      ->type_name("FILE.npy");
  command.add_flag("--skip-unreadable", options.skipUnreadable,
                   "Leave out pictures that cannot be read");
  command
      .add_option("--crop", options.crop,
                  "Random crop after adding black pixels on each side")
      ->check(CLI::Range(0, 1 << 20))
      ->type_name("PADDING");
  command.add_flag("--flip", options.flip,
                   "Mirror pictures with probability 1/2");
  command
      .add_option("--erase", options.erase,
                  "Probability of erasing a random rectangle")
      ->check(upToOne())
      ->type_name("P");
  command
      .add_option("--mean", options.mean,
                  "Mean of each channel, pixels being 0..1 (default: what the "
                  "model says, else 0.5)")
      ->delimiter(',')
      ->type_name("A,B,C");
  command
      .add_option("--std", options.std,
                  "Standard deviation of each channel, likewise")
      ->delimiter(',')
      ->type_name("A,B,C");
}

static void addStepOptions(CLI::App &command, StepOptions &options) {
  command.add_option("--optimizer", options.optimizer, "adamw, adam or sgd")
      ->check(CLI::IsMember({"adamw", "adam", "sgd"}))
      ->capture_default_str()
      ->type_name("NAME");
  command
      .add_option("--momentum", options.momentum, "Momentum of sgd; 0: none")
      ->check(upToOne())
      ->capture_default_str();
  command.add_flag("--nesterov", options.nesterov,
                   "Use Nesterov momentum with sgd");
  command.add_option("--beta1", options.beta1, "Of adam and adamw")
      ->check(belowOne())
      ->capture_default_str();
  command.add_option("--beta2", options.beta2, "Of adam and adamw")
      ->check(belowOne())
      ->capture_default_str();
  command.add_option("--epsilon", options.epsilon, "Of adam and adamw")
      ->check(notNegative())
      ->capture_default_str();
  command
      .add_option("--weight-decay", options.weightDecay,
                  "Default: 0.01 with adamw, else 0")
      ->check(notNegative())
      ->type_name("X");
  command.add_flag("--decay-all", options.decayAll,
                   "Also decay norms, biases, tokens and positions");
  command
      .add_option("--label-smoothing", options.labelSmoothing,
                  "Share of the target that is spread over all classes")
      ->check(belowOne())
      ->type_name("X");
  command
      .add_option("--clip-norm", options.clipNorm,
                  "Maximum norm of all gradients; 0: no limit")
      ->check(notNegative())
      ->type_name("X");
  command.add_option("--accumulate", options.accumulate, "Batches per update")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->capture_default_str()
      ->type_name("K");
  command
      .add_option("--frozen", options.frozen,
                  "Parameters not to train: a name of the model or of "
                  "its checkpoint, with * and ?")
      ->allow_extra_args(false)
      ->type_name("GLOB");
  command
      .add_option("--trained", options.trained, "The only parameters to train")
      ->allow_extra_args(false)
      ->type_name("GLOB");
}

static void addRateOptions(CLI::App &command, RateOptions &options) {
  command.add_option("--lr", options.learningRate, "Learning rate")
      ->check(notNegative())
      ->capture_default_str();
  command
      .add_option("--schedule", options.schedule,
                  "Schedule of the learning rate: constant, cosine or step")
      ->check(CLI::IsMember({"constant", "cosine", "step"}))
      ->capture_default_str();
  command
      .add_option("--warmup", options.warmup,
                  "Updates (or epochs: 2e) over which the rate rises to --lr")
      ->type_name("N[e]");
  command
      .add_option("--min-lr", options.minimumRate,
                  "Final rate of cosine; lower bound of step")
      ->check(notNegative())
      ->type_name("X");
  command
      .add_option("--step-epochs", options.stepEpochs,
                  "step: epochs until the next reduction")
      ->check(positive())
      ->capture_default_str();
  command
      .add_option("--step-factor", options.stepFactor,
                  "step: factor of each reduction")
      ->check(upToOne())
      ->capture_default_str();
}

void addTrainOptions(CLI::App &command, TrainOptions &options) {
  addCommonOptions(command, options);
  addTrainingDataOptions(command, options);
  command
      .add_option("--init", options.init,
                  "Start from these weights: a checkpoint's folder or a "
                  ".safetensors file; a new head where classes differ")
      ->type_name("CHECKPOINT");
  command.add_option("--epochs", options.epochs, "Passes over the data")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30))
      ->capture_default_str();
  command.add_option("--batch", options.batch, "Pictures per step")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->capture_default_str();
  command
      .add_option("--eval-batch", options.evalBatch,
                  "Pictures per run of an evaluation (default: --batch)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->type_name("N");
  command
      .add_option("--eval-every", options.evalEvery,
                  "Epochs between evaluations; 0: none")
      ->check(notNegative())
      ->capture_default_str();
  command.add_option("--steps", options.steps, "Stop after step N of the run")
      ->check(positive())
      ->type_name("N");
  addStepOptions(command, options);
  addRateOptions(command, options);
  command
      .add_option("--out", options.out,
                  "Folder for checkpoints (best, last), log and curves")
      ->required()
      ->type_name("DIR");
  command
      .add_option("--checkpoint-every", options.checkpointEvery,
                  "Steps between checkpoints within an epoch; 0: none")
      ->check(notNegative())
      ->type_name("STEPS");
  command.add_flag("--resume", options.resume,
                   "Resume from the last checkpoint in --out");
}

void finishTrainOptions(const CLI::App &command, TrainOptions &options) {
  for (const char *name :
       {"--optimizer", "--momentum", "--nesterov", "--beta1", "--beta2",
        "--epsilon", "--weight-decay", "--decay-all", "--label-smoothing",
        "--clip-norm", "--frozen", "--trained"})
    if (command.count(name) > 0)
      options.fixedInModule = name;
  bool isSgd = options.optimizer == "sgd";
  for (const char *name : {"--momentum", "--nesterov"})
    if (command.count(name) > 0 && !isSgd)
      throw Error(std::string(name) + " belongs to --optimizer sgd");
  for (const char *name : {"--beta1", "--beta2", "--epsilon"})
    if (command.count(name) > 0 && isSgd)
      throw Error(std::string(name) + " belongs to --optimizer adam and adamw");
}

void checkTrainOptions(const TrainOptions &options) {
  if (options.isReference())
    throw Error(
        "--device reference does not train; choose cpu, vulkan or cuda");
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
