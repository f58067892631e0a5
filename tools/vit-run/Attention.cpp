//===- Attention.cpp - Attention maps -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

namespace vit::tools {

TokenGrid findTokenGrid(int64_t tokens, int64_t height, int64_t width) {
  constexpr int64_t kMaxPrefix = 32;
  for (bool square : {true, false})
    for (int64_t prefix = 0; prefix < tokens && prefix <= kMaxPrefix; ++prefix)
      for (int64_t rows = 1, patches = tokens - prefix; rows <= patches; ++rows)
        if (patches % rows == 0 && height % rows == 0 &&
            width % (patches / rows) == 0 &&
            (!square || height / rows == width / (patches / rows)))
          return {prefix, rows, patches / rows};
  throw Error("cannot tell how " + std::to_string(tokens) +
              " tokens lie on an input of " + std::to_string(height) + "x" +
              std::to_string(width) + "; write the attention with infer");
}

std::vector<double> headAttention(const Tensor &attention, int64_t head) {
  int64_t heads = attention.dims[1], count = attention.dims[2];
  if (head >= heads)
    throw Error("--head " + std::to_string(head) + ": the model has heads 0.." +
                std::to_string(heads - 1));
  std::vector<double> result(count * count, 0.0);
  int64_t first = head < 0 ? 0 : head, last = head < 0 ? heads : head + 1;
  for (int64_t h = first; h < last; ++h)
    for (int64_t i = 0; i < count * count; ++i)
      result[i] += attention.at(h * count * count + i) / (last - first);
  return result;
}

std::vector<double> attentionRollout(const std::vector<Tensor> &layers) {
  std::vector<double> rollout;
  for (const Tensor &layer : layers) {
    int64_t count = layer.dims[2];
    std::vector<double> mixed = headAttention(layer, -1);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t j = 0; j < count; ++j)
        mixed[i * count + j] = 0.5 * mixed[i * count + j] + (i == j ? 0.5 : 0);
    if (rollout.empty()) {
      rollout = std::move(mixed);
      continue;
    }
    std::vector<double> product(count * count, 0.0);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t k = 0; k < count; ++k)
        for (int64_t j = 0; j < count; ++j)
          product[i * count + j] +=
              mixed[i * count + k] * rollout[k * count + j];
    rollout = std::move(product);
  }
  return rollout;
}

std::vector<float> patchWeights(const std::vector<double> &attention,
                                const TokenGrid &grid) {
  int64_t patches = grid.rows * grid.columns, count = grid.prefix + patches;
  int64_t rows = grid.prefix > 0 ? 1 : count;
  std::vector<float> result(patches);
  for (int64_t patch = 0; patch < patches; ++patch) {
    double sum = 0;
    for (int64_t row = 0; row < rows; ++row)
      sum += attention[row * count + grid.prefix + patch];
    result[patch] = static_cast<float>(sum / rows);
  }
  return result;
}

} // namespace vit::tools
