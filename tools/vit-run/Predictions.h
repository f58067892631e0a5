//===- Predictions.h - The best classes of a picture ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PREDICTIONS_H
#define VIT_TOOLS_PREDICTIONS_H

#include "Support.h"

#include <functional>
#include <string>
#include <vector>

namespace vit::tools {

struct Prediction {
  int32_t index = 0; ///< Of the class.
  std::string label;
  float score = 0; ///< What the score function gives: a probability, mostly.
  float logit = 0;
};

/// How many classes to name, and what they are called.
struct PredictionOptions {
  int64_t top = 5;
  double threshold = -1; ///< The least score; -1: any.
  vit_score_function function = VIT_SOFTMAX;
  std::function<std::string(int32_t)> nameOf;
};

/// The classes of row `index` of `logits` [batch, classes] with the best
/// scores, in descending order.
std::vector<Prediction> findPredictions(const Tensor &logits, size_t index,
                                        const PredictionOptions &options);

} // namespace vit::tools

#endif // VIT_TOOLS_PREDICTIONS_H
