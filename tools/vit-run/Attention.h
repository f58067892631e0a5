//===- Attention.h - Attention maps -----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_ATTENTION_H
#define VIT_TOOLS_ATTENTION_H

#include "Model.h"

namespace vit::tools {

/// The order of tokens: `prefix` tokens (class, distillation, registers), then
/// the patches, row by row.
struct TokenGrid {
  int64_t prefix = 0;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t classToken = -1; ///< Its number; -1: there is none.
};

/// The order of the `tokens` tokens of the model. If the model does not say, it
/// is guessed from its input, with a note.
TokenGrid findTokens(Model &model, int64_t tokens);

/// The grid of patches of a height x width input with `tokens` tokens in total:
/// with the fewest prefix tokens for square patches, or else with patches of
/// any shape; the first prefix token is taken for the class token. Throws if
/// there is none.
TokenGrid guessTokenGrid(int64_t tokens, int64_t height, int64_t width);

/// The attention probabilities [1, heads, tokens, tokens] of one head, or their
/// mean if `head` is -1: tokens x tokens.
std::vector<double> headAttention(const Tensor &attention, int64_t head);

/// Attention rollout (Abnar and Zuidema, "Quantifying Attention Flow in
/// Transformers", ACL 2020): the product over layers of (A + I) / 2, where A is
/// the mean over heads; `layers` from first to last. tokens x tokens.
std::vector<double> attentionRollout(const std::vector<Tensor> &layers);

/// The weight of each patch, rows x columns: the row of the class token in
/// `attention`, or the mean over the rows of the patches if there is none.
std::vector<float> patchWeights(const std::vector<double> &attention,
                                const TokenGrid &grid);

} // namespace vit::tools

#endif // VIT_TOOLS_ATTENTION_H
