//===- Safetensors.h - The header of a safetensors file ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A strict reader of https://github.com/huggingface/safetensors: eight bytes of
// length, little-endian; that much JSON; the tensors, one after the other
// without gaps. The JSON maps each name to {"dtype", "shape", "data_offsets"},
// and "__metadata__" to an object of strings.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_SAFETENSORS_H
#define VIT_FORMAT_SAFETENSORS_H

#include "format/StoredTensors.h"

namespace vit::format {

/// What the header of a file says.
class Safetensors : public StoredTensors {
public:
  /// Reads and checks the header of a whole file. `name` is for messages:
  /// "cannot read NAME: ...". Fails with VIT_CORRUPT, or with VIT_UNSUPPORTED
  /// for types that are unknown and for ranks above VIT_MAX_RANK.
  vit_status read(const unsigned char *file, uint64_t size, const char *name,
                  const Allocator &allocator, vit_error *error);

private:
  vit_status checkLayout(uint64_t first, uint64_t fileSize, const char *name,
                         const Allocator &allocator, vit_error *error);
};

} // namespace vit::format

#endif // VIT_FORMAT_SAFETENSORS_H
