//===- LabelEmbeddings.h - Zero-shot classification -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Radford et al., "Learning Transferable Visual Models From Natural Language
// Supervision" (CLIP), section 3.1; Zhai et al., "Sigmoid Loss for Language
// Image Pre-Training" (SigLIP). CLIPModel.forward and SiglipModel.forward of
// transformers.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_LABELEMBEDDINGS_H
#define VIT_TOOLS_LABELEMBEDDINGS_H

#include "Model.h"

#include <optional>
#include <string>
#include <vector>

namespace vit::tools {

/// A named vector for each label, such as a text encoder's embedding of
/// "a photo of a cat".
struct LabelEmbeddings {
  std::string path;
  std::vector<std::string> names;
  int64_t width = 0;
  std::vector<double> rows; ///< [names][width], each of length 1.
  /// `logit_scale` (a logarithm, as checkpoints hold it) and `logit_bias`, if
  /// the file holds them.
  std::optional<double> logScale, bias;
};

/// Reads `path`, an .npy file or one that vit_weights_open reads. An array
/// [labels, width] has its names in the metadata `labels` (a JSON list, or one
/// name per line) or beside it in a .txt file (one per line) or .json file (a
/// list) of the same name; without an array, each tensor [width] or [1, width]
/// is the label that it is called. Throws if there are no names, as many names
/// as rows are missing, or a value is not finite or all of a row are zero.
LabelEmbeddings readLabelEmbeddings(const std::string &path);

/// What turns the cosine of a picture and a label into a probability:
/// `function` of scale * cosine + bias.
struct Similarity {
  double scale = 1;
  double bias = 0;
  vit_score_function function = VIT_SOFTMAX;
};

/// That of the model: exp(`logit_scale`) and `logit_bias` of its checkpoint, or
/// else of the labels' file; a sigmoid for SigLIP and where there is a bias.
/// Prints a note if neither holds a scale.
Similarity findSimilarity(Model &model, const LabelEmbeddings &labels);

/// The logits f32 [batch, labels] of embeddings [batch, width]. Throws if the
/// widths differ.
Tensor compareToLabels(const Tensor &embeddings, const LabelEmbeddings &labels,
                       const Similarity &similarity);

} // namespace vit::tools

#endif // VIT_TOOLS_LABELEMBEDDINGS_H
