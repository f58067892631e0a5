//===- FolderParts.cpp - The parts of an image folder ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FolderParts.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <iterator>

using namespace vit::data;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

namespace {
struct PartWord {
  std::string_view word;
  Split split;
};
} // namespace

/// The words by which people name the parts of a data set.
static constexpr PartWord partWords[] = {
    {"train", Split::Train},
    {"training", Split::Train},
    {"trn", Split::Train},
    {"trainval", Split::Train},
    {"val", Split::Validation},
    {"valid", Split::Validation},
    {"validation", Split::Validation},
    {"validate", Split::Validation},
    {"vld", Split::Validation},
    {"dev", Split::Validation},
    {"test", Split::Test},
    {"testing", Split::Test},
    {"tst", Split::Test},
    {"eval", Split::Test},
    {"evaluation", Split::Test},
    {"holdout", Split::Test},
};

/// Words beside them that say nothing of the part: "seg_train", "Test Set".
static constexpr std::string_view fillerWords[] = {
    "seg", "set",  "data",     "dataset", "images", "image", "imgs",
    "img", "part", "pictures", "photos",  "split",  "folder"};

/// What names of parts hold that are not understood: "train1", "X-test".
static constexpr std::string_view likelyPieces[] = {"train", "val", "test",
                                                    "fold", "split"};
static constexpr std::string_view likelyNames[] = {"tr", "va", "vl", "te",
                                                   "ts"};

/// What operating systems and tools leave in folders.
static constexpr std::string_view systemNames[] = {
    "thumbs.db",  "desktop.ini",  "__macosx",    "@eadir",
    "lost+found", "$recycle.bin", "__pycache__", "system volume information"};

static constexpr std::string_view pictureExtensions[] = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".bmp"};

/// What "train" may be written together with: "trainset", "valimages".
static constexpr std::string_view gluedWords[] = {"set", "data", "images",
                                                  "imgs"};

template <typename Table>
static bool contains(const Table &table, std::string_view text) {
  return std::find(std::begin(table), std::end(table), text) != std::end(table);
}

static std::string toLower(std::string text) {
  for (char &c : text)
    c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return text;
}

static std::vector<std::string> wordsOf(const std::string &name) {
  std::vector<std::string> words(1);
  for (char c : toLower(name))
    if (c == '_' || c == '-' || c == ' ' || c == '.')
      words.emplace_back();
    else
      words.back() += c;
  words.erase(std::remove(words.begin(), words.end(), ""), words.end());
  return words;
}

static size_t digitsAtEnd(const std::string &word) {
  size_t last = word.find_last_not_of("0123456789");
  return word.size() - (last == std::string::npos ? 0 : last + 1);
}

/// The part that a word without capitals names, perhaps with a year at its end
/// ("val2017"); Any if it names none.
static Split splitOf(std::string word) {
  if (digitsAtEnd(word) == 4)
    word.resize(word.size() - 4);
  auto find = [](std::string_view name) {
    auto found =
        std::find_if(std::begin(partWords), std::end(partWords),
                     [&](const PartWord &known) { return known.word == name; });
    return found == std::end(partWords) ? Split::Any : found->split;
  };
  Split split = find(word);
  for (std::string_view glued : gluedWords)
    if (split == Split::Any && word.size() > glued.size() &&
        word.compare(word.size() - glued.size(), glued.size(), glued) == 0)
      split =
          find(std::string_view(word).substr(0, word.size() - glued.size()));
  return split;
}

static bool isFiller(const std::string &name) {
  for (const std::string &word : wordsOf(name))
    if (!contains(fillerWords, word))
      return false;
  return true;
}

/// Whether the name may be meant as that of a part.
static bool mayBePart(const std::string &name) {
  std::string lower = toLower(name);
  return contains(likelyNames, lower) ||
         std::any_of(std::begin(likelyPieces), std::end(likelyPieces),
                     [&](std::string_view piece) {
                       return lower.find(piece) != std::string::npos;
                     });
}

const char *vit::data::nameOf(Split split) {
  switch (split) {
  case Split::Any:
    return "";
  case Split::Train:
    return "train";
  case Split::Test:
    return "test";
  case Split::Validation:
    return "validation";
  }
  return "";
}

Split vit::data::parseSplit(const std::string &name) {
  Split result = Split::Any;
  std::vector<std::string> words = wordsOf(name);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string &word = words[i];
    // "01_train", "val 2017"
    size_t digits = digitsAtEnd(word);
    bool isNumber = digits == word.size() && (i == 0 || digits == 4);
    if (isNumber || contains(fillerWords, word))
      continue;
    Split split = splitOf(word);
    if (split == Split::Any || result != Split::Any)
      return Split::Any;
    result = split;
  }
  return result;
}

std::string vit::data::listNames(const std::vector<std::string> &names) {
  constexpr size_t most = 10;
  std::string text;
  for (size_t i = 0; i < names.size() && i < most; ++i)
    text += (i ? ", " : "") + names[i];
  if (names.size() > most)
    text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

std::string vit::data::extensionOf(const std::string &name) {
  size_t dot = name.rfind('.');
  return dot == std::string::npos || dot == 0 ? "" : toLower(name.substr(dot));
}

bool vit::data::isPicture(const std::string &name) {
  return contains(pictureExtensions, extensionOf(name));
}

int64_t Listing::pictures() const {
  return std::count_if(files.begin(), files.end(), isPicture);
}

Listing vit::data::listFolder(const std::string &folder) {
  DIR *handle = opendir(folder.c_str());
  if (!handle)
    fail(VIT_IO_ERROR,
         "cannot read the folder " + folder + ": " + std::strerror(errno));
  std::unique_ptr<DIR, int (*)(DIR *)> closer(handle, closedir);
  Listing listing;
  while (const dirent *entry = readdir(handle)) {
    std::string name = entry->d_name;
    if (name[0] == '.' || contains(systemNames, toLower(name)))
      continue;
    // Ask the file system only where the entry does not say what it is.
    bool isInner =
        entry->d_type == DT_DIR ||
        (entry->d_type != DT_REG && isFolder(joinPath(folder, name)));
    (isInner ? listing.folders : listing.files).push_back(std::move(name));
  }
  std::sort(listing.folders.begin(), listing.folders.end());
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

const FolderParts::Part *FolderParts::find(Split split) const {
  const Part *found = nullptr;
  for (const Part &part : parts) {
    if (part.split != split)
      continue;
    if (found)
      corrupt("there are two folders for the " + std::string(nameOf(split)) +
              " part, " + found->folder + " and " + part.folder +
              "; give the folder of classes itself");
    found = &part;
  }
  return found;
}

/// The folder of the classes of a part: often there is one of the same name, or
/// "images", in the part.
static std::string descendPart(std::string folder, Split split) {
  for (int depth = 0; depth < 4; ++depth) {
    Listing inner = listFolder(folder);
    if (inner.folders.size() != 1 || inner.pictures() > 0)
      break;
    const std::string &only = inner.folders.front();
    if (parseSplit(only) != split && !isFiller(only))
      break;
    if (listFolder(joinPath(folder, only)).folders.empty())
      break;
    folder = joinPath(folder, only);
  }
  return folder;
}

static bool hasParts(const std::string &folder) {
  for (const std::string &name : listFolder(folder).folders)
    if (parseSplit(name) != Split::Any)
      return true;
  return false;
}

namespace {
/// Sorts the folders in one folder into parts and others.
class PartFinder {
public:
  explicit PartFinder(const std::string &folder)
      : folder(folder), listing(listFolder(folder)) {
    for (const std::string &name : listing.folders)
      add(name);
    for (const std::string &name : listing.files)
      if (parseSplit(name) != Split::Any && !isFile(joinPath(folder, name)))
        result.parts.push_back({parseSplit(name), joinPath(folder, name),
                                "it is a link to something that is missing"});
  }

  FolderParts finish() {
    result.folder = folder;
    if (!result.parts.empty()) {
      if (!others.empty())
        result.notes.push_back("not used, as they are in no part: " +
                               listNames(pathsOf(others)));
    } else if (others.empty() && !unlabelled.empty()) {
      corrupt(joinPath(folder, unlabelled.front()) +
              " holds pictures, but no folder for each class, so they have no "
              "labels");
    } else {
      refuseLikelyParts();
      takeClasses();
    }
    if (!unlabelled.empty())
      result.notes.push_back(
          "not used, as the pictures are in no folder of a class and so have "
          "no labels: " +
          listNames(pathsOf(unlabelled)));
    return std::move(result);
  }

  bool isEmpty() const { return result.parts.empty() && unlabelled.empty(); }
  const std::vector<std::string> &getOthers() const { return others; }

private:
  void add(const std::string &name) {
    Split split = parseSplit(name);
    if (split == Split::Any) {
      others.push_back(name);
      return;
    }
    std::string path = joinPath(folder, name);
    Listing inner = listFolder(path);
    if (!inner.folders.empty()) {
      result.parts.push_back({split, descendPart(path, split), ""});
    } else if (inner.pictures() > 0) {
      unlabelled.push_back(name);
    } else {
      std::string fault = "it holds no pictures";
      result.parts.push_back({split, path, fault});
    }
  }

  /// Fails if two folders that would become classes look like parts: their
  /// names may be meant so, and they hold folders of the same names.
  void refuseLikelyParts() const {
    const std::string *first = nullptr;
    std::vector<std::string> classes;
    for (const std::string &name : others) {
      if (!mayBePart(name))
        continue;
      Listing inner = listFolder(joinPath(folder, name));
      if (inner.folders.empty() || inner.pictures() > 0)
        continue;
      std::vector<std::string> shared;
      std::set_intersection(classes.begin(), classes.end(),
                            inner.folders.begin(), inner.folders.end(),
                            std::back_inserter(shared));
      if (first && !shared.empty())
        corrupt(joinPath(folder, *first) + " and " + joinPath(folder, name) +
                " hold folders of the same names (" + listNames(shared) +
                "), as the parts of a data set do; call them train, val or "
                "test, or give the folder of classes itself");
      first = &name;
      classes = inner.folders;
    }
  }

  /// All folders are classes, but for unlabelled parts. A training part has
  /// labels, so that "train" among other folders of pictures is a vehicle.
  void takeClasses() {
    result.classes = others;
    auto train = std::find(unlabelled.begin(), unlabelled.end(), "train");
    if (train == unlabelled.end())
      return;
    result.classes.push_back(*train);
    unlabelled.erase(train);
    std::sort(result.classes.begin(), result.classes.end());
    result.notes.push_back(joinPath(folder, "train") +
                           " is taken for a class, as it holds pictures "
                           "beside other folders of pictures");
  }

  std::vector<std::string> pathsOf(const std::vector<std::string> &names) {
    std::vector<std::string> paths;
    paths.reserve(names.size());
    for (const std::string &name : names)
      paths.push_back(joinPath(folder, name));
    return paths;
  }

  std::string folder;
  Listing listing;
  FolderParts result;
  std::vector<std::string> others, unlabelled;
};
} // namespace

FolderParts vit::data::findParts(const std::string &folder) {
  PartFinder finder(folder);
  if (!finder.isEmpty())
    return finder.finish();
  // The parts may be in one of the folders.
  std::vector<std::string> inner, rest;
  for (const std::string &name : finder.getOthers())
    (hasParts(joinPath(folder, name)) ? inner : rest)
        .push_back(joinPath(folder, name));
  // "labels" beside "images" has parts, too, but no pictures to look at.
  if (inner.size() == 1) {
    FolderParts parts = PartFinder(inner.front()).finish();
    if (!parts.parts.empty()) {
      if (!rest.empty())
        parts.notes.push_back("not used, as they are in no part: " +
                              listNames(rest));
      return parts;
    }
  }
  for (const std::string &name : inner)
    if (!PartFinder(name).finish().parts.empty())
      corrupt(name +
              " holds parts of a data set and is taken for a class; "
              "what is expected is " +
              joinPath(folder, "PART/CLASS/PICTURE"));
  return finder.finish();
}
