//===- Data.cpp - Data sets given by options ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Data.h"

#include "StoredTensors.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using Json = nlohmann::ordered_json;

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
  vit_status status = tryOpen(request, "validation", handle, error);
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

std::vector<int64_t> countClasses(const vit_dataset *dataset) {
  std::vector<int64_t> counts(vit_dataset_class_count(dataset));
  for (int64_t i = 0; i < vit_dataset_count(dataset); ++i)
    ++counts[vit_dataset_label(dataset, i)];
  return counts;
}

void printData(const std::string &verb, const vit_dataset *dataset,
               std::set<std::string> &printed) {
  std::vector<int64_t> counts = countClasses(dataset);
  auto present = counts.size() - std::count(counts.begin(), counts.end(), 0);
  std::string part = vit_dataset_split(dataset);
  auto number = [](int64_t count, const char *one, const char *many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
  };
  std::fprintf(
      stderr, "%s %s of %s in %s%s\n", verb.c_str(),
      number(vit_dataset_count(dataset), "picture", "pictures").c_str(),
      number(present, "class", "classes").c_str(), vit_dataset_folder(dataset),
      part.empty() ? "" : (", the " + part + " part").c_str());
  for (int32_t i = 0; const char *note = vit_dataset_note(dataset, i); ++i)
    if (printed.insert(note).second)
      std::fprintf(stderr, "note: %s\n", note);
}

void warnOfResizing(const vit_dataset *dataset, const vit_preprocessing &p) {
  vit_image image = {};
  if (vit_dataset_get(dataset, 0, &image, nullptr, nullptr) != VIT_OK)
    return; // Reading the data reports it.
  int32_t width = image.width, height = image.height;
  vit_image_release(&image);
  bool isKept =
      p.resize_height == 0 || (p.resize_width == -1 && p.resize_height > 0
                                   ? p.resize_height == std::min(height, width)
                                   : std::abs(p.resize_height) == height &&
                                         std::abs(p.resize_width) == width);
  if (width == p.width && height == p.height && !isKept)
    std::fprintf(stderr,
                 "warning: the pictures are %d x %d, the size of the model's "
                 "input, and are resized and cropped all the same, as the "
                 "model's preprocessing says; if it was trained on pictures of "
                 "this size, set do_resize and do_center_crop to false in its "
                 "preprocessor_config.json\n",
                 width, height);
}

//===----------------------------------------------------------------------===//
// What a run was trained on
//===----------------------------------------------------------------------===//

Json describeData(const vit_dataset *dataset) {
  std::vector<std::string> names = classNames(dataset);
  std::vector<int64_t> counts = countClasses(dataset);
  Json classes = Json::object();
  for (size_t i = 0; i < names.size(); ++i)
    classes[names[i]] = counts[i];
  uint64_t hash = 0;
  vit_error error;
  check(vit_dataset_hash(dataset, &hash, &error), error);
  return {{"pictures", vit_dataset_count(dataset)},
          {"classes", classes},
          {"hash", hexText(hash)}};
}

static std::vector<std::string> keysOf(const Json &object) {
  std::vector<std::string> keys;
  for (const auto &[key, value] : object.items())
    keys.push_back(key);
  return keys;
}

std::string compareData(const Json &was, const Json &is) {
  if (!was.is_object() || was == is)
    return "";
  Json before = was.value("classes", Json::object()),
       now = is.value("classes", Json::object());
  std::vector<std::string> changes;
  if (was.value("pictures", Json()) != is.value("pictures", Json()))
    changes.push_back("the data had " + was.value("pictures", Json()).dump() +
                      " pictures and has " +
                      is.value("pictures", Json()).dump());
  if (keysOf(before) != keysOf(now)) {
    std::vector<std::string> lost, added;
    for (const auto &[name, count] : before.items())
      if (!now.contains(name))
        lost.push_back(name);
    for (const auto &[name, count] : now.items())
      if (!before.contains(name))
        added.push_back(name);
    changes.push_back("the classes of the data have changed" +
                      (lost.empty() ? "" : ", lost: " + listText(lost)) +
                      (added.empty() ? "" : ", new: " + listText(added)));
  } else {
    std::vector<std::string> counts;
    for (const auto &[name, count] : before.items())
      if (count != now[name])
        counts.push_back("class " + name + " had " + count.dump() +
                         " and has " + now[name].dump());
    if (!counts.empty())
      changes.push_back(listText(counts));
  }
  if (changes.empty())
    changes.emplace_back("the data has as many pictures of each class as "
                         "before, but other files");
  return join(changes, "; ");
}

} // namespace vit::tools
