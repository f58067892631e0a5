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

#include "format/ElementType.h"
#include "format/Memory.h"

namespace vit::format {

/// A tensor of a file. The shape and the bytes agree.
struct StoredTensor {
  const char *name; ///< UTF-8, in the header's memory
  ElementType type;
  int32_t rank;
  int64_t dims[VIT_MAX_RANK];
  uint64_t begin, end; ///< bytes of the whole file
};

/// An entry of "__metadata__", UTF-8, in the header's memory.
struct StoredText {
  const char *key, *value;
};

/// What the header of a file says. It does not refer to the file's memory.
class Safetensors {
public:
  /// Reads and checks the header of a whole file. `name` is for messages:
  /// "cannot read NAME: ...". Fails with VIT_CORRUPT, or with VIT_UNSUPPORTED
  /// for types that are unknown and for ranks above VIT_MAX_RANK.
  vit_status read(const unsigned char *file, uint64_t size, const char *name,
                  const Allocator &allocator, vit_error *error);

  /// In order of offset.
  const Array<StoredTensor> &tensors() const { return list; }
  const Array<StoredText> &metadata() const { return texts; }
  /// Returns the tensor called `name` (found by bisection), or NULL.
  const StoredTensor *find(const char *name) const;

private:
  vit_status checkLayout(uint64_t first, uint64_t fileSize, const char *name,
                         vit_error *error);

  Array<StoredTensor> list;
  Array<StoredText> texts;
  Array<const StoredTensor *> byName; ///< sorted
  Array<char> strings;                ///< names, keys and values
};

} // namespace vit::format

#endif // VIT_FORMAT_SAFETENSORS_H
