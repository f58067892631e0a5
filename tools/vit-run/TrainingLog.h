//===- TrainingLog.h - Writes the log of a training run ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TRAININGLOG_H
#define VIT_TOOLS_TRAININGLOG_H

#include "Curves.h"
#include "TensorBoard.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace vit::tools {

/// One micro-batch.
struct StepRecord {
  uint64_t step;   ///< vit_parameters_steps after it: the first is 1.
  uint64_t update; ///< Optimizer updates done.
  int64_t epoch;   ///< The first is 1.
  double loss;     ///< Mean over the images.
  int64_t images;
  int64_t correct; ///< -1: not known.
  double learningRate, imagesPerSecond;
  double seconds; ///< Since the run began, over all of its commands.
};

/// One epoch and its evaluation, if there was one.
struct EpochRecord {
  uint64_t step;
  int64_t epoch;
  double trainLoss, trainAccuracy; ///< Accuracies in 0..1, NaN: not known.
  bool evaluated;
  double testLoss, testAccuracy, testTop5;
  int64_t testImages;
  double learningRate, imagesPerSecond, seconds;
};

/// Whether the file begins like the log of a training run.
bool isTrainingLog(const std::string &path);

/// Writes FOLDER/log.jsonl (one JSON object per line; docs/training.md lists
/// the fields), a TensorBoard event file beside it, and FOLDER/curves.svg. Each
/// record is written before its call returns, so a killed run loses none.
class TrainingLog {
public:
  /// `folder` empty: nothing is written, and `onRecord` alone is called.
  /// `header`: describes the run; added to the first line. If `resumedStep` is
  /// not 0, existing files are continued: later steps, written by a killed run,
  /// are removed first, so that each step is recorded once.
  TrainingLog(const std::string &folder, const nlohmann::ordered_json &header,
              uint64_t resumedStep);

  void addStep(const StepRecord &record);
  void addEpoch(const EpochRecord &record);
  /// Any other event: `kind` is "unreadable", "not_finite", ...
  void addNote(uint64_t step, const std::string &kind, const std::string &text);
  /// Syncs the files to disk.
  void flush();
  void writeCurves();

  /// Called with each record after it is written; may be empty.
  std::function<void(const nlohmann::ordered_json &)> onRecord;

private:
  void readBack(uint64_t resumedStep);
  void remember(const nlohmann::ordered_json &line);
  void write(const nlohmann::ordered_json &line);

  std::string folder, path;
  AppendFile file;
  Curves curves;
  std::unique_ptr<EventFile> events;
};

} // namespace vit::tools

#endif // VIT_TOOLS_TRAININGLOG_H
