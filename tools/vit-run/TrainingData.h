//===- TrainingData.h - Training and test pictures of a run -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TRAININGDATA_H
#define VIT_TOOLS_TRAININGDATA_H

#include "Classes.h"
#include "Model.h"
#include "TrainOptions.h"

namespace vit::tools {

using LoaderHandle =
    std::unique_ptr<vit_loader, Releaser<vit_loader, vit_loader_release>>;

/// The batches of one loader. A picture that cannot be used is an Error that
/// suggests a remedy.
class Batches {
public:
  /// `classes`: for each class of the data the number that its pictures get as
  /// labels; empty: its own.
  Batches(const vit_dataset *dataset, const vit_loader_options &options,
          std::vector<int32_t> classes);

  /// Valid until the next call.
  const vit_batch &next();
  /// Why pictures of the batch were left out, one line each.
  std::vector<std::string> skipped() const;
  int64_t perEpoch() const {
    return vit_loader_batches_per_epoch(loader.get());
  }

private:
  LoaderHandle loader;
  std::vector<int32_t> classes, labels;
  vit_batch batch = {};
};

/// Batches of pictures of `dataset`, once, in the order of `pictures`.
Batches batchesOf(const vit_dataset *dataset,
                  const vit_preprocessing &preprocessing, int64_t batch,
                  bool skipUnreadable, std::vector<int32_t> classes,
                  const std::vector<int32_t> &pictures);
/// The same for all pictures in order, or `limit`, evenly spread.
Batches batchesInOrder(const vit_dataset *dataset,
                       const vit_preprocessing &preprocessing, int64_t batch,
                       bool skipUnreadable, std::vector<int32_t> classes,
                       int64_t limit = 0);

/// The default for a model without preprocessing: pixels in -1..1; `isFolder`:
/// pictures vary in size and are resized.
vit_preprocessing defaultPreprocessing(const vit_binding_info &input,
                                       bool isFolder);

/// The data sets given by the options, and how their pictures become batches.
class TrainingData {
public:
  /// Opens both data sets. Does not use the model.
  explicit TrainingData(const TrainOptions &options);
  /// Chooses how to prepare pictures: by the options, else by `model`. Throws
  /// if the data does not match the model.
  void prepareFor(Model &model);

  const vit_preprocessing &getPreprocessing() const { return preprocessing; }
  const Names &getLabels() const { return labels; }
  /// The labels of the trained model. Valid after prepareFor.
  const Names &getModelLabels() const { return modelLabels; }
  /// What the data is: see describeData. "order" is the hash of --order.
  nlohmann::ordered_json describe() const;
  /// Null without test data.
  nlohmann::ordered_json describeTest() const;
  bool hasTest() const { return test != nullptr; }
  int64_t testImages() const { return vit_dataset_count(test.get()); }
  /// The number of pictures of an epoch.
  int64_t images() const;

  int64_t batchesPerEpoch() const {
    return (images() + options.batch - 1) / options.batch;
  }
  /// Training batches number `first`, `first` + `stride`, ..., counted over all
  /// epochs.
  Batches batches(int64_t first, int64_t stride) const;
  /// The test pictures `first` to `end` - 1, once and in order.
  Batches testBatches(int64_t batch, int64_t first, int64_t end) const;

private:
  void openTest();
  void readOrder();
  void matchModel(Model &model, int64_t classes);

  const TrainOptions &options;
  DatasetHandle train, test;
  Names labels; ///< The classes of the training data.
  Names modelLabels;
  /// The class of the model for each class of either; empty: the same.
  std::vector<int32_t> trainClasses, testClasses;
  std::vector<int32_t> order;
  int64_t orderEpochs = 0;
  vit_preprocessing preprocessing = {};
};

} // namespace vit::tools

#endif // VIT_TOOLS_TRAININGDATA_H
