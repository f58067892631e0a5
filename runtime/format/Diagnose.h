//===- Diagnose.h - What a file is that cannot be read ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For the messages of readers: what usually stands in the place of a file that
// is not of the expected format, and why a file cannot be opened.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_DIAGNOSE_H
#define VIT_FORMAT_DIAGNOSE_H

#include <cstddef>
#include <cstdint>

namespace vit::format {

/// What the first bytes of a file show it to be.
struct Contents {
  /// A clause without a period, with the remedy where there is one: "it is a
  /// Git LFS pointer, not the file itself: `git lfs pull` fetches the file".
  /// NULL: nothing known.
  const char *text = nullptr;
  bool isPicture = false;
};

/// Recognises what is not of the format that a reader expects. `size` is that
/// of the whole file; `data` may be NULL if it is 0.
Contents recognise(const void *data, uint64_t size);

/// Why `path` cannot be opened: "it is a link to TARGET, which does not exist",
/// or the text of `code`, the errno of the failed call. Writes to `buffer` and
/// returns it.
const char *explainNotOpened(const char *path, int code, char *buffer,
                             size_t size);

} // namespace vit::format

#endif // VIT_FORMAT_DIAGNOSE_H
