//===- Data.cpp - Data sets given by options ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Data.h"

#include <cstdlib>

namespace vit::tools {

/// "FIRST..LAST"
static void parseRange(const DataRequest &request,
                       vit_dataset_options &options) {
  const std::string &text = request.range;
  char *end = nullptr;
  long long first = std::strtoll(text.c_str(), &end, 10);
  bool good = end != text.c_str() && std::string(end).rfind("..", 0) == 0;
  const char *second = good ? end + 2 : end;
  long long last = good ? std::strtoll(second, &end, 10) : 0;
  if (!good || end == second || *end || first < 0 || last < first)
    throw Error(request.rangeOption + " " + text +
                " is not of the form FIRST..LAST, such as 0..999");
  options.first = first;
  options.count = last - first + 1;
}

/// Uses `split` instead of that of the request.
static vit_status tryOpen(const DataRequest &request, const char *split,
                          DatasetHandle &handle, vit_error &error) {
  vit_dataset_options options = {};
  options.struct_size = sizeof(options);
  options.split = split;
  options.apply_exif_orientation = request.orient;
  if (!request.range.empty())
    parseRange(request, options);
  vit_dataset *opened = nullptr;
  vit_status status =
      vit_dataset_open(request.path.c_str(), &options, &opened, &error);
  handle.reset(opened);
  if (opened && vit_dataset_count(opened) == 0)
    throw Error(request.path + " holds no pictures");
  return status;
}

DatasetHandle openData(const DataRequest &request) {
  DatasetHandle handle;
  vit_error error = {};
  check(tryOpen(request,
                request.split.empty() ? nullptr : request.split.c_str(), handle,
                error),
        error);
  return handle;
}

DatasetHandle openTrainingData(const DataRequest &request) {
  if (!request.split.empty())
    return openData(request);
  DatasetHandle handle;
  vit_error error = {};
  vit_status status = tryOpen(request, "train", handle, error);
  if (status != VIT_NOT_FOUND) {
    check(status, error);
    return handle;
  }
  vit_error ignored = {};
  if (tryOpen(request, "test", handle, ignored) != VIT_NOT_FOUND)
    throw Error("the data in " + request.path +
                " has no training part, only a test part; --split test trains "
                "on that");
  return openData(request);
}

DatasetHandle findTestPart(const DataRequest &request) {
  DatasetHandle handle;
  vit_error error = {};
  vit_status status = tryOpen(request, "test", handle, error);
  if (status != VIT_NOT_FOUND)
    check(status, error);
  return handle;
}

std::vector<std::string> classNames(const vit_dataset *dataset) {
  std::vector<std::string> names;
  for (int32_t i = 0; i < vit_dataset_class_count(dataset); ++i)
    names.push_back(vit_dataset_class_name(dataset, i));
  return names;
}

} // namespace vit::tools
