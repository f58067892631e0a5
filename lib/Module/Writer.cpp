//===- Writer.cpp - From compiled levels to a .vitm file ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Module/Writer.h"

#include "Describe.h"
#include "OutputFile.h"

#include "format.h"
#include "hash.h"

#include "llvm/Support/Path.h"

#include <cstring>

using namespace mlir;
using namespace mlir::vit;
namespace runtime = ::vit::runtime;

/// The metadata as bytes. Scalars that happen to be zero are written too, so
/// that the length does not depend on hashes.
static flatbuffers::DetachedBuffer pack(const schema::ModuleT &metadata) {
  flatbuffers::FlatBufferBuilder builder(1 << 16);
  builder.ForceDefaults(true);
  builder.Finish(schema::Module::Pack(builder, &metadata),
                 schema::ModuleIdentifier());
  return builder.Release();
}

/// Gives each segment its place. Returns their size in all.
static uint64_t placeSegments(std::vector<PendingSegment> &segments) {
  uint64_t end = 0;
  for (PendingSegment &segment : segments) {
    // What does not share a page with its neighbour can be mapped alone.
    uint64_t alignment = segment.size >= runtime::kPageSize
                             ? runtime::kPageSize
                             : runtime::kSegmentAlignment;
    end = runtime::alignUp(end, std::max(alignment, segment.alignment));
    *segment.place = schema::Segment(end, segment.size);
    end += segment.size;
  }
  return end;
}

LogicalResult mlir::vit::writeModule(ArrayRef<CompiledLevel> levels,
                                     const Weights &weights,
                                     const WriterOptions &options,
                                     StringRef path, std::string &error) {
  Describer describer(weights, error);
  if (failed(describer.describe(levels, options.parameters,
                                llvm::sys::path::parent_path(path))))
    return failure();
  ModuleDescription &description = describer.getResult();

  uint64_t segmentsSize = placeSegments(description.segments);
  uint64_t metadataSize = pack(description.metadata).size();
  if (metadataSize >= runtime::kMaxMetadataSize) {
    error = "the module's description is too large for a .vitm file";
    return failure();
  }
  uint64_t segmentsOffset = runtime::alignUp(
      sizeof(runtime::FileHeader) + metadataSize, runtime::kPageSize);

  OutputFile file(path, error);
  if (!file.open())
    return failure();
  std::vector<char> bytes;
  for (PendingSegment &segment : description.segments) {
    bytes.assign(segment.size, 0);
    if (failed(segment.produce(bytes, error)) ||
        !file.write(segmentsOffset + segment.place->offset(), bytes))
      return failure();
    if (segment.hash)
      *segment.hash = runtime::hash64(bytes.data(), bytes.size());
  }

  flatbuffers::DetachedBuffer metadata = pack(description.metadata);
  if (metadata.size() != metadataSize) {
    error = "the size of the module's description changed while it was written";
    return failure();
  }
  runtime::FileHeader header = {};
  std::memcpy(header.magic, runtime::kMagic, sizeof(header.magic));
  header.formatVersion = runtime::kFormatVersion;
  header.fileSize = segmentsOffset + segmentsSize;
  header.metadataOffset = sizeof(header);
  header.metadataSize = metadata.size();
  header.metadataHash = runtime::hash64(metadata.data(), metadata.size());
  header.segmentsOffset = segmentsOffset;
  header.segmentsSize = segmentsSize;
  ArrayRef<char> headerBytes(reinterpret_cast<const char *>(&header),
                             sizeof(header));
  ArrayRef<char> metadataBytes(reinterpret_cast<const char *>(metadata.data()),
                               metadata.size());
  if (!file.write(0, headerBytes) ||
      !file.write(header.metadataOffset, metadataBytes) ||
      !file.commit(header.fileSize))
    return failure();
  return success();
}
