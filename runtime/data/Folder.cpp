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

#include "FolderParts.h"
#include "format/Utf8.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <sys/stat.h>

using namespace vit::data;

namespace {
struct InnerFolder {
  std::string path;
  Listing listing;
};
} // namespace

/// All folders at and below `folder`, links followed. `above`: the numbers of
/// the folders that it is in, by which links that form a cycle are found.
static void collectFolders(const std::string &folder,
                           std::vector<std::pair<dev_t, ino_t>> &above,
                           std::vector<InnerFolder> &folders) {
  constexpr size_t deepest = 32;
  if (above.size() > deepest)
    fail(VIT_IO_ERROR, "the folders below " + folder + " are too deep");
  struct stat info = {};
  if (stat(folder.c_str(), &info) != 0)
    fail(VIT_IO_ERROR,
         "cannot read the folder " + folder + ": " + std::strerror(errno));
  std::pair<dev_t, ino_t> number(info.st_dev, info.st_ino);
  if (std::find(above.begin(), above.end(), number) != above.end())
    corrupt(folder + " is a link to a folder that it is in");
  Listing listing = listFolder(folder);
  std::vector<std::string> names = listing.folders;
  folders.push_back({folder, std::move(listing)});
  above.push_back(number);
  for (const std::string &name : names)
    collectFolders(joinPath(folder, name), above, folders);
  above.pop_back();
}

/// "3 files (.gif, .heic)"
static std::string
describeLeftOut(const std::map<std::string, int64_t> &types) {
  int64_t count = 0;
  std::vector<std::string> names;
  for (const auto &[type, files] : types) {
    count += files;
    names.push_back(type.empty() ? "no extension" : type);
  }
  return std::to_string(count) + (count == 1 ? " file (" : " files (") +
         listNames(names) + ")";
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
  void identify(int64_t index, std::string &text) const override {
    const Item &item = items[size_t(index)];
    struct stat info = {};
    // A file that is missing is reported when it is read.
    bool isThere = stat(item.path.c_str(), &info) == 0;
    text += std::to_string(item.label) + " " +
            item.path.substr(item.nameBegins) + " " +
            (isThere ? std::to_string(info.st_size) : "missing") + "\n";
  }

  /// `names`: of all classes.
  void addClass(const std::string &name, int32_t label,
                const std::vector<std::string> &names);
  /// After the last class.
  void noteLeftOut() {
    if (!leftOut.empty())
      notes.push_back("left out, as files of their types are not read: " +
                      listNames(leftOut));
  }

private:
  struct Item {
    std::string path;
    size_t nameBegins; ///< In the path: below the folder of the class.
    int32_t label;
  };
  std::vector<Item> items;
  std::vector<std::string> leftOut; ///< One text for each class.
};
} // namespace

void FolderDataset::addClass(const std::string &name, int32_t label,
                             const std::vector<std::string> &names) {
  std::string path = joinPath(folder, name);
  std::vector<InnerFolder> folders;
  std::vector<std::pair<dev_t, ino_t>> above;
  struct stat info = {};
  if (stat(folder.c_str(), &info) == 0)
    above.emplace_back(info.st_dev, info.st_ino);
  collectFolders(path, above, folders);
  std::sort(folders.begin(), folders.end(),
            [](const InnerFolder &a, const InnerFolder &b) {
              return a.path < b.path;
            });
  size_t before = items.size();
  std::map<std::string, int64_t> types;
  for (const InnerFolder &inner : folders) {
    for (const std::string &file : inner.listing.files)
      if (isPicture(file))
        items.push_back({joinPath(inner.path, file), path.size() + 1, label});
      else
        ++types[extensionOf(file)];
    for (const std::string &other : inner.listing.folders)
      if (names.size() > 1 &&
          std::binary_search(names.begin(), names.end(), other))
        notes.push_back(joinPath(inner.path, other) +
                        " has the name of a class, but its pictures are taken "
                        "for " +
                        name);
  }
  if (items.size() == before)
    corrupt("the class folder " + path + " holds no pictures" +
            (types.empty() ? std::string()
                           : ", only " + describeLeftOut(types) +
                                 " of types that are not read; convert them to "
                                 "JPEG or PNG"));
  if (!types.empty())
    leftOut.push_back(describeLeftOut(types) + " of " + name);
  if (names.size() > 1)
    return;
  std::string inner = path;
  Listing listing = folders.front().listing;
  while (listing.folders.size() == 1 && listing.pictures() == 0) {
    inner = joinPath(inner, listing.folders.front());
    listing = listFolder(inner);
  }
  if (listing.folders.size() > 1 && listing.pictures() == 0)
    notes.push_back("there is only one class folder, " + path + ", and " +
                    inner + " holds folders (" + listNames(listing.folders) +
                    "); did you mean " + inner + "?");
}

/// Fails unless the name of a class can be written to a config.json and read
/// back.
static void requireText(const std::string &path, const std::string &name) {
  constexpr unsigned char kDelete = 127;
  if (!vit::format::isUtf8(name.data(), name.size()))
    corrupt("the name of the class folder " + path +
            " is not UTF-8, so that it cannot be a label; rename it");
  if (std::any_of(name.begin(), name.end(),
                  [](unsigned char c) { return c < ' ' || c == kDelete; }))
    corrupt("the name of the class folder " + path +
            " holds a line break or another control character; rename it");
}

/// The part to open; null if the folder has no parts. Adds to the notes what is
/// taken in place of something else.
static const FolderParts::Part *choosePart(FolderParts &parts, Split split,
                                           const std::string &folder) {
  if (parts.parts.empty()) {
    if (split != Split::Any)
      fail(VIT_NOT_FOUND, "the folder " + folder +
                              " has no train or test part: leave the split "
                              "out");
    return nullptr;
  }
  std::vector<Split> wanted = {split};
  if (split == Split::Any)
    wanted = {Split::Validation, Split::Test, Split::Train};
  else if (split != Split::Train)
    wanted.push_back(split == Split::Test ? Split::Validation : Split::Test);
  for (Split next : wanted) {
    const FolderParts::Part *part = parts.find(next);
    if (!part)
      continue;
    if (!part->fault.empty())
      corrupt("the " + std::string(nameOf(next)) + " part, " + part->folder +
              ", cannot be used: " + part->fault);
    if (split != Split::Any && next != split)
      parts.notes.push_back("there is no " + std::string(nameOf(split)) +
                            " part; the " + nameOf(next) + " part, " +
                            part->folder + ", takes its place");
    else if (const FolderParts::Part *test =
                 next == Split::Validation ? parts.find(Split::Test) : nullptr)
      parts.notes.push_back("the test part, " + test->folder +
                            ", is not used (--split test)");
    return part;
  }
  fail(VIT_NOT_FOUND, "the data in " + folder + " has no " +
                          (split == Split::Train ? "training" : "test") +
                          " part");
}

std::unique_ptr<Dataset> vit::data::openImageFolder(const std::string &folder,
                                                    Split split) {
  FolderParts parts = findParts(folder);
  if (parts.parts.empty() && parts.classes.empty())
    return nullptr;
  auto dataset = std::make_unique<FolderDataset>();
  const FolderParts::Part *part = choosePart(parts, split, folder);
  dataset->folder = part ? part->folder : parts.folder;
  dataset->split = part ? part->split : Split::Any;
  dataset->notes = parts.notes;
  Listing listing = listFolder(dataset->folder);
  std::vector<std::string> classes = part ? listing.folders : parts.classes;
  // The test part may lack a class: number labels as in the training part.
  const FolderParts::Part *train = part ? parts.find(Split::Train) : nullptr;
  std::vector<std::string> known = train && train->fault.empty()
                                       ? listFolder(train->folder).folders
                                       : classes;
  for (const std::string &name : classes) {
    requireText(joinPath(dataset->folder, name), name);
    auto found = std::lower_bound(known.begin(), known.end(), name);
    if (found == known.end() || *found != name)
      corrupt("a class of the " + std::string(nameOf(part->split)) +
              " part is not in " + train->folder + ": " +
              joinPath(dataset->folder, name));
    dataset->addClass(name, int32_t(found - known.begin()), known);
  }
  if (int64_t loose = listing.pictures())
    dataset->notes.push_back("left out, as they are in no folder of a class: " +
                             std::to_string(loose) + " pictures in " +
                             dataset->folder);
  std::vector<std::string> broken;
  for (const std::string &name : listing.files)
    if (!isFile(joinPath(dataset->folder, name)))
      broken.push_back(name);
  if (!broken.empty())
    dataset->notes.push_back("left out, as they are links to something that "
                             "is missing: " +
                             listNames(broken) + " in " + dataset->folder);
  dataset->noteLeftOut();
  dataset->classNames = std::move(known);
  return dataset;
}
