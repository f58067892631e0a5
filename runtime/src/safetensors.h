//===- safetensors.h - Weight files that modules refer to -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A strict reader of the safetensors format: eight bytes of length, a JSON
// object of tensors, raw data. https://github.com/huggingface/safetensors
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_SAFETENSORS_H
#define VIT_RUNTIME_SAFETENSORS_H

#include "error.h"
#include "memory.h"

#include <cstdint>

namespace vit::runtime {

/// One tensor. `name` is as the header writes it, escapes and all.
struct StoredTensor {
  const char *name;
  uint32_t nameLength;
  int32_t rank;
  char dtype[8];
  int64_t dims[8];
  uint64_t begin, end; ///< bytes of the whole file
};

/// Reads all tensors of a safetensors file. `name` is for messages.
vit_status readSafetensors(const unsigned char *file, uint64_t size,
                           const char *name, const Allocator &allocator,
                           Array<StoredTensor> &tensors, vit_error *error);

/// The tensor called `name`, NULL where there is none.
const StoredTensor *findTensor(const Array<StoredTensor> &tensors,
                               const char *name);

} // namespace vit::runtime

#endif // VIT_RUNTIME_SAFETENSORS_H
