//===- Pictures.cpp - Lists and batches of picture files ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pictures.h"

#include "format/Threads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

namespace fs = std::filesystem;

namespace vit::tools {

static std::vector<std::string> listBelow(const std::string &folder) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator at(
      folder, fs::directory_options::follow_directory_symlink, error),
      end;
  for (; !error && at != end; at.increment(error))
    if (vit_image_has_extension(at->path().filename().c_str()) &&
        !at->is_directory(error))
      paths.push_back(at->path().string());
  if (error)
    throw Error("cannot list the folder " + folder + ": " + error.message());
  if (paths.empty())
    throw Error("the folder " + folder +
                " holds no pictures (PNG, JPEG, BMP or PPM)");
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string>
listPictures(const std::vector<std::string> &arguments) {
  std::vector<std::string> paths;
  for (const std::string &argument : arguments) {
    std::error_code ignored;
    if (!fs::is_directory(argument, ignored)) {
      paths.push_back(argument);
      continue;
    }
    std::vector<std::string> below = listBelow(argument);
    paths.insert(paths.end(), below.begin(), below.end());
  }
  return paths;
}

/// Prepares one picture to `out`.
static void loadPicture(const Picture &picture,
                        const vit_preprocessing &preprocessing, float *out) {
  vit_error error;
  if (picture.pixels.pixels) {
    vit_status status =
        vit_image_preprocess(&picture.pixels, &preprocessing, out, &error);
    if (status != VIT_OK)
      throw Error(picture.path + ": " + error.message, status);
    return;
  }
  vit_tensor tensor = {};
  check(vit_data_load_picture(picture.path.c_str(), &preprocessing, &tensor,
                              &error),
        error);
  std::memcpy(out, tensor.data, tensor.size);
  vit_tensor_release(&tensor);
}

PictureBatch loadPictures(const std::vector<Picture> &pictures,
                          const vit_preprocessing &preprocessing, int threads) {
  PictureBatch batch;
  size_t count = pictures.size();
  batch.errors.resize(count);
  batch.statuses.resize(count);
  batch.input.allocate(VIT_F32,
                       {static_cast<int64_t>(count), preprocessing.channels,
                        preprocessing.height, preprocessing.width});
  size_t elements = count ? batch.input.count() / count : 0;
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = 0; (i = next++) < count;)
      try {
        loadPicture(pictures[i], preprocessing,
                    batch.input.floats() + i * elements);
      } catch (const Error &error) {
        batch.errors[i] = error.what();
        batch.statuses[i] = error.status;
      }
  };
  std::vector<std::thread> helpers;
  try {
    for (size_t i = 1; i < std::min<size_t>(threads, count); ++i)
      helpers.emplace_back(work);
  } catch (const std::system_error &) {
    // No more threads to be had: those that there are do the work.
  }
  work();
  for (std::thread &helper : helpers)
    helper.join();
  // Close the gaps of those that cannot be read.
  size_t rows = 0;
  for (size_t i = 0; i < count; ++i)
    if (batch.errors[i].empty())
      std::memmove(batch.input.floats() + elements * rows++,
                   batch.input.floats() + elements * i,
                   elements * sizeof(float));
  batch.count = static_cast<int64_t>(rows);
  batch.input.dims[0] = batch.count;
  batch.input.data.resize(rows * elements * sizeof(float));
  return batch;
}

PictureReader::PictureReader(const std::vector<Picture> &pictures,
                             const vit_preprocessing &preprocessing,
                             int64_t batch, int threads)
    : pictures(pictures), preprocessing(preprocessing), batch(batch),
      threads(threads > 0 ? threads : std::max(1, format::defaultThreads())) {
  start();
}

void PictureReader::start() {
  size_t last = std::min(first + batch, pictures.size());
  std::vector<Picture> part(pictures.begin() + first, pictures.begin() + last);
  first = last;
  reading = std::async(std::launch::async, [this, part = std::move(part)] {
    return loadPictures(part, preprocessing, threads);
  });
}

PictureBatch PictureReader::next() {
  if (!reading.valid())
    return {};
  PictureBatch result = reading.get();
  if (first < pictures.size())
    start();
  return result;
}

vit_image cropVisiblePart(vit_image &image,
                          const vit_preprocessing &preprocessing) {
  double height = image.height, width = image.width;
  int32_t top = 0, left = 0, rows = image.height, columns = image.width;
  if (preprocessing.center_crop) {
    double scaleY = 1, scaleX = 1;
    if (preprocessing.resize_height > 0 && preprocessing.resize_width > 0) {
      scaleY = preprocessing.resize_height / height;
      scaleX = preprocessing.resize_width / width;
    } else if (preprocessing.resize_height != 0) {
      double down = preprocessing.resize_height / height,
             across = preprocessing.resize_width / width;
      scaleY = preprocessing.resize_height < 0 ? std::min(-down, -across)
               : preprocessing.resize_width < -1
                   ? std::max(down, -across)
                   : preprocessing.resize_height / std::min(height, width);
      scaleX = scaleY;
    }
    auto crop = [](double length, double wanted, int32_t &begin,
                   int32_t &count) {
      count = static_cast<int32_t>(
          std::max(1.0, std::round(std::min(length, wanted))));
      begin = static_cast<int32_t>((length - count) / 2);
    };
    crop(height, preprocessing.height / scaleY, top, rows);
    crop(width, preprocessing.width / scaleX, left, columns);
  }
  // Rows move towards the beginning, in order: none is overwritten before it
  // has moved.
  size_t pixel = image.channels, bytes = columns * pixel;
  for (int32_t row = 0; row < rows; ++row)
    std::memmove(
        image.pixels + row * bytes,
        image.pixels + (size_t(top + row) * image.width + left) * pixel, bytes);
  return {columns, rows, image.channels, image.pixels};
}

} // namespace vit::tools
