//===- Checker.h - Checks of metadata ---------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The implementation of verifyMetadata. Each part of the metadata is checked in
// a file of its own.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_CHECKER_H
#define VIT_RUNTIME_CHECKER_H

#include "Verify.h"

namespace vit::runtime {

struct Range {
  uint64_t begin, end;
};

class Checker {
public:
  Checker(const schema::Module &module, const unsigned char *segments,
          uint64_t segmentsSize, bool hashWeights, const char *name,
          const Allocator &allocator, vit_error *error)
      : module(module), segments(segments), segmentsSize(segmentsSize),
        hashWeights(hashWeights), name(name), allocator(allocator),
        error(error) {}

  vit_status run();

private:
  __attribute__((format(printf, 2, 3))) vit_status corrupt(const char *format,
                                                           ...);
  /// What `format` says is not known to this version of vit.
  __attribute__((format(printf, 2, 3))) vit_status newer(const char *format,
                                                         ...);
  vit_status text(const flatbuffers::String *text, const char *what,
                  bool mayBeEmpty = false);
  /// A binding may be batched (its first dimension is -1) and may have rank 0.
  vit_status dims(const Dims &dims, const char *what, bool binding,
                  bool mayBeScalar = false);
  /// FlatBuffers' verifier checks the alignment of fields, but not of the
  /// elements of vectors.
  template <typename T>
  vit_status aligned(const flatbuffers::Vector<T> *vector, const char *what) {
    if (vector && vector->size() != 0 &&
        reinterpret_cast<uintptr_t>(vector->Data()) % 8 != 0)
      return corrupt("numbers of %s are not aligned", what);
    return VIT_OK;
  }
  vit_status segment(const schema::Segment *segment, uint64_t size,
                     uint64_t alignment, const char *what);
  vit_status hash(const schema::Segment &segment, uint64_t expected,
                  const char *what);
  vit_status unique(const char **names, size_t size, const char *what);

  vit_status parameters();
  vit_status parameter(uint32_t index);
  vit_status parameterHasForm(uint32_t index);
  vit_status derivedForms();
  vit_status derivedSources(uint32_t index);
  vit_status unknownForm(uint32_t index);
  vit_status derived(uint32_t index);
  vit_status migration(const schema::Derived &derived, const Form &form,
                       const char *what);
  vit_status constants();
  vit_status arenas();
  vit_status variables();
  vit_status variable(uint32_t index);
  vit_status images();
  vit_status entries();
  vit_status bindings(
      const flatbuffers::Vector<flatbuffers::Offset<schema::Binding>> &list,
      const char *what, bool aliases);
  vit_status schedule(const schema::Entry &entry,
                      const schema::Schedule &schedule);
  vit_status reductions(const schema::Entry &entry,
                        const schema::Schedule &schedule);
  vit_status argument(const schema::Entry &entry,
                      const schema::Schedule &schedule,
                      const schema::Command &command, uint32_t index,
                      const char *what);
  vit_status command(const schema::Entry &entry,
                     const schema::Schedule &schedule, uint32_t index,
                     const uint64_t *slotSizes);
  vit_status pictures();
  vit_status preprocessing(const schema::Preprocessing *p);
  vit_status tokens(const schema::Tokens *tokens);
  vit_status overlaps();

  const schema::Module &module;
  const unsigned char *segments;
  uint64_t segmentsSize;
  bool hashWeights;
  const char *name;
  const Allocator &allocator;
  vit_error *error;
  Array<Range> ranges;
  size_t rangeCount = 0;
  Array<uint8_t> knownForms;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_CHECKER_H
