//===- ElementType.h - Types of a tensor's elements -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_ELEMENT_TYPE_H
#define VIT_FORMAT_ELEMENT_TYPE_H

#include <cstddef>
#include <cstdint>

namespace vit::format {

/// The first `kReadableTypes` are numbered as `vit_dtype` and as the module
/// schema's `DType`. Of the others only name and size are known: they occur in
/// safetensors files.
enum class ElementType : uint8_t {
  F32,
  BF16,
  F16,
  I32,
  I64,
  U8,
  F64,
  Bool,
  I8,
  TF32, ///< f32 with 10 bits of mantissa: a precision; no tensor is of it
  I16,
  U16,
  U32,
  U64,
  C64,
  F8E4M3,
  F8E5M2,
  F8E8M0
};

inline constexpr int kReadableTypes = 7;
inline constexpr int kElementTypes = 18;

inline bool isReadable(ElementType type) { return int(type) < kReadableTypes; }

/// Bytes of one element.
size_t sizeOf(ElementType type);

/// The name in a safetensors header ("F32", "BF16", ...). Static memory.
const char *safetensorsName(ElementType type);

/// Returns false if no element type of files has this safetensors name.
bool parseSafetensorsName(const char *name, size_t length, ElementType &type);

/// Converts `count` elements at `source`, which need not be aligned. `type`
/// must be readable. Exact where the target can represent the value, rounded to
/// nearest even elsewhere.
void widen(float *target, const void *source, ElementType type, int64_t count);
void widen(double *target, const void *source, ElementType type, int64_t count);

/// Whether `narrow` can write elements of this type.
inline bool isFloat(ElementType type) {
  return type == ElementType::F32 || type == ElementType::BF16 ||
         type == ElementType::F16;
}

/// Converts to F32, BF16 or F16, rounding to nearest even. `target` need not be
/// aligned.
void narrow(void *target, const float *source, ElementType type, int64_t count);

/// The largest number of F16, and the least magnitude that is rounded beyond
/// it, half a last place above.
inline constexpr float kLargestHalf = 65504, kBeyondHalf = 65520;

/// Whether `narrow` to `type` would make none of these finite numbers an
/// infinity: F16 alone has a smaller range than F32. `source` need not be
/// aligned.
bool areInRange(ElementType type, const void *source, ElementType sourceType,
                int64_t count);

/// Converts to F32, BF16 or F16: copies elements of the same type, else widens
/// and narrows them. Neither pointer need be aligned.
void convert(void *target, ElementType type, const void *source,
             ElementType sourceType, int64_t count);

/// Computes the product of the dimensions. Returns false if one is negative or
/// the product does not fit an int64_t.
bool countElements(const int64_t *dims, int32_t rank, uint64_t &count);

} // namespace vit::format

#endif // VIT_FORMAT_ELEMENT_TYPE_H
