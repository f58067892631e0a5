//===- TrainingRun.h - A model that is being trained ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TRAININGRUN_H
#define VIT_TOOLS_TRAININGRUN_H

#include "Trainer.h"

#include <optional>

namespace vit::tools {

/// A model with its training step, from the options of vit-run train: the
/// command runs the whole of it, a host may also do single steps. One thread at
/// a time. Where a launcher has started several processes, each has a
/// TrainingRun, calls the same functions in the same order, and trains on its
/// share; an error on one of them is thrown on all.
class TrainingRun {
public:
  /// Opens the data, compiles the model and gives it its first parameters, or
  /// those of the checkpoint in --out that --resume continues. Without --data
  /// only `step` works, and `classes` are the names of the classes to learn
  /// (empty: the model's own); --out is then a folder for the model's files.
  TrainingRun(TrainOptions options, const Names &classes);

  /// Trains on the data; see Trainer::run.
  void run(const TrainerHost *host = nullptr);

  /// One step on a batch of the host, as vit_session_step; each rank has its
  /// own. A loss that is not
  /// finite is an Error; nothing has changed then.
  vit_step step(const vit_tensor &images, const vit_tensor &targets,
                float learningRate);

  /// Writes the model with the parameters of now, on rank 0; see
  /// saveCheckpoint. All ranks call.
  void save(const std::string &folder);

  Model &getModel() { return *model; }
  /// What the model has learned to tell apart.
  const Names &getClasses() const { return classes; }
  const TrainOptions &getOptions() const { return options; }

private:
  void open(const Names &names);
  void openData(const Names &names, bool isFound);
  void shareMachine();
  void keepAccumulation(const nlohmann::ordered_json &before);
  void requireSameRun(uint64_t steps);
  std::string prepareFolder();
  void makeModel();
  void openOutFolder(bool isFound) const;
  vit_step runStep(const vit_tensor &images, const vit_tensor &targets,
                   float learningRate);
  void startParameters(const std::string &init, const std::string &last);

  TrainOptions options; ///< `accumulate` counts the batches of all ranks.
  Ranks &ranks;
  std::optional<TrainingData> data; ///< None without --data.
  Names classes;                    ///< Of the model.
  vit_preprocessing preprocessing = {};
  std::optional<Model> model;
  CarriedTensors carried;
  TrainingState state;
  SessionHandle session; ///< Of `step`.
};

} // namespace vit::tools

#endif // VIT_TOOLS_TRAININGRUN_H
