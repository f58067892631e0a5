//===- TrainOptions.h - Options of vit-run train ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TRAINOPTIONS_H
#define VIT_TOOLS_TRAINOPTIONS_H

#include "Options.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace vit::tools {

// Options of `vit-run train`; names and defaults are those of torch where it
// has them. Options that must not change when a run is resumed are in
// DataOptions and the three structs below: describeRun and trainingText name
// every member, and do not compile when one is added until it is handled there.

/// The training pictures and their augmentation.
struct PictureOptions {
  int64_t limit = 0; ///< Pictures of the training data; 0: all.
  std::string order; ///< .npy, i32 [epochs, pictures]; empty: drawn from seed.
  bool skipUnreadable = false;
  int32_t crop = 0;
  bool flip = false;
  double erase = 0;
  std::vector<float> mean, std;
};

/// Options compiled into a training step.
struct StepOptions {
  std::string optimizer = "adamw";
  double momentum = 0.9;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  std::optional<double> weightDecay;
  bool decayAll = false;
  double labelSmoothing = 0, clipNorm = 0;
  std::vector<std::string> frozen, trained;
  int64_t accumulate = 1;
};

/// The learning rate over time.
struct RateOptions {
  double learningRate = 1e-3;
  std::string schedule = "constant", warmup;
  double minimumRate = 0;
  int64_t stepEpochs = 30;
  double stepFactor = 0.1;
};

/// How a run uses the processes that a launcher has started.
struct RankOptions {
  std::string mpi = "auto";       ///< "auto" or "off"
  std::string reduce = "ordered"; ///< "ordered" or "fast"
  double rankTimeout = 20;        ///< Seconds without news of a rank.
};

struct TrainOptions : CommonOptions,
                      DataOptions,
                      PictureOptions,
                      StepOptions,
                      RateOptions,
                      RankOptions {
  std::string test, testRange, init;
  int64_t epochs = 10, batch = 64, evalBatch = 0, evalEvery = 1, steps = 0;
  std::string out;
  int64_t checkpointEvery = 0;
  bool resume = false;

  bool hasAccumulate = false; ///< --accumulate was given.

  /// A given option that is fixed when a module is compiled; empty if there is
  /// none.
  std::string fixedInModule;
};

/// Registers the options. Call finishTrainOptions after parsing; it sets
/// `fixedInModule`. `needsData`: --data and --out must be given.
void addTrainOptions(Command command, TrainOptions &options,
                     bool needsData = true);
void finishTrainOptions(const Command &command, TrainOptions &options);

/// The options of the words of a command line without --data and --out being
/// required, for hosts. Throws if they are wrong.
TrainOptions parseTrainOptions(const std::vector<std::string> &words);

/// Throws if options contradict each other.
void checkTrainOptions(const TrainOptions &options);

/// The corresponding options of vit-generate-backward.
std::string trainingText(const StepOptions &options);

/// The options that must not change when a run is resumed, by name.
nlohmann::ordered_json describeRun(const TrainOptions &options);

/// All options that describe the run, for the header of the log.
nlohmann::ordered_json describeOptions(const TrainOptions &options);

} // namespace vit::tools

#endif // VIT_TOOLS_TRAINOPTIONS_H
