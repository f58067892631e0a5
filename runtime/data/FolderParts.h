//===- FolderParts.h - The parts of an image folder -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_FOLDERPARTS_H
#define VIT_DATA_FOLDERPARTS_H

#include "Dataset.h"

namespace vit::data {

/// What a folder contains, each in byte order. Hidden files and those that
/// operating systems leave behind are skipped.
struct Listing {
  std::vector<std::string> folders, files; ///< Names; links are followed.

  /// The number of files that are pictures.
  int64_t pictures() const;
};
Listing listFolder(const std::string &folder);

/// Decides by the extension, as ImageFolder does, so that a picture that cannot
/// be decoded is an error and not silently skipped.
bool isPicture(const std::string &name);
/// The extension in lower case, with its dot: ".heic"; "" if there is none.
std::string extensionOf(const std::string &name);

/// The folders that hold the parts of a data set.
struct FolderParts {
  struct Part {
    Split split;
    std::string folder; ///< Its folders are the classes.
    std::string fault;  ///< Why it cannot be used; "" if it can.
  };
  std::vector<Part> parts;
  std::string folder;               ///< If there are no parts: of the classes.
  std::vector<std::string> classes; ///< If there are no parts.
  std::vector<std::string> notes;

  /// Null if there is none of that kind; fails if there are two.
  const Part *find(Split split) const;
};

/// Finds the parts in `folder`. A part is never taken for a class: fails where
/// one cannot tell them apart.
FolderParts findParts(const std::string &folder);

/// "a, b, c and 7 more"
std::string listNames(const std::vector<std::string> &names);

} // namespace vit::data

#endif // VIT_DATA_FOLDERPARTS_H
