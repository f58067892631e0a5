//===- Checker.cpp - Checks of metadata -----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checker.h"

#include "format/Hash.h"
#include "format/PictureSizes.h"
#include "format/Utf8.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace vit::runtime {

vit_status Checker::corrupt(const char *format, ...) {
  char reason[768];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return fail(error, VIT_CORRUPT, "'%s' is damaged: %s", name, reason);
}

vit_status Checker::newer(const char *format, ...) {
  char reason[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return fail(error, VIT_UNSUPPORTED,
              "'%s' is of a newer vit (%.100s): %s; update vit, or compile the "
              "model again with this version's vit-compile",
              name, module.producer()->c_str(), reason);
}

/// UTF-8 without control characters may go into messages, paths and JSON.
static bool isText(const char *text, size_t size) {
  for (size_t i = 0; i < size; ++i)
    if (static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7f)
      return false;
  return isUtf8(text, size);
}

vit_status Checker::text(const flatbuffers::String *text, const char *what,
                         bool mayBeEmpty) {
  if (!text)
    return mayBeEmpty ? VIT_OK : corrupt("%s is missing", what);
  if (text->size() == 0 && !mayBeEmpty)
    return corrupt("%s is empty", what);
  if (text->size() > 4096 || !isText(text->c_str(), text->size()))
    return corrupt("%s is not readable text", what);
  return VIT_OK;
}

vit_status Checker::dims(const Dims &dims, const char *what, bool binding,
                         bool mayBeScalar) {
  VIT_TRY(aligned(&dims, what));
  uint32_t least = binding || mayBeScalar ? 0 : 1;
  if (dims.size() < least || dims.size() > VIT_MAX_RANK)
    return corrupt("%s has rank %u, expected %u to %d", what, dims.size(),
                   least, VIT_MAX_RANK);
  int64_t product = 1;
  for (uint32_t i = 0; i < dims.size(); ++i) {
    int64_t dim = dims.Get(i);
    if (binding && i == 0 && dim == -1)
      continue;
    if (dim < 1 || dim > kMaxElements / product)
      return corrupt("%s has an impossible dimension %lld", what, lld(dim));
    product *= dim;
  }
  return VIT_OK;
}

vit_status Checker::segment(const schema::Segment *segment, uint64_t size,
                            uint64_t alignment, const char *what) {
  if (!segment || segment->size() != size)
    return corrupt("%s is stored in %llu bytes, expected %llu", what,
                   llu(segment ? segment->size() : 0), llu(size));
  if (segment->offset() % alignment != 0)
    return corrupt("%s is not stored at a multiple of %llu bytes", what,
                   llu(alignment));
  if (segment->offset() > segmentsSize ||
      size > segmentsSize - segment->offset())
    return corrupt("%s lies beyond the end of the file", what);
  ranges[rangeCount++] = {segment->offset(), segment->offset() + size};
  return VIT_OK;
}

vit_status Checker::hash(const schema::Segment &segment, uint64_t expected,
                         const char *what) {
  if (hash64(segments + segment.offset(), segment.size()) != expected)
    return corrupt("the hash of %s does not match its bytes", what);
  return VIT_OK;
}

vit_status Checker::unique(const char **names, size_t size, const char *what) {
  std::sort(names, names + size,
            [](const char *a, const char *b) { return std::strcmp(a, b) < 0; });
  for (size_t i = 1; i < size; ++i)
    if (std::strcmp(names[i - 1], names[i]) == 0)
      return corrupt("two %s are called '%s'", what, names[i]);
  return VIT_OK;
}

vit_status Checker::run() {
  size_t segmentsMost = size_t(count(module.parameters())) +
                        count(module.derived()) + count(module.constants()) +
                        count(module.images());
  if (!ranges.allocate(allocator, segmentsMost))
    return outOfMemory(error, segmentsMost * sizeof(Range), "checks");
  VIT_TRY(text(module.producer(), "the producer's name"));
  VIT_TRY(text(module.name(), "the module's name", true));
  for (uint32_t i = 0; i < count(module.labels()); ++i)
    VIT_TRY(text(module.labels()->Get(i), "a label", true));
  for (uint32_t i = 0; i < count(module.files()); ++i)
    VIT_TRY(text(module.files()->Get(i)->path(), "the path of a weight file"));
  // Reading logits in another way than they are meant gives wrong scores.
  if (!isKnown(module.problem_type()))
    return newer("the problem type %u is unknown",
                 unsigned(module.problem_type()));
  VIT_TRY(pictures());
  VIT_TRY(parameters());
  VIT_TRY(derivedForms());
  for (uint32_t i = 0; i < count(module.parameters()); ++i)
    VIT_TRY(parameterHasForm(i));
  VIT_TRY(constants());
  VIT_TRY(arenas());
  VIT_TRY(variables());
  VIT_TRY(images());
  VIT_TRY(entries());
  return overlaps();
}

vit_status Checker::overlaps() {
  std::sort(ranges.begin(), ranges.begin() + rangeCount,
            [](const Range &a, const Range &b) { return a.begin < b.begin; });
  for (size_t i = 1; i < rangeCount; ++i)
    if (ranges[i].begin < ranges[i - 1].end)
      return corrupt("segments overlap at offset %llu", llu(ranges[i].begin));
  return VIT_OK;
}

/// How pictures are prepared and split, in general and for single entries.
vit_status Checker::pictures() {
  VIT_TRY(preprocessing(module.preprocessing()));
  VIT_TRY(tokens(module.tokens()));
  for (const schema::Entry *entry : *module.entries()) {
    VIT_TRY(preprocessing(entry->preprocessing()));
    VIT_TRY(tokens(entry->tokens()));
  }
  return VIT_OK;
}

vit_status Checker::preprocessing(const schema::Preprocessing *p) {
  if (!p)
    return VIT_OK;
  constexpr uint32_t most = 1 << 16;
  constexpr int32_t mostResize = 1 << 16;
  if (p->channels() < 1 || p->channels() > 4 || p->height() < 1 ||
      p->height() > most || p->width() < 1 || p->width() > most ||
      p->resize_height() < -mostResize || p->resize_height() > mostResize ||
      p->resize_width() < -mostResize || p->resize_width() > mostResize ||
      (p->resize_height() < 0 && p->resize_width() >= 0) ||
      !format::isInterpolation(p->interpolation()) || p->center_crop() > 2)
    return corrupt("the preprocessing has an impossible size or way to resize");
  if (count(p->mean()) != p->channels() || count(p->std()) != p->channels())
    return corrupt("the preprocessing has not one mean and std per channel");
  for (uint32_t i = 0; i < p->channels(); ++i)
    if (!std::isfinite(p->mean()->Get(i)) || !std::isfinite(p->std()->Get(i)) ||
        p->std()->Get(i) == 0)
      return corrupt("the preprocessing has an impossible mean or std");
  if (!std::isfinite(p->scale()))
    return corrupt("the preprocessing has an impossible scale");
  return VIT_OK;
}

vit_status Checker::tokens(const schema::Tokens *tokens) {
  if (!tokens)
    return VIT_OK;
  constexpr uint32_t most = 1 << 20;
  if (count(tokens->before_patches()) > most || tokens->rows() < 1 ||
      tokens->rows() > most || tokens->columns() < 1 ||
      tokens->columns() > most)
    return corrupt("the tokens have an impossible grid or number");
  for (uint32_t i = 0; i < count(tokens->before_patches()); ++i)
    if (!isKnown(tokens->before_patches()->Get(i)))
      return newer("the kind of token %u is unknown", i);
  return VIT_OK;
}

vit_status verifyMetadata(const schema::Module &module,
                          const unsigned char *segments, uint64_t segmentsSize,
                          bool hashWeights, const char *name,
                          const Allocator &allocator, vit_error *error) {
  return Checker(module, segments, segmentsSize, hashWeights, name, allocator,
                 error)
      .run();
}

} // namespace vit::runtime
