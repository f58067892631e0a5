//===- Checkpoint.h - A training run, saved and taken up again --*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CHECKPOINT_H
#define VIT_TOOLS_CHECKPOINT_H

#include "Model.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace vit::tools {

/// What a run needs beside weights and optimizer states to go on as if it had
/// not stopped. All of it comes back bit by bit.
struct TrainingState {
  uint64_t steps = 0;  ///< vit_parameters_steps, which is what is saved.
  int64_t batches = 0; ///< Taken from the loader, over all epochs.
  double bestAccuracy = -1;
  int64_t bestEpoch = 0;
  /// Sums over the epoch under way.
  double epochLoss = 0;
  int64_t epochImages = 0, epochCorrect = 0;
  double seconds = 0; ///< Since the run began, over all of its commands.
  nlohmann::ordered_json options; ///< Whatever must not change on the way.
};

/// Writes `folder` as a whole: at every instant there is a complete checkpoint,
/// the old one or the new one, under its name (or, after a crash on a file
/// system that cannot exchange folders, where `hasCheckpoint` looks). The one
/// before stays as FOLDER.previous. It holds
///
///   model.safetensors         the weights, under the names and in the shapes
///   of
///                             the checkpoint that the model stands for
///   state.safetensors         optimizer states by name, and `state`
///   config.json | model.mlir  of a checkpoint's folder | of a text
///   preprocessor_config.json  where that (or config.json) does not say
///                             `preprocessing` already
///
/// so that FOLDER is a MODEL for every command. Where the disk is full, or
/// anything else goes wrong, the old checkpoint is as it was.
void saveCheckpoint(const std::string &folder, Model &model,
                    const vit_preprocessing &preprocessing,
                    const TrainingState &state);

/// Whether `folder` is a checkpoint. Finishes what a killed run left half-way.
bool hasCheckpoint(const std::string &folder);

/// Writes weights, optimizer states and steps into model.parameters(). A
/// checkpoint of another model, or of one trained in another way, is an Error
/// that names what differs, and nothing is written.
TrainingState loadCheckpoint(const std::string &folder, Model &model);

/// "learning-rate was 0.001 and is 0.01; momentum was not given and is 0.9",
/// empty where all members are equal.
std::string describeDifference(const nlohmann::ordered_json &was,
                               const nlohmann::ordered_json &is);

} // namespace vit::tools

#endif // VIT_TOOLS_CHECKPOINT_H
