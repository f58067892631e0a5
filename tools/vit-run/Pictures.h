//===- Pictures.h - Lists and batches of picture files ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PICTURES_H
#define VIT_TOOLS_PICTURES_H

#include "Support.h"

#include <future>
#include <string>
#include <vector>

namespace vit::tools {

/// The pictures that `arguments` name: each file as it is given, and of each
/// folder the pictures in it and below it, in byte order of their paths. Throws
/// if there is nothing at an argument or a folder holds no pictures.
std::vector<std::string>
listPictures(const std::vector<std::string> &arguments);

/// A picture to prepare: a file, or pixels in memory.
struct Picture {
  Picture(std::string path) : path(std::move(path)) {}
  /// `pixels` are the caller's; messages call the picture `name`.
  Picture(std::string name, const vit_image &pixels)
      : path(std::move(name)), pixels(pixels) {}

  std::string path;
  vit_image pixels = {}; ///< Without pixels: the file is read.
};

/// Pictures of one batch. A picture that cannot be read has a message in
/// `errors` and no row in `input`.
struct PictureBatch {
  std::vector<std::string> errors;  ///< One per picture; empty if it was read.
  std::vector<vit_status> statuses; ///< Of the same.
  Tensor input; ///< f32 [count, channels, height, width]; none if count is 0.
  int64_t count = 0;
};

/// `threads`: how many read; the result does not depend on it.
PictureBatch loadPictures(const std::vector<Picture> &pictures,
                          const vit_preprocessing &preprocessing,
                          int threads = 1);

/// Prepares pictures batch by batch. The next batch is read, in threads of its
/// own, while the caller works with one.
class PictureReader {
public:
  /// The batches have `batch` pictures, but for the last. `pictures` must
  /// outlive the reader. `threads` 0: as many as a session has by default.
  PictureReader(const std::vector<Picture> &pictures,
                const vit_preprocessing &preprocessing, int64_t batch,
                int threads);

  /// The next batch; one of no pictures after the last.
  PictureBatch next();

private:
  void start();

  const std::vector<Picture> &pictures;
  vit_preprocessing preprocessing;
  size_t batch, first = 0;
  int threads;
  std::future<PictureBatch> reading;
};

/// Owns a picture of the data library.
struct ImageOwner {
  vit_image image = {};

  ImageOwner() = default;
  ~ImageOwner() { vit_image_release(&image); }
  ImageOwner(const ImageOwner &) = delete;
  ImageOwner &operator=(const ImageOwner &) = delete;
};

/// Moves the part of `image` that a model sees to the beginning of its pixels.
/// The result points to them and has its own size.
vit_image cropVisiblePart(vit_image &image,
                          const vit_preprocessing &preprocessing);

} // namespace vit::tools

#endif // VIT_TOOLS_PICTURES_H
