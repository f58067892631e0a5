//===- Attention.h - Attention maps -----------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_ATTENTION_H
#define VIT_TOOLS_ATTENTION_H

#include "Model.h"
#include "Pictures.h"

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

/// Which attention a map shows.
struct AttentionRequest {
  int64_t layer = -1;   ///< Counted from 0; -1: the last.
  int64_t head = -1;    ///< Counted from 0; -1: the mean over heads.
  bool rollout = false; ///< All layers; `layer` and `head` do not matter.
};

/// The name of the outputs to compile a text or a folder with.
std::string attentionToCompile(const AttentionRequest &request);
/// The outputs of the compiled `model` to run, from first to last layer. Throws
/// if it does not compute them.
std::vector<std::string> attentionOutputs(const AttentionRequest &request,
                                          Model &model);
/// The weight of each patch, rows x columns, of the outputs above for one
/// picture.
std::vector<float> attentionMap(const AttentionRequest &request,
                                const std::vector<Tensor> &layers,
                                const TokenGrid &grid);

/// Writes a PNG of the part of the picture that the model sees, enlarged if it
/// is small, with `map` (rows x columns of `grid`) over it.
void saveAttention(const Picture &picture,
                   const vit_preprocessing &preprocessing,
                   const std::vector<float> &map, const TokenGrid &grid,
                   const std::string &out);

} // namespace vit::tools

#endif // VIT_TOOLS_ATTENTION_H
