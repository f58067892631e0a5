//===- Weights.h - Tensors in safetensors files -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_WEIGHTS_H
#define VIT_DATA_WEIGHTS_H

#include "Support.h"

#include <map>
#include <unordered_map>

namespace vit::data {

/// A tensor as the header of a file describes it.
struct StoredTensor {
  std::string name;
  const char *dtypeName = nullptr;
  int32_t dtype = -1; ///< vit_dtype, or -1
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0; ///< In the file.
};

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors; ///< In order of offset.
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of a whole .safetensors file. Messages do not
/// name the file.
SafetensorsHeader parseSafetensors(Bytes file);

} // namespace vit::data

#endif // VIT_DATA_WEIGHTS_H
