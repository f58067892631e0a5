//===- Rounds.h - Which batches the ranks train on next ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_ROUNDS_H
#define VIT_TOOLS_ROUNDS_H

#include "Ranks.h"
#include "TrainingData.h"

#include <optional>

namespace vit::tools {

/// The batches of one call of vit_session_step, at most one per rank.
struct Round {
  /// Pictures of each batch, in order; all have some. Empty: nothing to do.
  std::vector<int64_t> images;
  /// This rank's batch, or, if it has none, one of which nothing counts.
  vit_tensor pictures = {}, labels = {};
  /// Batches that are done after it: also one whose pictures are all
  /// unreadable.
  int64_t batches = 0;
  int64_t pictureCount = 0; ///< Of these, unreadable ones included.
  /// Why pictures were left out, of all ranks.
  std::vector<std::string> skipped;
  int32_t signal = 0; ///< A rank has caught it; 0: none.
};

/// Divides the batches of a run among the ranks. Batches are numbered over all
/// epochs, and steps are batches without those of which no picture could be
/// read. Step i is of rank i % ranks, so that all ranks together do what one
/// rank would do. Each reads and decodes its own batches alone.
class Rounds {
public:
  Rounds(const TrainingData &data, Ranks &ranks) : data(data), ranks(ranks) {}

  /// The round that begins with step `step` and batch `batch` and has at most
  /// `most` batches. `signal`: what this rank has caught. All ranks call.
  Round next(int64_t step, int64_t batch, int64_t most, int32_t signal);

private:
  const TrainingData &data;
  Ranks &ranks;
  std::optional<Batches> batches; ///< Of this rank.
  int64_t offset = -1; ///< What a batch's number exceeds a step's by.
  std::vector<float> noPicture;
  int32_t noLabel = 0;
};

} // namespace vit::tools

#endif // VIT_TOOLS_ROUNDS_H
