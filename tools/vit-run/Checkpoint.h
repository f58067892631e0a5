//===- Checkpoint.h - Saves and resumes a training run ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CHECKPOINT_H
#define VIT_TOOLS_CHECKPOINT_H

#include "CarriedTensors.h"
#include "Model.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace vit::tools {

/// The state that a run needs, besides weights and optimizer states, to
/// continue as if it had not stopped. All values are restored bit by bit.
struct TrainingState {
  uint64_t steps = 0;  ///< The value of vit_parameters_steps.
  int64_t batches = 0; ///< Number of loader batches, over all epochs.
  double bestAccuracy = -1;
  int64_t bestEpoch = 0;
  /// Sums over the current epoch.
  double epochLoss = 0;
  int64_t epochImages = 0, epochCorrect = 0;
  double seconds = 0; ///< Since the start of the run, over all commands.
  nlohmann::ordered_json options; ///< Must not change when resuming.
};

/// Writes `folder` atomically: at any time there is a complete checkpoint, old
/// or new, under its name (or, after a crash on a file system that cannot
/// exchange folders, where `hasCheckpoint` finds it). Keeps the previous one as
/// FOLDER.previous. It contains
///
///   model.safetensors         the weights, with the names and shapes of the
///                             model's checkpoint, and `carried`
///   state.safetensors         optimizer states by name, and `state`
///   config.json | model.mlir  for a checkpoint's folder | for a text, with
///                             `labels` in place of its own
///   preprocessor_config.json  if `preprocessing` differs from the above
///
/// so that FOLDER is a MODEL for every command. On errors, such as a full disk,
/// the old checkpoint is unchanged.
void saveCheckpoint(const std::string &folder, Model &model,
                    const vit_preprocessing &preprocessing,
                    const std::vector<std::string> &labels,
                    const CarriedTensors &carried, const TrainingState &state);

/// The fields of preprocessor_config.json of transformers' ViTImageProcessor,
/// and under "vit_preprocessing" what it has no field for; transformers ignores
/// this key.
nlohmann::ordered_json describePreprocessing(const vit_preprocessing &p);

/// Whether `folder` is a checkpoint. Completes an interrupted replacement.
bool hasCheckpoint(const std::string &folder);

/// What a message about the end of a run says of its last checkpoint, if it
/// `isThere`.
std::string describeLast(bool isThere, const std::string &folder,
                         uint64_t steps);

/// The state of the checkpoint `folder`.
TrainingState readTrainingState(const std::string &folder);

/// Copies weights, optimizer states and steps to model.parameters(). Throws an
/// Error that lists the differences, and changes nothing, if the checkpoint
/// belongs to another model or another way of training. `carried` becomes what
/// the checkpoint carries.
TrainingState loadCheckpoint(const std::string &folder, Model &model,
                             CarriedTensors &carried);

/// "learning-rate was 0.001 and is 0.01; momentum was not given and is 0.9";
/// empty if all members are equal. "data" is compared by compareData. Not
/// compared are "model" and "test": loadCheckpoint compares the tensors, and
/// another test set changes nothing that is trained.
std::string describeDifference(const nlohmann::ordered_json &was,
                               const nlohmann::ordered_json &is);

} // namespace vit::tools

#endif // VIT_TOOLS_CHECKPOINT_H
