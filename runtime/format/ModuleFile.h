//===- ModuleFile.h - The frame of a .vitm file -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What comes before the FlatBuffers metadata, shared by the compiler's writer
// and the runtime's loader. All numbers are little-endian. A file is
//
//   header    64 bytes, below
//   metadata  a FlatBuffer of runtime/schema/module.fbs, right after it
//   zeros     up to a multiple of 4096
//   segments  code and weights, at the offsets that the metadata gives
//
// docs/module-format.md describes it for readers of other languages.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_MODULE_FILE_H
#define VIT_FORMAT_MODULE_FILE_H

#include "format/Alignment.h"

namespace vit::format {

/// The first bytes of every module.
inline constexpr char kMagic[8] = {'V', 'I', 'T', 'M', 'O', 'D', 'U', 'L'};
/// Counts up when older runtimes could not read a newer file any more. Version
/// 3 gave derived forms and constants an element type, which is F32 in older
/// ones.
inline constexpr uint32_t kFormatVersion = 4;
/// The oldest version that is still read.
inline constexpr uint32_t kOldestVersion = 2;

/// Segments start at a multiple of this, so that they can be mapped.
inline constexpr uint64_t kPageSize = 4096;
/// Larger metadata is refused.
inline constexpr uint64_t kMaxMetadataSize = uint64_t(1) << 30;

struct FileHeader {
  char magic[8];           ///< kMagic
  uint32_t formatVersion;  ///< kOldestVersion to kFormatVersion
  uint32_t flags;          ///< 0
  uint64_t fileSize;       ///< of the whole file
  uint64_t metadataOffset; ///< sizeof(FileHeader)
  uint64_t metadataSize;   ///< at least 16, below kMaxMetadataSize
  uint64_t metadataHash;   ///< hash64 of the metadata
  uint64_t segmentsOffset; ///< end of the metadata, up to a whole page
  uint64_t segmentsSize;   ///< to the end of the file
};
static_assert(sizeof(FileHeader) == 64, "the header has no padding");

} // namespace vit::format

#endif // VIT_FORMAT_MODULE_FILE_H
