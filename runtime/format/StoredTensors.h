//===- StoredTensors.h - What a file of weights holds -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_STORED_TENSORS_H
#define VIT_FORMAT_STORED_TENSORS_H

#include "format/ElementType.h"
#include "format/Memory.h"

namespace vit::format {

/// A tensor of a file, row-major. The shape and the bytes agree.
struct StoredTensor {
  const char *name; ///< UTF-8, in the memory of the StoredTensors
  ElementType type;
  int32_t rank;
  int64_t dims[VIT_MAX_RANK];
  uint64_t begin, end; ///< bytes of the whole file, or of `copy`
  /// Not NULL: the elements do not lie one after the other in the file; this is
  /// a copy of them, in the memory of the StoredTensors.
  const unsigned char *copy;

  /// The elements, not always aligned. `file` is the whole file.
  const unsigned char *data(const unsigned char *file) const {
    return (copy ? copy : file) + begin;
  }
};

/// An entry of a file's metadata, UTF-8, in the memory of the StoredTensors.
struct StoredText {
  const char *key, *value;
};

/// The tensors of a file, by name. Does not refer to the file's memory.
class StoredTensors {
public:
  /// In order of offset; in a PyTorch file, of its state dict.
  const Array<StoredTensor> &tensors() const { return list; }
  const Array<StoredText> &metadata() const { return texts; }
  /// Returns the tensor called `name` (found by bisection), or NULL.
  const StoredTensor *find(const char *name) const;

protected:
  /// Prepares `find`. Fails with VIT_CORRUPT if a name is there twice; `name`
  /// is that of the file.
  vit_status indexNames(const char *name, const Allocator &allocator,
                        vit_error *error);

  Array<StoredTensor> list;
  Array<StoredText> texts;
  Array<char> strings; ///< names, keys and values

private:
  Array<const StoredTensor *> byName; ///< sorted
};

} // namespace vit::format

#endif // VIT_FORMAT_STORED_TENSORS_H
