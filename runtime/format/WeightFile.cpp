//===- WeightFile.cpp - A file of weights, of any format that is read -----===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/WeightFile.h"

namespace vit::format {

vit_status WeightFile::read(const unsigned char *file, uint64_t size,
                            const char *name, const Allocator &allocator,
                            vit_error *error) {
  // The length of a safetensors header may look like the beginning of a pickle.
  isTorch = TorchFile::isTorch(file, size) && (size < 9 || file[8] != '{');
  return isTorch ? torch.read(file, size, name, allocator, error)
                 : safe.read(file, size, name, allocator, error);
}

} // namespace vit::format
