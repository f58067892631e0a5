//===- element_type.h - Types of a tensor's elements ------------*- C++ -*-===//
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

/// The numbers are those of `vit_dtype` and of the module schema's `DType`.
enum class ElementType : uint8_t { F32, BF16, F16, I32, I64, U8, F64 };

inline constexpr int kElementTypes = 7;

/// Bytes of one element.
size_t sizeOf(ElementType type);

/// The name in a safetensors header ("F32", "BF16", ...). Static memory.
const char *safetensorsName(ElementType type);

/// False if no element type has this safetensors name.
bool parseSafetensorsName(const char *name, size_t length, ElementType &type);

} // namespace vit::format

#endif // VIT_FORMAT_ELEMENT_TYPE_H
