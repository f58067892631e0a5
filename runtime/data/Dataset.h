//===- Dataset.h - Data sets inside the library -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_DATASET_H
#define VIT_DATA_DATASET_H

#include "Image.h"

namespace vit::data {

/// Test and Validation mean the same where a format has only one such part.
enum class Split { Any, Train, Test, Validation };

/// "train", "test" or "validation"; "" for Any.
const char *nameOf(Split split);
/// The part that a folder of this name holds, judging by its words: "train",
/// "Testing", "seg_val"; Any if it is not the name of a part.
Split parseSplit(const std::string &name);

/// A folder as one format reads it.
class Dataset {
public:
  virtual ~Dataset() = default;

  virtual const char *format() const = 0;
  virtual int64_t count() const = 0;
  virtual int32_t label(int64_t index) const = 0;
  virtual Picture load(int64_t index) const = 0;
  virtual std::string nameOf(int64_t index) const = 0;
  /// Adds what identifies picture `index`, wherever the data is, to `text`.
  virtual void identify(int64_t index, std::string &text) const = 0;

  std::vector<std::string> classNames;
  std::string folder;             ///< Where the pictures were found.
  Split split = Split::Any;       ///< Any: the data has no parts.
  std::vector<std::string> notes; ///< As vit_dataset_note gives them.
};

/// Pictures of one size, whole in memory: CIFAR-10 and MNIST.
class RecordDataset : public Dataset {
public:
  /// The records of one file.
  struct Part {
    std::string path;
    int64_t count = 0;
    const uint8_t *pixels = nullptr; ///< Of the first record.
    size_t stride = 0;               ///< Bytes from record to record.
    std::vector<uint8_t> labels;
    const MappedFile *file = nullptr; ///< Null: pixels are a copy.
  };

  RecordDataset(const char *format, int32_t width, int32_t height,
                int32_t channels)
      : name(format), width(width), height(height), channels(channels) {}

  /// Checks the labels against classNames.
  void addPart(Part part);

  const char *format() const override { return name; }
  int64_t count() const override { return total; }
  int32_t label(int64_t index) const override;
  Picture load(int64_t index) const override;
  std::string nameOf(int64_t index) const override;
  void identify(int64_t index, std::string &text) const override;

  // The memory that the parts point into.
  std::vector<std::unique_ptr<MappedFile>> files;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> buffers;

private:
  const Part &find(int64_t &index) const;

  const char *name;
  int32_t width, height, channels; ///< Channels lie one after the other.
  int64_t total = 0;
  std::vector<Part> parts;
};

// Each returns NULL if the folder contains nothing of its format, and fails if
// it does but lacks the requested split.
std::unique_ptr<Dataset> openCifarBinary(const std::string &folder,
                                         Split split);
std::unique_ptr<Dataset> openCifarPython(const std::string &folder,
                                         Split split);
std::unique_ptr<Dataset> openMnist(const std::string &folder, Split split);
std::unique_ptr<Dataset> openImageFolder(const std::string &folder,
                                         Split split);

/// Resolves to Split::Train or Split::Test; fails if that part is missing.
Split chooseSplit(Split asked, bool hasTrain, bool hasTest,
                  const std::string &folder);

/// An idx file: its dimensions and the bytes of its elements.
struct IdxFile {
  std::vector<uint8_t> storage;
  std::vector<int64_t> dims;
  size_t begin = 0;
};
/// Parses the bytes of a file, compressed by gzip or not. Messages do not name
/// the file.
IdxFile parseIdx(Bytes file);

} // namespace vit::data

/// An open data set: a range of the pictures in a folder.
struct vit_dataset {
  std::unique_ptr<vit::data::Dataset> data;
  int64_t first, count;
  bool orient;

  /// The index in the data of index `i` of the chosen range.
  int64_t at(int64_t i) const {
    if (i < 0 || i >= count)
      vit::data::invalid("there is no picture " + std::to_string(i) +
                         ": there are " + std::to_string(count));
    return first + i;
  }
  vit::data::Picture load(int64_t i, bool orientAnyway = false) const {
    vit::data::Picture picture = data->load(at(i));
    return orient || orientAnyway
               ? vit::data::applyOrientation(std::move(picture))
               : std::move(picture);
  }
  /// Makes the tensor of picture `i`. Failures name its file.
  void finish(const vit::data::Picture &picture, int64_t i,
              const vit_preprocessing &preprocessing,
              const vit_augmentation *augmentation, int64_t epoch,
              float *out) const;
  /// Makes the tensors of `count` pictures and copies their labels, if
  /// `outLabels` is not null. `indexOf` returns the number of the i-th one.
  template <typename IndexOf>
  void read(int64_t count, IndexOf indexOf,
            const vit_preprocessing &preprocessing,
            const vit_augmentation *augmentation, int64_t epoch, float *out,
            int32_t *outLabels) const {
    for (int64_t i = 0; i < count; ++i) {
      int64_t index = indexOf(i);
      vit::data::Picture picture =
          load(index, preprocessing.apply_exif_orientation != 0);
      finish(picture, index, preprocessing, augmentation, epoch,
             out + size_t(i) * vit::data::elementsOf(preprocessing));
      if (outLabels)
        outLabels[i] = data->label(at(index));
    }
  }
};

#endif // VIT_DATA_DATASET_H
