//===- Verify.h - Checks of a module before it is used ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks a file before any of it is used: the header, then (after the hash and
// FlatBuffers' own verifier, in Module.cpp) every index, offset, size and shape
// of the metadata, against the file and against each other.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_VERIFY_H
#define VIT_RUNTIME_VERIFY_H

#include "Error.h"
#include "VerifyCode.h"
#include "format/Form.h"
#include "format/Memory.h"
#include "format/ModuleFile.h"
#include "module_generated.h"

namespace vit::runtime {

/// The limit of each dimension and of the number of elements.
inline constexpr int64_t kMaxElements = int64_t(1) << 44;

/// Checks the first bytes of a file of `size` bytes and copies them to
/// `header`. `name` is the file's, for messages.
vit_status verifyHeader(const unsigned char *file, uint64_t size,
                        const char *name, FileHeader &header, vit_error *error);

/// Checks metadata that has passed FlatBuffers' verifier against the file's
/// segments. `hashWeights` asks for the hashes of weights too; those of code
/// are checked always.
vit_status verifyMetadata(const schema::Module &module,
                          const unsigned char *segments, uint64_t segmentsSize,
                          bool hashWeights, const char *name,
                          const Allocator &allocator, vit_error *error);

//===----------------------------------------------------------------------===//
// What verified metadata says
//===----------------------------------------------------------------------===//

using Dims = flatbuffers::Vector<int64_t>;

inline uint32_t count(const flatbuffers::Vector<uint32_t> *vector) {
  return vector ? vector->size() : 0;
}
template <typename T>
uint32_t count(const flatbuffers::Vector<flatbuffers::Offset<T>> *vector) {
  return vector ? vector->size() : 0;
}
template <typename T> uint32_t count(const flatbuffers::Vector<T> *vector) {
  return vector ? vector->size() : 0;
}

/// What a number of the schema may not say is from a newer vit, if nothing here
/// knows it.
template <typename Enum> bool isKnown(Enum value) { return value <= Enum::MAX; }

/// Sets `known[i]` to whether this version knows how form i, and those that it
/// is made from, are made. What is not known is not read: only schedules that
/// are not known use it. The sources must have been checked to be earlier ones.
void findKnownForms(const schema::Module &module, Array<uint8_t> &known);

/// Whether a tensor can be of this type.
inline bool isElement(schema::DType dtype) {
  return dtype <= schema::DType::I8;
}
inline size_t elementSize(schema::DType dtype) {
  return sizeOf(ElementType(dtype));
}

/// Returns the product of verified dimensions, with `batch` in place of -1.
int64_t elements(const Dims &dims, int64_t batch = 1);

/// Computes the bytes of a binding at this batch. Returns false on overflow.
bool bindingBytes(const schema::Binding &binding, int64_t batch,
                  uint64_t &bytes);

/// Bytes of a variable without the padding behind it.
inline uint64_t variableBytes(const schema::Variable &variable) {
  return uint64_t(elements(*variable.dims())) * elementSize(variable.dtype());
}

/// Bytes of `derived` in the file, 0 if it is made at load.
inline uint64_t storedBytes(const schema::Derived &derived) {
  return derived.data() ? derived.data()->size() : 0;
}

/// The sources of a verified form, of which there is at least one.
inline const flatbuffers::Vector<uint32_t> &
sourcesOf(const schema::Derived &derived) {
  const flatbuffers::Vector<uint32_t> *sources = derived.sources();
  if (!sources)
    __builtin_unreachable();
  return *sources;
}

/// The elements of a source: a parameter or, numbered after those, a derived
/// form.
int64_t sourceElements(const schema::Module &module, uint32_t source);

} // namespace vit::runtime

#endif // VIT_RUNTIME_VERIFY_H
