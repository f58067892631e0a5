//===- Predictions.cpp - The best classes of a picture --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Predictions.h"

#include <algorithm>

namespace vit::tools {

std::vector<Prediction> findPredictions(const Tensor &logits, size_t index,
                                        const PredictionOptions &options) {
  int64_t classes = logits.dims[1];
  auto count = static_cast<int32_t>(std::min<int64_t>(options.top, classes));
  std::vector<float> row(classes);
  for (int64_t c = 0; c < classes; ++c)
    row[c] = static_cast<float>(logits.at(index * classes + c));
  std::vector<int32_t> indices(count);
  std::vector<float> scores(count);
  vit_error error;
  check(vit_data_top_scores(row.data(), classes, count, options.function,
                            indices.data(), scores.data(), &error),
        error);
  std::vector<Prediction> result;
  for (int32_t k = 0; k < count; ++k) {
    if (options.threshold >= 0 && !(scores[k] >= options.threshold))
      break;
    result.push_back(
        {indices[k], options.nameOf(indices[k]), scores[k], row[indices[k]]});
  }
  return result;
}

} // namespace vit::tools
