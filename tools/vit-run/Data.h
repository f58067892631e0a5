//===- Data.h - Data sets given by options ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_DATA_H
#define VIT_TOOLS_DATA_H

#include "Support.h"

namespace vit::tools {

/// A part of a data set, as given by options.
struct DataRequest {
  std::string path;
  std::string split;       ///< Empty: the test part if there is one.
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

/// The test part that belongs to the training data of `request`; null if there
/// is none.
DatasetHandle findTestPart(const DataRequest &request);

std::vector<std::string> classNames(const vit_dataset *dataset);

} // namespace vit::tools

#endif // VIT_TOOLS_DATA_H
