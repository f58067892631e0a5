//===- ZipArchive.cpp - The directory of a zip file -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/ZipArchive.h"

#include "format/Error.h"

#include <algorithm>

namespace vit::format {

namespace {

// Sizes of the fixed parts of the structures.
constexpr uint64_t kLocal = 30, kCentral = 46, kEnd = 22, kLocator = 20,
                   kEnd64 = 56;

/// Where the directory lies.
struct Directory {
  uint64_t begin, size, records;
};

class ZipReader {
public:
  ZipReader(const unsigned char *file, uint64_t size, const char *name,
            vit_error *error)
      : file(file), size(size), name(name), error(error) {}

  vit_status findDirectory();
  /// Reads the record at `position` of the directory and moves on.
  vit_status readRecord(uint64_t &position, ZipRecord &record);

  Directory directory = {};

private:
  /// Little-endian.
  uint64_t number(uint64_t at, int width) const {
    uint64_t value = 0;
    for (int i = 0; i < width; ++i)
      value |= uint64_t(file[at + uint64_t(i)]) << (8 * i);
    return value;
  }
  bool isAt(uint64_t at, uint64_t length, uint32_t signature) const {
    return length <= size && at <= size - length && number(at, 4) == signature;
  }
  std::string_view text(uint64_t at, uint64_t length) const {
    return {reinterpret_cast<const char *>(file) + at, size_t(length)};
  }
  vit_status damaged(const char *what) {
    return fail(error, VIT_CORRUPT, "cannot read %s: the zip archive %s", name,
                what);
  }
  vit_status readExtra(uint64_t at, uint64_t length, ZipRecord &record,
                       uint64_t &stored, uint64_t &local);

  const unsigned char *file;
  uint64_t size;
  const char *name;
  vit_error *error;
};

} // namespace

/// The directory's place stands at the end of the file, before a comment.
vit_status ZipReader::findDirectory() {
  constexpr uint32_t endSignature = 0x06054b50, locatorSignature = 0x07064b50,
                     end64Signature = 0x06064b50;
  uint64_t end = size;
  for (uint64_t comment = 0; comment <= 0xffff && kEnd + comment <= size;
       ++comment)
    if (uint64_t at = size - kEnd - comment;
        isAt(at, kEnd, endSignature) && number(at + 20, 2) == comment) {
      end = at;
      break;
    }
  if (end == size)
    return damaged("has no directory: the file is truncated; download it "
                   "again");
  directory = {number(end + 16, 4), number(end + 12, 4), number(end + 10, 2)};
  bool isSplit = number(end + 4, 2) != 0 || number(end + 6, 2) != 0;
  if (end >= kLocator && isAt(end - kLocator, kLocator, locatorSignature)) {
    uint64_t at = number(end - kLocator + 8, 8);
    if (!isAt(at, kEnd64, end64Signature))
      return damaged("is damaged or truncated");
    directory = {number(at + 48, 8), number(at + 40, 8), number(at + 32, 8)};
    isSplit = number(at + 16, 4) != 0 || number(at + 20, 4) != 0;
  }
  if (isSplit)
    return damaged("is one part of several");
  if (directory.begin > end || directory.size > end - directory.begin ||
      directory.records > directory.size / kCentral)
    return damaged("is damaged or truncated");
  return VIT_OK;
}

/// Values that do not fit 32 bits stand in the extra field of zip64.
vit_status ZipReader::readExtra(uint64_t at, uint64_t length, ZipRecord &record,
                                uint64_t &stored, uint64_t &local) {
  constexpr uint64_t zip64 = 1, missing = 0xffffffff;
  while (length >= 4) {
    uint64_t kind = number(at, 2), part = number(at + 2, 2);
    at += 4, length -= 4;
    if (part > length)
      return damaged("is damaged");
    length -= part;
    uint64_t next = at;
    at += part;
    if (kind != zip64)
      continue;
    for (uint64_t *value : {&record.size, &stored, &local})
      if (*value == missing) {
        if (part < 8)
          return damaged("is damaged");
        *value = number(next, 8);
        next += 8, part -= 8;
      }
    return VIT_OK;
  }
  return VIT_OK;
}

vit_status ZipReader::readRecord(uint64_t &position, ZipRecord &record) {
  constexpr uint32_t centralSignature = 0x02014b50, localSignature = 0x04034b50;
  uint64_t end = directory.begin + directory.size, at = position;
  if (kCentral > end - at || !isAt(at, kCentral, centralSignature))
    return damaged("is damaged");
  uint64_t nameSize = number(at + 28, 2), extra = number(at + 30, 2),
           comment = number(at + 32, 2), stored = number(at + 20, 4),
           local = number(at + 42, 4);
  if (nameSize + extra + comment > end - at - kCentral)
    return damaged("is damaged");
  position = at + kCentral + nameSize + extra + comment;
  record.name = text(at + kCentral, nameSize);
  record.size = number(at + 24, 4);
  VIT_TRY(readExtra(at + kCentral + nameSize, extra, record, stored, local));
  bool isEncrypted = number(at + 8, 2) & 1;
  if (number(at + 10, 2) != 0 || isEncrypted)
    return fail(error, VIT_UNSUPPORTED,
                "cannot read %s: record %.*s of the zip archive is %s, which "
                "torch.save does not do; save it again with torch.save",
                name, int(record.name.size()), record.name.data(),
                isEncrypted ? "encrypted" : "compressed");
  if (!isAt(local, kLocal, localSignature))
    return damaged("is damaged");
  // The local header has a name and an extra field of its own.
  uint64_t header = kLocal + number(local + 26, 2) + number(local + 28, 2);
  if (number(local + 26, 2) != nameSize || header > size - local ||
      text(local + kLocal, nameSize) != record.name)
    return damaged("is damaged");
  record.begin = local + header;
  if (stored != record.size || record.begin > directory.begin ||
      record.size > directory.begin - record.begin)
    return damaged("is damaged");
  return VIT_OK;
}

bool ZipArchive::isZip(const unsigned char *file, uint64_t size) {
  return size >= 4 && std::memcmp(file, "PK\3\4", 4) == 0;
}

vit_status ZipArchive::read(const unsigned char *file, uint64_t size,
                            const char *name, const Allocator &allocator,
                            vit_error *error) {
  ZipReader reader(file, size, name, error);
  VIT_TRY(reader.findDirectory());
  size_t records = size_t(reader.directory.records);
  if (!list.allocate(allocator, records))
    return outOfMemory(error, records * sizeof(ZipRecord),
                       "the directory of a zip archive");
  uint64_t position = reader.directory.begin;
  for (ZipRecord &record : list)
    VIT_TRY(reader.readRecord(position, record));
  std::sort(
      list.begin(), list.end(),
      [](const ZipRecord &a, const ZipRecord &b) { return a.name < b.name; });
  for (size_t i = 1; i < records; ++i)
    if (list[i - 1].name == list[i].name)
      return fail(error, VIT_CORRUPT,
                  "cannot read %s: the zip archive has %.*s twice", name,
                  int(list[i].name.size()), list[i].name.data());
  return VIT_OK;
}

/// Compares `a` with `folder` and then `member`.
static int compare(std::string_view a, std::string_view folder,
                   std::string_view member) {
  size_t common = std::min(a.size(), folder.size());
  std::string_view head = a, tail = a;
  head.remove_suffix(a.size() - common);
  tail.remove_prefix(common);
  int order = head.compare(folder);
  return order ? order : tail.compare(member);
}

const ZipRecord *ZipArchive::find(std::string_view folder,
                                  std::string_view member) const {
  const ZipRecord *found =
      std::lower_bound(list.begin(), list.end(), member,
                       [&](const ZipRecord &record, std::string_view) {
                         return compare(record.name, folder, member) < 0;
                       });
  return found != list.end() && compare(found->name, folder, member) == 0
             ? found
             : nullptr;
}

} // namespace vit::format
