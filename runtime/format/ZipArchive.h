//===- ZipArchive.h - The directory of a zip file ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As PKWARE's APPNOTE.TXT describes it, with zip64; records must be stored, not
// compressed, so that they can be used where they lie.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_ZIP_ARCHIVE_H
#define VIT_FORMAT_ZIP_ARCHIVE_H

#include "format/Memory.h"

#include <string_view>

namespace vit::format {

/// A file in the archive.
struct ZipRecord {
  std::string_view name; ///< in the archive's memory
  uint64_t begin, size;  ///< bytes of the whole file
};

class ZipArchive {
public:
  /// Whether the file begins as an archive does.
  static bool isZip(const unsigned char *file, uint64_t size);

  /// Reads and checks the directory of a whole file, which must outlive this
  /// object. `name` is for messages: "cannot read NAME: ...". Fails with
  /// VIT_CORRUPT, or with VIT_UNSUPPORTED for compressed or encrypted records.
  /// Check sums are not checked: that would read the whole file.
  vit_status read(const unsigned char *file, uint64_t size, const char *name,
                  const Allocator &allocator, vit_error *error);

  /// Sorted by name.
  const Array<ZipRecord> &records() const { return list; }
  /// Returns the record whose name is `folder` and then `member`, or NULL.
  const ZipRecord *find(std::string_view folder, std::string_view member) const;

private:
  Array<ZipRecord> list;
};

} // namespace vit::format

#endif // VIT_FORMAT_ZIP_ARCHIVE_H
