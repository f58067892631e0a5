//===- Data.h - Data sets given by options ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_DATA_H
#define VIT_TOOLS_DATA_H

#include "Support.h"

#include <nlohmann/json.hpp>

#include <set>

namespace vit::tools {

/// A part of a data set, as given by options.
struct DataRequest {
  std::string path;
  std::string split;       ///< Empty: validation, else test, else all.
  std::string range;       ///< "FIRST..LAST", counted from 0, inclusive.
  std::string rangeOption; ///< The option for messages: "--range".
  bool orient = false;     ///< Apply the EXIF orientation.
};

/// Throws if it is missing, damaged or empty.
DatasetHandle openData(const DataRequest &request);

/// The training data: the split of `request`, or, if it has none, the training
/// part, or all of a folder without parts. A test part is used for training
/// only on request.
DatasetHandle openTrainingData(const DataRequest &request);

/// The validation part that belongs to the training data of `request`, or else
/// its test part; null if there is none. Throws if there is one with a fault.
DatasetHandle findTestPart(const DataRequest &request);

std::vector<std::string> classNames(const vit_dataset *dataset);

/// The number of pictures of each class.
std::vector<int64_t> countClasses(const vit_dataset *dataset);

/// Prints a warning if pictures of exactly the size of the model's input are
/// resized and cropped all the same. Looks at the first one.
void warnOfResizing(const vit_dataset *dataset,
                    const vit_preprocessing &preprocessing);

/// Prints to standard error what the data is, "`verb` 12 pictures of 3 classes
/// in data/train", and what was left out of it. `printed`: the notes so far,
/// which are not repeated.
void printData(const std::string &verb, const vit_dataset *dataset,
               std::set<std::string> &printed);

/// What the data is, wherever it lies: {"pictures", "classes": {name: number of
/// pictures}, "hash"}.
nlohmann::ordered_json describeData(const vit_dataset *dataset);

/// "the data had 12 pictures and has 13 (dots: 2 and 3)"; empty if both
/// are the same. A path, which older versions recorded, cannot be compared and
/// is the same as anything.
std::string compareData(const nlohmann::ordered_json &was,
                        const nlohmann::ordered_json &is);

} // namespace vit::tools

#endif // VIT_TOOLS_DATA_H
