//===- AtomicFile.h - A file that appears whole or not at all ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_ATOMIC_FILE_H
#define VIT_FORMAT_ATOMIC_FILE_H

#include "format/Error.h"

#include <climits>
#include <cstdint>
#include <sys/types.h>

namespace vit::format {

/// Writes to a temporary file in the folder of the target; `commit` brings it
/// to the disk and renames it. Devices and pipes (/dev/stdout) are written
/// directly, and so are files without a name (/proc/self/fd/N of a
/// memfd_create), which nothing can replace. Every failure is VIT_IO_ERROR,
/// "cannot write PATH: ...".
class AtomicFile {
public:
  AtomicFile() = default;
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  /// Removes what was not committed.
  ~AtomicFile();

  vit_status open(const char *path, vit_error *error, mode_t mode = 0666);
  /// Whether writes go to a device or a pipe and not to a temporary file.
  bool isDevice() const { return temporary[0] == 0 && !isNameless; }

  /// Appends.
  vit_status write(const void *data, size_t size, vit_error *error);
  /// Writes at `offset`; regular files only. Gaps are zero.
  vit_status writeAt(uint64_t offset, const void *data, size_t size,
                     vit_error *error);
  /// Cuts the file to `size` bytes or appends zeros.
  vit_status resize(uint64_t size, vit_error *error);

  vit_status commit(vit_error *error);

private:
  vit_status failWith(int code, vit_error *error) const;

  char target[PATH_MAX] = "";
  char temporary[PATH_MAX + 64] = "";
  int descriptor = -1;
  bool isNameless = false;
};

/// Brings the names in a folder to the disk. Not every file system can do that;
/// this is no failure.
vit_status syncFolder(const char *path, vit_error *error);

} // namespace vit::format

#endif // VIT_FORMAT_ATOMIC_FILE_H
