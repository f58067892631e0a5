//===- PrecisionTrials.h - A model in f32 and in others ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PRECISIONTRIALS_H
#define VIT_TOOLS_PRECISIONTRIALS_H

#include "Evaluation.h"
#include "Fidelity.h"
#include "PictureSet.h"

#include <map>

namespace vit::tools {

/// One precision of each product, on some pictures.
struct Trial {
  ResultFidelity output; ///< The default output against that in f32.
  int64_t agreed = 0;    ///< Pictures with the same most likely class.
  Score score;           ///< If the data has the classes of the model.
};

/// Runs a model on the same pictures in f32 and in other precisions. Each trial
/// compiles the model for this processor; its pictures are read anew, and the
/// default output in f32 is kept in memory.
class PrecisionTrials {
public:
  /// `options`: the model and how it runs; its precision does not matter, and
  /// the products of its `keep` are kept in every trial. `outputs`: by name,
  /// the default one first; empty: the model's own. `images` of the pictures,
  /// evenly spread; 0: all. Prints what the data is, by `verb`: see PictureSet.
  /// Throws if it does not fit the model.
  PrecisionTrials(const CommonOptions &options,
                  std::vector<std::string> outputs, const DataOptions &data,
                  int64_t images, const std::string &verb);

  int64_t count() const { return pictures.count(); }
  /// Whether the default output is logits of classes.
  bool isClassifier() const { return hasClasses; }
  /// Why accuracy cannot be measured; empty if it can.
  const std::string &whyNoAccuracy() const { return noAccuracy; }
  /// The names of the products, in the order of the graph.
  const std::vector<std::string> &products();

  /// The default output in f32 of `sample` pictures (0: all) with itself.
  const Trial &exact(int64_t sample = 0) { return baseline(sample).trial; }
  /// In `precision`, where each product of `keep` (NAME=PRECISION) has at
  /// least that precision. `label`: for the progress.
  Trial run(const std::string &precision, const std::vector<std::string> &keep,
            int64_t sample = 0, const std::string &label = "");
  /// `product` alone in `precision`, all others in f32.
  Trial runAlone(const std::string &product, const std::string &precision,
                 int64_t sample = 0, const std::string &label = "");

private:
  struct Baseline {
    std::vector<Tensor> outputs; ///< One of each batch.
    Trial trial;
  };
  Baseline &baseline(int64_t sample);
  void add(const Tensor &exact, const Tensor &output, const int32_t *labels,
           Trial &trial) const;
  int64_t sampleOf(int64_t sample) const;

  CommonOptions options;
  std::vector<std::string> outputs;
  Model model; ///< In f32.
  PictureSet pictures;
  int64_t batch;
  bool hasClasses = false;
  std::string noAccuracy;
  std::vector<std::string> names;
  std::map<int64_t, Baseline> baselines; ///< By the number of pictures.
};

} // namespace vit::tools

#endif // VIT_TOOLS_PRECISIONTRIALS_H
