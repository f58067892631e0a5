//===- Evaluation.h - Accuracy and loss of a model --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_EVALUATION_H
#define VIT_TOOLS_EVALUATION_H

#include "Classes.h"
#include "Model.h"
#include "Support.h"

namespace vit::tools {

/// How a model does on one labelled picture.
struct PictureScore {
  int64_t better = 0; ///< Classes before its own: ties count against the model,
                      ///< except for the lower class number.
  int64_t predicted = 0; ///< The class that comes first.
  double loss = 0;       ///< Cross-entropy.

  double probability() const; ///< Of its own class.
};

/// Of row `index` of logits [batch, classes], f32 or f64, whose class is
/// `label`. Throws if the model does not have that class, or the row is not
/// finite; `picture` is its number in the message.
PictureScore scorePicture(const Tensor &logits, int64_t index, int32_t label,
                          int64_t picture);

/// Accuracy and loss over labelled pictures. The sums depend on the pictures
/// and their order, not on how they are divided into batches.
class Score {
public:
  /// Logits [batch, classes], f32 or f64, and the class of each picture.
  void add(const Tensor &logits, const int32_t *labels);
  void add(const PictureScore &picture);

  int64_t images = 0;
  int64_t top1 = 0, top5 = 0;
  int64_t classes = 0;

  double accuracy() const { return double(top1) / double(images); }
  double accuracyTop5() const { return double(top5) / double(images); }
  /// Cross-entropy, mean over the pictures.
  double loss() const { return sum / double(images); }

private:
  double sum = 0;
};

/// Throws if data with one class per picture cannot measure the model.
void checkProblem(Model &model);

/// The class of the model for each class of the data, by name or, if
/// `byPosition`, by number. Throws if the model does not have one of them;
/// `remedy` ends the error.
ClassMatch matchData(Model &model, const vit_dataset *dataset, bool byPosition,
                     const std::string &remedy);

} // namespace vit::tools

#endif // VIT_TOOLS_EVALUATION_H
