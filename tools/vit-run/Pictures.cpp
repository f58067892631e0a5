//===- Pictures.cpp - Lists and batches of picture files ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pictures.h"

#include <algorithm>
#include <filesystem>

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

static Tensor loadTogether(const std::vector<std::string> &paths,
                           const vit_preprocessing &preprocessing) {
  std::vector<const char *> names;
  for (const std::string &path : paths)
    names.push_back(path.c_str());
  vit_error error;
  vit_tensor pictures = {};
  check(vit_data_load_pictures(names.data(), static_cast<int64_t>(names.size()),
                               &preprocessing, &pictures, &error),
        error);
  Tensor input = Tensor::copy(pictures);
  vit_tensor_release(&pictures);
  return input;
}

PictureBatch loadPictures(const std::vector<std::string> &paths,
                          const vit_preprocessing &preprocessing) {
  PictureBatch batch;
  batch.errors.resize(paths.size());
  try {
    batch.input = loadTogether(paths, preprocessing);
    batch.count = static_cast<int64_t>(paths.size());
    return batch;
  } catch (const Error &) {
    // At least one is bad: read each alone.
  }
  for (size_t i = 0; i < paths.size(); ++i)
    try {
      Tensor one = loadTogether({paths[i]}, preprocessing);
      if (batch.count++ == 0)
        batch.input = std::move(one);
      else
        batch.input.data.insert(batch.input.data.end(), one.data.begin(),
                                one.data.end());
    } catch (const Error &error) {
      batch.errors[i] = error.what();
    }
  if (batch.count > 0)
    batch.input.dims[0] = batch.count;
  return batch;
}

} // namespace vit::tools
