//===- Trainer.h - The training loop ----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TRAINER_H
#define VIT_TOOLS_TRAINER_H

#include "Checkpoint.h"
#include "Evaluation.h"
#include "Progress.h"
#include "Rounds.h"
#include "Schedule.h"
#include "Trace.h"
#include "TrainingData.h"
#include "TrainingLog.h"

#include <functional>
#include <optional>
#include <set>

namespace vit::tools {

/// What a program that embeds the trainer puts in place of a terminal.
struct TrainerHost {
  /// A record of log.jsonl; called after it is written.
  std::function<void(const nlohmann::ordered_json &record)> onRecord;
  /// Asked after each step and each batch of an evaluation, in place of
  /// signals: true ends the run as a signal would.
  std::function<bool()> isToStop;
};

/// Trains a model from a given state until the end of its epochs, --steps or a
/// signal, together with the other ranks, and writes log, curves and
/// checkpoints on rank 0. The result depends only on options and data: a run
/// that was stopped anywhere and resumed, on as many ranks as may be, gives the
/// same bits as an uninterrupted one.
class Trainer {
public:
  /// All arguments must outlive the trainer. The parameters of `model` must
  /// correspond to `state`.
  /// `host`: null on a terminal, which catches signals and prints progress.
  Trainer(const TrainOptions &options, Model &model, TrainingData &data,
          const CarriedTensors &carried, TrainingState state, Ranks &ranks,
          const TrainerHost *host = nullptr);

  /// Throws ExitStatus{128 + signal} if a signal ended the run, and Error if a
  /// loss was not finite.
  void run();
  const TrainingState &getState() const { return state; }

private:
  void planMemory();
  nlohmann::ordered_json header();

  /// Runs the remaining steps of an epoch. False if the run was stopped.
  bool runEpoch();
  Round nextRound();
  void step(const Round &round);
  /// Evaluates, logs and saves. False if the run was stopped before it was
  /// done.
  bool finishEpoch();
  /// Nullopt if a signal arrived meanwhile.
  std::optional<Score> evaluate();
  /// What a rank finds on its part of the test data.
  struct Share {
    std::vector<PictureScore> scores;
    std::string skipped; ///< Why pictures were left out, a line each.
    std::string fault;   ///< A picture has no score because of this.
  };
  Share evaluateShare();
  void save(const std::string &name);
  void changeGradients(const std::function<void(std::vector<float> &)> &change);
  void clearGradients();

  void reportSkipped(const std::vector<std::string> &messages);
  void checkFinite();
  std::string explainNotFinite(const Round &round, uint64_t step, float loss);
  std::string findNotFinite(const Round &round, int32_t index);
  [[noreturn]] void failNotFinite(uint64_t step, std::string message);

  uint64_t steps() { return vit_parameters_steps(model.parameters()); }
  double seconds() const { return state.seconds + now() - begin; }
  int64_t epoch() const { return state.batches / perEpoch; }
  int32_t caughtSignal() const;
  bool isToStop();
  void giveAdvice();
  std::string runningText() const;

  const TrainOptions &options;
  Model &model;
  TrainingData &data;
  const CarriedTensors &carried;
  Ranks &ranks;
  const TrainerHost *host;
  TrainingState state; ///< but for `steps` and `seconds`, as of now
  SessionHandle session;
  Rounds rounds;
  int32_t signal = 0; ///< That has ended the run, on any rank.
  bool hasSaved = false;
  Schedule schedule;
  std::optional<TrainingLog> log;
  int64_t perEpoch = 0; ///< batches
  double begin;         ///< when this command began
  double rate = 0;      ///< learning rate of the last update
  double epochSeconds = 0;
  int64_t epochDone = 0; ///< pictures in epochSeconds
  std::set<std::string> skipped;

  /// The commands of the first steps, for --trace.
  EventLog trace;
};

} // namespace vit::tools

#endif // VIT_TOOLS_TRAINER_H
