//===- Evaluation.cpp - Accuracy and loss of a model ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"

#include "Data.h"

#include <cmath>

namespace vit::tools {

double PictureScore::probability() const { return std::exp(-loss); }

PictureScore scorePicture(const Tensor &logits, int64_t index, int32_t label,
                          int64_t picture) {
  int64_t classes = logits.dims[1];
  if (label < 0 || label >= classes)
    throw Error("the data has class " + std::to_string(label) +
                ", but the model knows only 0.." + std::to_string(classes - 1));
  auto logit = [&](int64_t c) { return logits.at(index * classes + c); };
  double own = logit(label);
  for (int64_t c = 0; c < classes; ++c)
    if (!std::isfinite(logit(c)))
      throw Error("the logits of picture " + std::to_string(picture) +
                  " hold a NaN or an infinity");
  PictureScore score;
  double exponentials = 0;
  for (int64_t c = 0; c < classes; ++c) {
    double other = logit(c);
    score.better += other > own || (other == own && c < label);
    if (other > logit(score.predicted))
      score.predicted = c;
    exponentials += std::exp(other - own);
  }
  score.loss = std::log(exponentials);
  return score;
}

void Score::add(const Tensor &logits, const int32_t *labels) {
  if (logits.dims.size() != 2)
    throw Error("the model has no logits [batch, classes] to evaluate");
  classes = logits.dims[1];
  for (int64_t i = 0; i < logits.dims[0]; ++i)
    add(scorePicture(logits, i, labels[i], images));
}

void Score::add(const PictureScore &picture) {
  top1 += picture.better == 0;
  top5 += picture.better < 5;
  sum += picture.loss;
  ++images;
}

void checkProblem(Model &model) {
  if (vit_module_score_function(model.module()) == VIT_SOFTMAX)
    return;
  const char *type = vit_module_problem_type(model.module());
  throw Error(
      model.getOptions().model + ": " +
      (type && std::string(type) != "single_label_classification"
           ? "its problem_type is " + std::string(type)
           : "it has a single logit, whose score is its sigmoid") +
      ", and accuracy is how often the one class of each picture is the most "
      "likely; get its values with classify --json or infer");
}

ClassMatch matchData(Model &model, const vit_dataset *dataset, bool byPosition,
                     const std::string &remedy) {
  vit_binding_info output = model.outputInfos().front();
  if (output.rank != 2)
    throw Error("the model has no logits [batch, classes] to evaluate");
  Names labels = labelsOf(model.module()), names = classNames(dataset);
  ClassMatch match =
      matchClasses(byPosition ? Names() : labels, names, output.dims[1]);
  reportMatch(match, labels, names, "the data", "the model",
              byPosition ? "" : remedy);
  Names absent = match.absent;
  std::vector<int64_t> counts = countClasses(dataset);
  for (size_t i = 0; i < names.size(); ++i)
    if (counts[i] == 0)
      absent.push_back(names[i]);
  reportAbsent(absent, "the data", "the model");
  return match;
}

} // namespace vit::tools
