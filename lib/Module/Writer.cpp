//===- Writer.cpp - From compiled levels to a .vitm file ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Module/Writer.h"

#include "Describe.h"

#include "format/AtomicFile.h"
#include "format/Hash.h"
#include "format/ModuleFile.h"

#include "llvm/Support/Path.h"

#include <cstring>

using namespace mlir;
using namespace mlir::vit;
namespace format = ::vit::format;

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
    uint64_t alignment = segment.size >= format::kPageSize ? format::kPageSize
                                                           : format::kAlignment;
    end = format::alignUp(end, std::max(alignment, segment.alignment));
    *segment.place = schema::Segment(end, segment.size);
    end += segment.size;
  }
  return end;
}

/// Writes the segments, and fills in their hashes on the way.
static LogicalResult writeSegments(ArrayRef<PendingSegment> segments,
                                   const Weights &weights,
                                   uint64_t segmentsOffset,
                                   format::AtomicFile &file,
                                   std::string &error) {
  std::vector<char> bytes;
  for (const PendingSegment &segment : segments) {
    bytes.assign(segment.size, 0);
    if (failed(segment.produce(bytes, error)))
      return failure();
    vit_error message;
    if (file.writeAt(segmentsOffset + segment.place->offset(), bytes.data(),
                     bytes.size(), &message) != VIT_OK) {
      error = message.message;
      return failure();
    }
    if (segment.hash)
      *segment.hash = format::hash64(bytes.data(), bytes.size());
  }
  return weights.requireWhole(error);
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
  if (metadataSize >= format::kMaxMetadataSize) {
    error = "the module's description is too large for a .vitm file";
    return failure();
  }
  uint64_t segmentsOffset = format::alignUp(
      sizeof(format::FileHeader) + metadataSize, format::kPageSize);

  format::AtomicFile file;
  vit_error message;
  if (file.open(path.str().c_str(), &message) != VIT_OK) {
    error = message.message;
    return failure();
  }
  if (file.isDevice()) {
    error = "cannot write " + path.str() + ": not a regular file";
    return failure();
  }
  if (failed(writeSegments(description.segments, weights, segmentsOffset, file,
                           error)))
    return failure();

  flatbuffers::DetachedBuffer metadata = pack(description.metadata);
  if (metadata.size() != metadataSize) {
    error = "the size of the module's description changed while it was written";
    return failure();
  }
  format::FileHeader header = {};
  std::memcpy(header.magic, format::kMagic, sizeof(header.magic));
  header.formatVersion = format::kFormatVersion;
  header.fileSize = segmentsOffset + segmentsSize;
  header.metadataOffset = sizeof(header);
  header.metadataSize = metadata.size();
  header.metadataHash = format::hash64(metadata.data(), metadata.size());
  header.segmentsOffset = segmentsOffset;
  header.segmentsSize = segmentsSize;
  if (file.writeAt(0, &header, sizeof(header), &message) != VIT_OK ||
      file.write(metadata.data(), metadata.size(), &message) != VIT_OK ||
      file.resize(header.fileSize, &message) != VIT_OK ||
      file.commit(&message) != VIT_OK) {
    error = message.message;
    return failure();
  }
  return success();
}
