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

void Score::add(const Tensor &logits, const int32_t *labels) {
  if (logits.dims.size() != 2)
    throw Error("the model has no logits [batch, classes] to evaluate");
  classes = logits.dims[1];
  for (int64_t i = 0; i < logits.dims[0]; ++i) {
    if (labels[i] < 0 || labels[i] >= classes)
      throw Error("the data has class " + std::to_string(labels[i]) +
                  ", but the model knows only 0.." +
                  std::to_string(classes - 1));
    double own = logits.at(i * classes + labels[i]);
    for (int64_t c = 0; c < classes; ++c)
      if (!std::isfinite(logits.at(i * classes + c)))
        throw Error("the logits of picture " + std::to_string(images + i) +
                    " hold a NaN or an infinity");
    // Ties count against the model, except for the lower class number.
    int64_t better = 0;
    double exponentials = 0;
    for (int64_t c = 0; c < classes; ++c) {
      double other = logits.at(i * classes + c);
      better += other > own || (other == own && c < labels[i]);
      exponentials += std::exp(other - own);
    }
    top1 += better == 0;
    top5 += better < 5;
    sum += std::log(exponentials);
  }
  images += logits.dims[0];
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
