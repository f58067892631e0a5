//===- MappedFile.h - A file in memory --------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_MAPPED_FILE_H
#define VIT_FORMAT_MAPPED_FILE_H

#include "format/Error.h"
#include "format/MappingGuard.h"

#include <cstdint>

namespace vit::format {

/// A regular file, mapped whole and read only: pages are read when they are
/// first used.
class MappedFile {
public:
  MappedFile() = default;
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile() { close(); }

  /// `what` says in messages what the file is for: "module".
  vit_status open(const char *path, const char *what, vit_error *error);
  void close();

  /// From now on, reading pages that the file has lost meanwhile does not end
  /// the process: see MappingGuard.h. `requireWhole` tells it afterwards.
  void guard();
  /// Fails if a guarded file is shorter than when it was opened, or was at any
  /// time when it was read, or `wasCut`: the same of another mapping of it.
  /// Does nothing for a file that is not open.
  vit_status requireWhole(const char *name, bool wasCut,
                          vit_error *error) const;

  bool isOpen() const { return descriptor >= 0; }
  /// NULL for an empty file.
  const unsigned char *data() const { return memory; }
  uint64_t size() const { return length; }

  /// A second mapping of bytes [offset, offset + size), copy-on-write and at
  /// first read only. NULL where the system refuses.
  unsigned char *mapPrivate(uint64_t offset, uint64_t size) const;

private:
  int descriptor = -1;
  unsigned char *memory = nullptr;
  uint64_t length = 0;
  MappingGuard guarded;
};

/// Tells the system that these mapped pages are not needed for now, so that
/// what was read once does not count as this process's memory.
void forgetPages(const void *data, uint64_t size);

/// Makes these mapped pages ready to be read, if the system can (Linux 5.14).
/// That takes a third of the time of their faults one by one. Nothing happens
/// where it fails: reading them tells.
void readyPages(const void *data, uint64_t size);

} // namespace vit::format

#endif // VIT_FORMAT_MAPPED_FILE_H
