//===- WeightFile.h - A file of weights, of any format that is read -*- C++ -*//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_WEIGHT_FILE_H
#define VIT_FORMAT_WEIGHT_FILE_H

#include "format/Safetensors.h"
#include "format/TorchFile.h"

namespace vit::format {

/// The tensors of a safetensors file or of one that torch.save wrote. Which it
/// is its content says, not its name.
class WeightFile {
public:
  /// As Safetensors::read and TorchFile::read.
  vit_status read(const unsigned char *file, uint64_t size, const char *name,
                  const Allocator &allocator, vit_error *error);

  const StoredTensors &stored() const {
    return isTorch ? static_cast<const StoredTensors &>(torch) : safe;
  }
  /// What the user should know of what was read, or NULL.
  const char *note() const { return torch.note(); }

private:
  bool isTorch = false;
  Safetensors safe;
  TorchFile torch;
};

} // namespace vit::format

#endif // VIT_FORMAT_WEIGHT_FILE_H
