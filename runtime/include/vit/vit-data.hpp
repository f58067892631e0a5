//===- vit-data.hpp - The data library for C++ ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// vit-data.h with owners in place of release calls and exceptions in place of
/// statuses. Header only, C++17.
///
//===----------------------------------------------------------------------===//

#ifndef VIT_VIT_DATA_HPP
#define VIT_VIT_DATA_HPP

#include "vit/vit-data.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace vit::data {

/// A failed call: its status, and its message as what().
class Error : public std::runtime_error {
public:
  Error(vit_status status, const vit_error &error)
      : std::runtime_error(error.message), code(status) {}
  vit_status status() const { return code; }

private:
  vit_status code;
};

/// Calls a function of the C API with an error of its own as last argument.
template <typename Function, typename... Arguments>
void call(Function function, Arguments &&...arguments) {
  vit_error error = {};
  vit_status status = function(std::forward<Arguments>(arguments)..., &error);
  if (status != VIT_OK)
    throw Error(status, error);
}

/// An owned picture.
class Image {
public:
  Image() = default;
  /// Takes over what a C call returned.
  explicit Image(const vit_image &image) : image(image) {}
  Image(Image &&other) noexcept : image(std::exchange(other.image, {})) {}
  Image &operator=(Image &&other) noexcept {
    std::swap(image, other.image);
    return *this;
  }
  ~Image() { vit_image_release(&image); }

  static Image load(const std::string &path,
                    const vit_image_options *options = nullptr) {
    Image result;
    call(vit_image_load, path.c_str(), options, &result.image);
    return result;
  }

  Image resize(int32_t height, int32_t width, int32_t interpolation) const {
    Image result;
    call(vit_image_resize, &image, height, width, interpolation, &result.image);
    return result;
  }
  void blendHeatmap(const float *map, int32_t mapHeight, int32_t mapWidth,
                    float opacity = 0.6f) {
    call(vit_image_blend_heatmap, &image, map, mapHeight, mapWidth, opacity);
  }
  void savePng(const std::string &path) const {
    call(vit_image_save_png, &image, path.c_str());
  }

  int32_t width() const { return image.width; }
  int32_t height() const { return image.height; }
  int32_t channels() const { return image.channels; }
  const uint8_t *pixels() const { return image.pixels; }
  uint8_t *pixels() { return image.pixels; }
  const vit_image *get() const { return &image; }

private:
  vit_image image = {};
};

/// An owned tensor.
class Tensor {
public:
  Tensor() = default;
  /// Takes over what a C call returned.
  explicit Tensor(const vit_tensor &tensor) : tensor(tensor) {}
  Tensor(Tensor &&other) noexcept : tensor(std::exchange(other.tensor, {})) {}
  Tensor &operator=(Tensor &&other) noexcept {
    std::swap(tensor, other.tensor);
    return *this;
  }
  ~Tensor() { vit_tensor_release(&tensor); }

  static Tensor readNpy(const std::string &path) {
    Tensor result;
    call(vit_npy_read, path.c_str(), &result.tensor);
    return result;
  }
  static Tensor loadPicture(const std::string &path,
                            const vit_preprocessing &preprocessing) {
    Tensor result;
    call(vit_data_load_picture, path.c_str(), &preprocessing, &result.tensor);
    return result;
  }

  void writeNpy(const std::string &path) const {
    call(vit_npy_write, path.c_str(), &tensor);
  }

  vit_dtype dtype() const { return tensor.dtype; }
  std::vector<int64_t> dims() const {
    return {tensor.dims, tensor.dims + tensor.rank};
  }
  template <typename T> T *data() const {
    return static_cast<T *>(tensor.data);
  }
  const vit_tensor &get() const { return tensor; }

private:
  vit_tensor tensor = {};
};

/// How a model folder wants its pictures.
inline vit_preprocessing readPreprocessing(const std::string &folder) {
  vit_preprocessing result = {};
  result.struct_size = sizeof(result);
  call(vit_preprocessing_from_folder, folder.c_str(), &result);
  return result;
}

/// The tensors of a checkpoint.
class Weights {
public:
  /// A file, an index, or a folder that holds one.
  explicit Weights(const std::string &path) {
    vit_weights *opened = nullptr;
    call(vit_weights_open, path.c_str(), &opened);
    weights.reset(opened);
  }

  int64_t count() const { return vit_weights_count(weights.get()); }
  vit_weight_info info(int64_t index) const {
    vit_weight_info result = {};
    call(vit_weights_info, weights.get(), index, &result);
    return result;
  }
  /// -1 where there is none of that name.
  int64_t find(const std::string &name) const {
    return vit_weights_find(weights.get(), name.c_str());
  }
  /// NULL where index is out of range.
  const char *note(int32_t index) const {
    return vit_weights_note(weights.get(), index);
  }
  void read(int64_t index, int64_t first, int64_t count, float *out) const {
    call(vit_weights_read_f32, weights.get(), index, first, count, out);
  }
  void read(int64_t index, int64_t first, int64_t count, double *out) const {
    call(vit_weights_read_f64, weights.get(), index, first, count, out);
  }
  void checkFiles() const { call(vit_weights_check_files, weights.get()); }

private:
  struct Release {
    void operator()(vit_weights *object) const { vit_weights_release(object); }
  };
  std::unique_ptr<vit_weights, Release> weights;
};

/// Labelled pictures.
class Dataset {
public:
  explicit Dataset(const std::string &path,
                   const vit_dataset_options *options = nullptr) {
    vit_dataset *opened = nullptr;
    call(vit_dataset_open, path.c_str(), options, &opened);
    dataset.reset(opened);
  }

  int64_t count() const { return vit_dataset_count(dataset.get()); }
  int32_t classCount() const { return vit_dataset_class_count(dataset.get()); }
  const char *className(int32_t index) const {
    return vit_dataset_class_name(dataset.get(), index);
  }
  const char *split() const { return vit_dataset_split(dataset.get()); }
  const char *folder() const { return vit_dataset_folder(dataset.get()); }
  /// NULL where index is out of range.
  const char *note(int32_t index) const {
    return vit_dataset_note(dataset.get(), index);
  }
  int32_t label(int64_t index) const {
    return vit_dataset_label(dataset.get(), index);
  }
  uint64_t hash() const {
    uint64_t result = 0;
    call(vit_dataset_hash, dataset.get(), &result);
    return result;
  }
  std::pair<Image, int32_t> get(int64_t index) const {
    vit_image image = {};
    int32_t label = 0;
    call(vit_dataset_get, dataset.get(), index, &image, &label);
    return {Image(image), label};
  }
  const vit_dataset *handle() const { return dataset.get(); }

private:
  struct Release {
    void operator()(vit_dataset *object) const { vit_dataset_release(object); }
  };
  std::unique_ptr<vit_dataset, Release> dataset;
};

/// Training batches, read ahead.
class Loader {
public:
  /// `dataset` must outlive the loader; `options.struct_size` is set here.
  Loader(const Dataset &dataset, vit_loader_options options) {
    options.struct_size = sizeof(options);
    vit_loader *created = nullptr;
    call(vit_loader_create, dataset.handle(), &options, &created);
    loader.reset(created);
  }

  int64_t batchesPerEpoch() const {
    return vit_loader_batches_per_epoch(loader.get());
  }
  /// Its memory is the loader's, until the next call.
  vit_batch next() {
    vit_batch batch = {};
    call(vit_loader_next, loader.get(), &batch);
    return batch;
  }
  /// Why picture `i` of those left out of the batch could not be read.
  const char *skipped(int64_t i) const {
    return vit_loader_skipped(loader.get(), i);
  }

private:
  struct Release {
    void operator()(vit_loader *object) const { vit_loader_release(object); }
  };
  std::unique_ptr<vit_loader, Release> loader;
};

} // namespace vit::data

#endif // VIT_VIT_DATA_HPP
