//===- Dataset.cpp - Labelled pictures ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Dataset.h"

#include "Augment.h"
#include "format/Hash.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace vit::data;

//===----------------------------------------------------------------------===//
// Records
//===----------------------------------------------------------------------===//

void RecordDataset::addPart(Part part) {
  for (size_t i = 0; i < part.labels.size(); ++i)
    if (part.labels[i] >= classNames.size())
      corrupt("record " + std::to_string(i) + " of " + part.path +
              " has label " + std::to_string(part.labels[i]) +
              ", but there are " + std::to_string(classNames.size()) +
              " classes");
  total += part.count;
  parts.push_back(std::move(part));
}

const RecordDataset::Part &RecordDataset::find(int64_t &index) const {
  for (const Part &part : parts) {
    if (index < part.count)
      return part;
    index -= part.count;
  }
  fail(VIT_INTERNAL, "a record is out of range");
}

int32_t RecordDataset::label(int64_t index) const {
  const Part &part = find(index);
  return part.labels[size_t(index)];
}

Picture RecordDataset::load(int64_t index) const {
  const Part &part = find(index);
  const uint8_t *in = part.pixels + size_t(index) * part.stride;
  Picture picture(width, height, channels);
  size_t plane = size_t(width) * size_t(height);
  for (size_t i = 0; i < plane; ++i)
    for (size_t c = 0; c < size_t(channels); ++c)
      picture.pixels[i * size_t(channels) + c] = in[c * plane + i];
  if (part.file)
    part.file->requireWhole();
  return picture;
}

std::string RecordDataset::nameOf(int64_t index) const {
  const Part &part = find(index);
  return part.path + "#" + std::to_string(index);
}

/// The place within the file and the label: two sets of the same format and
/// the same labels are taken for the same.
void RecordDataset::identify(int64_t index, std::string &text) const {
  const Part &part = find(index);
  text += std::to_string(index) + " " +
          std::to_string(part.labels[size_t(index)]) + "\n";
}

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

Split vit::data::chooseSplit(Split asked, bool hasTrain, bool hasTest,
                             const std::string &folder) {
  if (asked == Split::Any)
    return hasTest ? Split::Test : Split::Train;
  bool wantsTrain = asked == Split::Train;
  if (wantsTrain ? !hasTrain : !hasTest)
    fail(VIT_NOT_FOUND, "the data in " + folder + " has no " +
                            (wantsTrain ? "training" : "test") + " part");
  return wantsTrain ? Split::Train : Split::Test;
}

static std::unique_ptr<Dataset> openDataset(const std::string &path,
                                            Split split) {
  if (!isFolder(path))
    fail(VIT_NOT_FOUND,
         isFile(path)
             ? path + " is a file: data is a folder; unpack an archive first"
             : "no folder " + path);
  // The archives contain a folder, and torchvision puts MNIST into one.
  for (const char *inner :
       {"", "cifar-10-batches-bin", "cifar-10-batches-py", "MNIST/raw"}) {
    std::string folder = *inner ? joinPath(path, inner) : path;
    if (!isFolder(folder))
      continue;
    for (auto open : {openCifarBinary, openCifarPython, openMnist})
      if (std::unique_ptr<Dataset> dataset = open(folder, split)) {
        dataset->folder = folder;
        return dataset;
      }
  }
  if (std::unique_ptr<Dataset> dataset = openImageFolder(path, split))
    return dataset;
  fail(VIT_NOT_FOUND,
       "the folder " + path +
           " holds no data set: neither CIFAR-10 (data_batch_1.bin or "
           "data_batch_1), nor MNIST (t10k-images-idx3-ubyte), nor one folder "
           "of pictures for each class");
}

static Split requestedSplit(const char *name) {
  if (!name || !*name)
    return Split::Any;
  Split split = parseSplit(name);
  if (split == Split::Any)
    invalid(std::string("there is no split \"") + name +
            "\": use train, validation (val) or test");
  return split;
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

extern "C" vit_status vit_dataset_open(const char *path,
                                       const vit_dataset_options *options,
                                       vit_dataset **out_dataset,
                                       vit_error *error) {
  return guarded(error, [&] {
    if (!path || !out_dataset)
      invalid("vit_dataset_open needs a path and somewhere to put the data "
              "set");
    vit_dataset_options chosen = {};
    if (options) {
      if (options->struct_size < sizeof(vit_dataset_options))
        invalid("set struct_size to sizeof(vit_dataset_options)");
      chosen = *options;
    }
    auto dataset = std::make_unique<vit_dataset>();
    dataset->data = openDataset(path, requestedSplit(chosen.split));
    int64_t total = dataset->data->count();
    if (chosen.first < 0 || chosen.count < 0 || chosen.first >= total ||
        chosen.count > total - chosen.first)
      invalid("pictures " + std::to_string(chosen.first) + " to " +
              (chosen.count > 0 && chosen.first < INT64_MAX - chosen.count
                   ? std::to_string(chosen.first + chosen.count - 1)
                   : "the end") +
              " were asked for; " + path + " has " + std::to_string(total));
    dataset->first = chosen.first;
    dataset->count = chosen.count ? chosen.count : total - chosen.first;
    dataset->orient = chosen.apply_exif_orientation != 0;
    *out_dataset = dataset.release();
  });
}

extern "C" void vit_dataset_release(vit_dataset *dataset) { delete dataset; }

extern "C" const char *vit_dataset_format(const vit_dataset *dataset) {
  return dataset ? dataset->data->format() : "";
}

extern "C" int64_t vit_dataset_count(const vit_dataset *dataset) {
  return dataset ? dataset->count : 0;
}

extern "C" int32_t vit_dataset_class_count(const vit_dataset *dataset) {
  return dataset ? int32_t(dataset->data->classNames.size()) : 0;
}

extern "C" const char *vit_dataset_class_name(const vit_dataset *dataset,
                                              int32_t index) {
  if (index < 0 || index >= vit_dataset_class_count(dataset))
    return nullptr;
  return dataset->data->classNames[size_t(index)].c_str();
}

extern "C" const char *vit_dataset_split(const vit_dataset *dataset) {
  return dataset ? nameOf(dataset->data->split) : "";
}

extern "C" const char *vit_dataset_folder(const vit_dataset *dataset) {
  return dataset ? dataset->data->folder.c_str() : "";
}

extern "C" const char *vit_dataset_note(const vit_dataset *dataset,
                                        int32_t index) {
  return dataset && index >= 0 && index < int32_t(dataset->data->notes.size())
             ? dataset->data->notes[size_t(index)].c_str()
             : nullptr;
}

extern "C" int32_t vit_dataset_label(const vit_dataset *dataset,
                                     int64_t index) {
  return dataset && index >= 0 && index < dataset->count
             ? dataset->data->label(dataset->first + index)
             : -1;
}

extern "C" vit_status vit_dataset_hash(const vit_dataset *dataset,
                                       uint64_t *out_hash, vit_error *error) {
  return guarded(error, [&] {
    if (!dataset || !out_hash)
      invalid("vit_dataset_hash needs a data set and somewhere to put the "
              "hash");
    std::string text = std::string(dataset->data->format()) + "\n";
    for (const std::string &name : dataset->data->classNames)
      text += name + "\n";
    for (int64_t i = 0; i < dataset->count; ++i)
      dataset->data->identify(dataset->at(i), text);
    *out_hash = vit::format::hash64(text.data(), text.size());
  });
}

extern "C" vit_status vit_dataset_get(const vit_dataset *dataset, int64_t index,
                                      vit_image *out_image, int32_t *out_label,
                                      vit_error *error) {
  return guarded(error, [&] {
    if (!dataset || !out_image)
      invalid("vit_dataset_get needs a data set and somewhere to put the "
              "picture");
    Picture picture = dataset->load(index);
    *out_image = picture.release();
    if (out_label)
      *out_label = dataset->data->label(dataset->at(index));
  });
}

extern "C" size_t vit_dataset_item_name(const vit_dataset *dataset,
                                        int64_t index, char *buffer,
                                        size_t size) {
  if (!dataset || index < 0 || index >= dataset->count)
    return 0;
  try {
    std::string name = dataset->data->nameOf(dataset->at(index));
    if (buffer && size > 0)
      std::snprintf(buffer, size, "%s", name.c_str());
    return name.size();
  } catch (...) {
    return 0;
  }
}

void vit_dataset::finish(const Picture &picture, int64_t i,
                         const vit_preprocessing &preprocessing,
                         const vit_augmentation *augmentation, int64_t epoch,
                         float *out) const {
  try {
    augment(picture.view(), preprocessing, augmentation, epoch, i, out);
  } catch (const Failure &failure) {
    fail(failure.status, data->nameOf(at(i)) + ": " + failure.message);
  }
}

extern "C" vit_status
vit_dataset_read_batch(const vit_dataset *dataset, int64_t first, int64_t count,
                       const vit_preprocessing *preprocessing, float *out,
                       int32_t *out_labels, vit_error *error) {
  return guarded(error, [&] {
    if (!dataset || !out || count < 0)
      invalid("vit_dataset_read_batch needs a data set and somewhere to put "
              "the batch");
    checkPreprocessing(preprocessing);
    dataset->read(
        count, [&](int64_t i) { return first + i; }, *preprocessing, nullptr, 0,
        out, out_labels);
  });
}
