//===- Folder.cpp - One folder of pictures for each class -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As torchvision's ImageFolder: classes are the sorted names of the folders,
// pictures are found recursively below them. Hidden files are skipped.
//
//===----------------------------------------------------------------------===//

#include "Dataset.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>

using namespace vit::data;

/// The names in a folder, in byte order.
static std::vector<std::string> listFolder(const std::string &folder) {
  DIR *handle = opendir(folder.c_str());
  if (!handle)
    fail(VIT_IO_ERROR,
         "cannot read the folder " + folder + ": " + std::strerror(errno));
  std::unique_ptr<DIR, int (*)(DIR *)> closer(handle, closedir);
  std::vector<std::string> names;
  while (const dirent *entry = readdir(handle))
    if (entry->d_name[0] != '.')
      names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

/// Decides by extension, as ImageFolder does, so that a picture that cannot be
/// decoded is an error and not silently skipped.
static bool isPicture(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  });
  for (std::string_view extension : {".jpg", ".jpeg", ".png", ".ppm", ".bmp",
                                     ".pgm", ".tif", ".tiff", ".webp"})
    if (name.size() > extension.size() &&
        name.compare(name.size() - extension.size(), extension.size(),
                     extension) == 0)
      return true;
  return false;
}

/// All folders at and below `folder`, links followed.
static void collectFolders(const std::string &folder, int depth,
                           std::vector<std::string> &folders) {
  constexpr int deepest = 32; // Links may form cycles.
  if (depth > deepest)
    fail(VIT_IO_ERROR, "the folders below " + folder + " are too deep");
  folders.push_back(folder);
  for (const std::string &name : listFolder(folder)) {
    std::string path = joinPath(folder, name);
    if (isFolder(path))
      collectFolders(path, depth + 1, folders);
  }
}

static std::vector<std::string> listClasses(const std::string &folder) {
  std::vector<std::string> classes;
  for (std::string &name : listFolder(folder))
    if (isFolder(joinPath(folder, name)))
      classes.push_back(std::move(name));
  return classes;
}

namespace {
class FolderDataset : public Dataset {
public:
  const char *format() const override { return "folder"; }
  int64_t count() const override { return int64_t(items.size()); }
  int32_t label(int64_t index) const override {
    return items[size_t(index)].label;
  }
  Picture load(int64_t index) const override {
    const std::string &path = items[size_t(index)].path;
    std::vector<uint8_t> file = readFile(path);
    Picture picture =
        decodePicture({file.data(), file.size()}, path, VIT_IMAGE_MAX_PIXELS);
    if (picture.channels == 3)
      return picture;
    Picture colored = convertChannels(picture.view(), 3);
    colored.orientation = picture.orientation;
    return colored;
  }
  std::string nameOf(int64_t index) const override {
    return items[size_t(index)].path;
  }

  void addClass(const std::string &folder, int32_t label) {
    std::vector<std::string> folders;
    collectFolders(folder, 0, folders);
    std::sort(folders.begin(), folders.end());
    size_t before = items.size();
    for (const std::string &inner : folders)
      for (const std::string &name : listFolder(inner))
        if (isPicture(name))
          items.push_back({joinPath(inner, name), label});
    if (items.size() == before)
      fail(VIT_NOT_FOUND, "the class folder " + folder + " holds no pictures");
  }

private:
  struct Item {
    std::string path;
    int32_t label;
  };
  std::vector<Item> items;
};
} // namespace

std::unique_ptr<Dataset> vit::data::openImageFolder(const std::string &folder,
                                                    Split split) {
  std::string train, test;
  if (isFolder(joinPath(folder, "train")))
    train = joinPath(folder, "train");
  // If both exist, the test pictures may have no labels (as ImageNet's).
  std::vector<const char *> names = {"val", "validation", "test"};
  if (split == Split::Test)
    std::reverse(names.begin(), names.end());
  for (const char *name : names)
    if (test.empty() && isFolder(joinPath(folder, name)))
      test = joinPath(folder, name);

  std::string chosen = folder;
  if (!train.empty() || !test.empty()) {
    split = chooseSplit(split, !train.empty(), !test.empty(), folder);
    chosen = split == Split::Train ? train : test;
  }
  std::vector<std::string> classes = listClasses(chosen);
  if (classes.empty())
    return nullptr;
  if (chosen == folder && split != Split::Any)
    fail(VIT_NOT_FOUND, "the folder " + folder +
                            " has no train or test part: leave the split out");
  // The test part may lack a class: number labels as in the training part.
  std::vector<std::string> known =
      chosen == test && !train.empty() ? listClasses(train) : classes;
  auto dataset = std::make_unique<FolderDataset>();
  for (const std::string &name : classes) {
    auto found = std::lower_bound(known.begin(), known.end(), name);
    if (found == known.end() || *found != name)
      corrupt("a class of the test part is not in " + train + ": " +
              joinPath(chosen, name));
    dataset->addClass(joinPath(chosen, name), int32_t(found - known.begin()));
  }
  dataset->classNames = std::move(known);
  return dataset;
}
