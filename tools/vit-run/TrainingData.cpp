//===- TrainingData.cpp - Training and test pictures of a run -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainingData.h"

#include "Data.h"
#include "StoredTensors.h"
#include "format/Hash.h"
#include "format/Threads.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <set>

using Json = nlohmann::ordered_json;

namespace vit::tools {

//===----------------------------------------------------------------------===//
// Batches
//===----------------------------------------------------------------------===//

/// Adds a hint about the options of this command to an error of the data
/// library.
static void checkPicture(vit_status status, const vit_error &error) {
  if (status == VIT_OK)
    return;
  std::string message = error.message;
  if (status == VIT_INVALID_ARGUMENT)
    message += "; take pictures of that size, or a model whose preprocessing "
               "resizes (vit.preprocessing of a text, preprocessor_config.json "
               "of a folder)";
  else if (status != VIT_OUT_OF_MEMORY && status != VIT_INTERNAL)
    message += "; --skip-unreadable leaves out pictures that cannot be read";
  throw Error(message);
}

Batches::Batches(const vit_dataset *dataset, const vit_loader_options &options,
                 std::vector<int32_t> classes)
    : classes(std::move(classes)) {
  vit_error error;
  vit_loader *created = nullptr;
  check(vit_loader_create(dataset, &options, &created, &error), error);
  loader.reset(created);
}

const vit_batch &Batches::next() {
  vit_error error;
  checkPicture(vit_loader_next(loader.get(), &batch, &error), error);
  if (classes.empty())
    return batch;
  const auto *given = static_cast<const int32_t *>(batch.labels.data);
  labels.assign(given, given + batch.labels.dims[0]);
  for (int32_t &label : labels)
    label = classes[label];
  batch.labels.data = labels.data();
  return batch;
}

std::vector<std::string> Batches::skipped() const {
  std::vector<std::string> result;
  for (int64_t i = 0; i < batch.skipped; ++i)
    result.push_back(vit_loader_skipped(loader.get(), i));
  return result;
}

//===----------------------------------------------------------------------===//
// Data sets
//===----------------------------------------------------------------------===//

/// Throws if the run's folder would be taken for a class of the data the next
/// time.
static void requireOutside(const std::string &out, const vit_dataset *dataset) {
  namespace fs = std::filesystem;
  if (std::string(vit_dataset_format(dataset)) != "folder")
    return;
  std::error_code error;
  fs::path folder = fs::weakly_canonical(vit_dataset_folder(dataset), error);
  fs::path at = fs::weakly_canonical(fs::absolute(out, error), error);
  if (std::mismatch(folder.begin(), folder.end(), at.begin(), at.end()).first ==
      folder.end())
    throw Error("--out " + out + " is among the classes of the data, " +
                folder.string() + "; choose a folder outside it");
}

TrainingData::TrainingData(const TrainOptions &options) : options(options) {
  train =
      openTrainingData({options.data, options.split, options.range, "--range"});
  labels = classNames(train.get());
  std::set<std::string> printed;
  printData("training on", train.get(), printed);
  requireOutside(options.out, train.get());
  if (labels.size() == 1)
    throw Error("the data in " + options.data + " has only one class, " +
                labels.front() + ", so there is nothing to learn");
  if (options.limit > vit_dataset_count(train.get()))
    throw Error("--limit " + std::to_string(options.limit) + ": there are " +
                std::to_string(vit_dataset_count(train.get())) + " pictures");
  readOrder();
  if (options.evalEvery <= 0)
    return;
  openTest();
  if (test)
    printData("testing on", test.get(), printed);
  else
    std::fprintf(stderr, "note: there is no validation or test part to test "
                         "on, so no checkpoint is the best (--test DIR)\n");
  if (test && options.test.empty() &&
      std::string(vit_dataset_split(test.get())) == "test")
    std::fprintf(stderr,
                 "note: the best checkpoint is chosen on the test part, as "
                 "there is no validation part\n");
}

/// Whether both paths name the same folder.
static bool isSame(const std::string &a, const std::string &b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

static std::string itemName(const vit_dataset *dataset, int64_t index) {
  char name[4096];
  vit_dataset_item_name(dataset, index, name, sizeof(name));
  return name;
}

static bool contains(const vit_dataset *dataset, const std::string &name) {
  for (int64_t i = 0; i < vit_dataset_count(dataset); ++i)
    if (itemName(dataset, i) == name)
      return true;
  return false;
}

void TrainingData::openTest() {
  if (options.test.empty() && options.testRange.empty()) {
    // A part that is trained on is no measure.
    if (options.split.empty() || options.split == "train")
      test = findTestPart({options.data, "", "", ""});
  } else {
    test = openData({options.test.empty() ? options.data : options.test, "",
                     options.testRange, "--test-range"});
  }
  if (!test)
    return;
  requireOutside(options.out, test.get());
  Names testLabels = classNames(test.get());
  ClassMatch match =
      matchClasses(labels, testLabels, static_cast<int64_t>(labels.size()));
  // Classes without pictures, as a part may have, need no counterpart.
  reportMatch(match, labels, testLabels, "the test data", "the training data",
              "");
  testClasses = match.indices;
  // Two ranges overlap if one begins in the other.
  if (isSame(options.data,
             options.test.empty() ? options.data : options.test) &&
      (contains(train.get(), itemName(test.get(), 0)) ||
       contains(test.get(), itemName(train.get(), 0))))
    std::fprintf(stderr,
                 "warning: some pictures are used for both training and test, "
                 "so the accuracy is not meaningful; --range and "
                 "--test-range keep them apart\n");
}

void TrainingData::readOrder() {
  if (options.order.empty())
    return;
  vit_error error;
  vit_tensor array = {};
  check(vit_npy_read(options.order.c_str(), &array, &error), error);
  struct Release {
    vit_tensor &array;
    ~Release() { vit_tensor_release(&array); }
  } release = {array};
  if (array.rank != 2 || (array.dtype != VIT_I32 && array.dtype != VIT_I64) ||
      array.dims[0] < 1 || array.dims[1] < 1)
    throw Error(options.order +
                " is not an order: whole numbers (int32) [epochs, pictures]");
  orderEpochs = array.dims[0];
  int64_t count = array.dims[0] * array.dims[1];
  order.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = array.dtype == VIT_I32
                        ? static_cast<const int32_t *>(array.data)[i]
                        : static_cast<const int64_t *>(array.data)[i];
    if (index < 0 || index >= vit_dataset_count(train.get()))
      throw Error(options.order + " asks for picture " + std::to_string(index) +
                  "; there are " +
                  std::to_string(vit_dataset_count(train.get())));
    order[i] = static_cast<int32_t>(index);
  }
  if (orderEpochs < options.epochs)
    throw Error(options.order + " has the order of " +
                std::to_string(orderEpochs) + " epochs; --epochs asks for " +
                std::to_string(options.epochs));
}

int64_t TrainingData::images() const {
  if (!order.empty())
    return static_cast<int64_t>(order.size()) / orderEpochs;
  return options.limit > 0 ? options.limit : vit_dataset_count(train.get());
}

//===----------------------------------------------------------------------===//
// From pictures to batches
//===----------------------------------------------------------------------===//

vit_preprocessing defaultPreprocessing(const vit_binding_info &input,
                                       bool isFolder) {
  vit_preprocessing result = {};
  result.struct_size = sizeof(result);
  result.channels = static_cast<int32_t>(input.dims[1]);
  result.height = static_cast<int32_t>(input.dims[2]);
  result.width = static_cast<int32_t>(input.dims[3]);
  if (isFolder) {
    result.resize_height = result.height;
    result.resize_width = result.width;
  }
  constexpr int32_t bilinear = 2;
  result.interpolation = bilinear;
  result.scale = 1.0f / 255;
  for (int c = 0; c < 4; ++c)
    result.mean[c] = result.std[c] = 0.5f;
  return result;
}

void TrainingData::matchModel(Model &model, int64_t classes) {
  if (static_cast<int64_t>(labels.size()) > classes)
    throw Error("the data has " + std::to_string(labels.size()) +
                " classes, the model only " + std::to_string(classes) +
                "; give its head as many outputs");
  modelLabels = labelsOf(model.module());
  ClassMatch match = matchClasses(modelLabels, labels, classes);
  if (match.kind == ClassMatch::ByName && match.isComplete()) {
    trainClasses = match.indices;
    reportAbsent(match.absent, "the training data", "the model");
  } else if (model.isCompiled() || !areWords(labels)) {
    // A module cannot get other labels. Numbers name no class.
    if (match.kind == ClassMatch::ByPosition)
      reportMatch(match, modelLabels, labels, "the training data", "the model",
                  "");
    else
      std::fprintf(stderr,
                   "warning: class 0 is \"%s\" in the data and \"%s\" in the "
                   "module; a module cannot get other labels, so that those of "
                   "its text are wrong for what is learned\n",
                   labels.front().c_str(), modelLabels.front().c_str());
    trainClasses = match.kind == ClassMatch::ByPosition
                       ? match.indices
                       : std::vector<int32_t>();
  } else if (static_cast<int64_t>(labels.size()) == classes) {
    std::fprintf(stderr,
                 "note: the labels of the checkpoint are the classes of the "
                 "data: %s\n",
                 listText(labels, 10).c_str());
    modelLabels = labels;
  } else if (modelLabels.empty()) {
    reportMatch(match, modelLabels, labels, "the training data", "the model",
                "");
  } else {
    throw Error("the classes of the data (" + listText(labels, 10) +
                ") are not the model's (" + listText(modelLabels, 10) +
                "); give its head as many outputs as there are classes");
  }
  if (!trainClasses.empty())
    for (int32_t &index : testClasses)
      index = trainClasses[index];
}

void TrainingData::prepareFor(Model &model) {
  vit_binding_info input = model.inputInfo();
  if (input.rank != 4 || (input.dims[1] != 1 && input.dims[1] != 3))
    throw Error("the model's input is " + shapeText(input.dims, input.rank) +
                "; to be trained on pictures it must be [batch, 1 or 3, "
                "height, width]");
  vit_binding_info output = model.outputInfos().front();
  if (output.rank != 2)
    throw Error("the model's first output, '" + std::string(output.name) +
                "', is " + shapeText(output.dims, output.rank) +
                "; to be trained it must be logits [batch, classes]");
  matchModel(model, output.dims[1]);
  bool isFolder = std::string(vit_dataset_format(train.get())) == "folder";
  std::optional<vit_preprocessing> found = model.findPreprocessing();
  preprocessing = found.value_or(defaultPreprocessing(input, isFolder));
  if (preprocessing.channels != input.dims[1] ||
      preprocessing.height != input.dims[2] ||
      preprocessing.width != input.dims[3])
    throw Error("the model's preprocessing makes " +
                std::to_string(preprocessing.channels) + "x" +
                std::to_string(preprocessing.height) + "x" +
                std::to_string(preprocessing.width) + ", its input is " +
                shapeText(input.dims, input.rank));
  for (const std::vector<float> *values : {&options.mean, &options.std})
    if (!values->empty() &&
        static_cast<int64_t>(values->size()) != input.dims[1])
      throw Error(std::string(values == &options.mean ? "--mean" : "--std") +
                  " needs a value for each of the model's " +
                  std::to_string(input.dims[1]) + " channels");
  std::copy(options.mean.begin(), options.mean.end(), preprocessing.mean);
  std::copy(options.std.begin(), options.std.end(), preprocessing.std);
  if (found)
    model.reportPreparation(preprocessing, /*always=*/true);
  else
    std::fprintf(stderr,
                 "pictures: %s (the default for a text without "
                 "vit.preprocessing)\n",
                 describePreparation(preprocessing).c_str());
  warnOfResizing(train.get(), preprocessing);
  // The first picture shows whether the size is right; also for a folder,
  // unless unreadable pictures may be skipped.
  if (isFolder && options.skipUnreadable)
    return;
  int64_t elements = input.dims[1] * input.dims[2] * input.dims[3], index = 0;
  std::vector<float> values(elements);
  vit_error error;
  for (const DatasetHandle *data : {&train, &test})
    if (*data)
      checkPicture(vit_dataset_read_examples(data->get(), &index, 1,
                                             &preprocessing, nullptr, 0,
                                             values.data(), nullptr, &error),
                   error);
}

/// One thread reads pictures for every four that compute.
static int32_t readers(int threads = 0) {
  return std::clamp((threads ? threads : format::defaultThreads()) / 4, 1, 8);
}

Batches TrainingData::batches(int64_t first, int64_t stride) const {
  vit_augmentation augmentation = {};
  augmentation.struct_size = sizeof(augmentation);
  augmentation.crop_padding = options.crop;
  augmentation.flip = options.flip;
  augmentation.erase = static_cast<float>(options.erase);
  augmentation.seed = options.seed;
  vit_loader_options loader = {};
  loader.struct_size = sizeof(loader);
  loader.preprocessing = &preprocessing;
  loader.batch = options.batch;
  loader.augmentation = &augmentation;
  loader.seed = options.seed;
  if (!order.empty()) {
    loader.order = order.data();
    loader.order_epochs = orderEpochs;
    loader.order_count = images();
  }
  loader.limit = options.limit;
  loader.first_batch = first;
  loader.batch_stride = stride;
  loader.skip_unreadable = options.skipUnreadable;
  loader.threads = readers(options.threads);
  return Batches(train.get(), loader, trainClasses);
}

Batches batchesOf(const vit_dataset *dataset,
                  const vit_preprocessing &preprocessing, int64_t batch,
                  bool skipUnreadable, std::vector<int32_t> classes,
                  const std::vector<int32_t> &pictures) {
  vit_loader_options loader = {};
  loader.struct_size = sizeof(loader);
  loader.preprocessing = &preprocessing;
  loader.batch = batch;
  loader.order = pictures.data();
  loader.order_epochs = 1;
  loader.order_count = static_cast<int64_t>(pictures.size());
  loader.skip_unreadable = skipUnreadable;
  loader.threads = readers();
  return Batches(dataset, loader, std::move(classes));
}

Batches batchesInOrder(const vit_dataset *dataset,
                       const vit_preprocessing &preprocessing, int64_t batch,
                       bool skipUnreadable, std::vector<int32_t> classes,
                       int64_t limit) {
  int64_t count = vit_dataset_count(dataset);
  std::vector<int32_t> all(limit > 0 ? limit : count);
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = static_cast<int32_t>(static_cast<int64_t>(i) * count /
                                  static_cast<int64_t>(all.size()));
  return batchesOf(dataset, preprocessing, batch, skipUnreadable,
                   std::move(classes), all);
}

Batches TrainingData::testBatches(int64_t batch, int64_t first,
                                  int64_t end) const {
  std::vector<int32_t> pictures(end - first);
  std::iota(pictures.begin(), pictures.end(), static_cast<int32_t>(first));
  return batchesOf(test.get(), preprocessing, batch, options.skipUnreadable,
                   testClasses, pictures);
}

Json TrainingData::describe() const {
  Json result = describeData(train.get());
  if (!order.empty())
    result["order"] = hexText(
        format::hash64(order.data(), order.size() * sizeof(order.front())));
  return result;
}

Json TrainingData::describeTest() const {
  return test ? describeData(test.get()) : Json();
}

} // namespace vit::tools
