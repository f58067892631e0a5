//===- Data.h - Data sets that options name ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_DATA_H
#define VIT_TOOLS_DATA_H

#include "Support.h"

namespace vit::tools {

/// A part of a data set, as options ask for it.
struct DataRequest {
  std::string path;
  std::string split;       ///< Empty: the test part where there is one.
  std::string range;       ///< "FIRST..LAST", counted from 0, both included.
  std::string rangeOption; ///< What messages call it: "--range".
  bool orient = false;     ///< As the EXIF tag says.
};

/// Throws where it is not there, damaged or empty.
DatasetHandle openData(const DataRequest &request);

/// The data to train on: what `request` asks for or, where it names no split,
/// the training part, or the whole of a folder that has no parts. A test part
/// is trained on only where the request names it.
DatasetHandle openTrainingData(const DataRequest &request);

/// The test part that belongs to training data in `request`; null where there
/// is none.
DatasetHandle findTestPart(const DataRequest &request);

std::vector<std::string> classNames(const vit_dataset *dataset);

} // namespace vit::tools

#endif // VIT_TOOLS_DATA_H
