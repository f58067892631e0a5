//===- Attention.h - Where a model looks ------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_ATTENTION_H
#define VIT_TOOLS_ATTENTION_H

#include "Support.h"

namespace vit::tools {

/// How an input's tokens lie: `prefix` tokens (class, distillation, registers)
/// and then the patches, row by row.
struct TokenGrid {
  int64_t prefix = 0;
  int64_t rows = 0;
  int64_t columns = 0;
};

/// The grid of an input height x width cut into patches with `tokens` tokens in
/// all: the fewest prefix tokens that leave square patches, else patches of any
/// shape. Throws where there is none.
TokenGrid findTokenGrid(int64_t tokens, int64_t height, int64_t width);

/// Attention probabilities [1, heads, tokens, tokens] of one head, or, where
/// `head` is -1, their mean: tokens x tokens.
std::vector<double> headAttention(const Tensor &attention, int64_t head);

/// Attention rollout (Abnar and Zuidema, "Quantifying Attention Flow in
/// Transformers", ACL 2020): the product over layers of (A + I) / 2, A being
/// the mean over heads; `layers` from the first to the last. tokens x tokens.
std::vector<double> attentionRollout(const std::vector<Tensor> &layers);

/// How much each patch counts, rows x columns: the row of the first token (the
/// class token) in `attention`, or, where there is no prefix token, the mean of
/// all rows.
std::vector<float> patchWeights(const std::vector<double> &attention,
                                const TokenGrid &grid);

} // namespace vit::tools

#endif // VIT_TOOLS_ATTENTION_H
