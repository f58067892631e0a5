//===- element_type.cpp - Types of a tensor's elements --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/element_type.h"

#include <cstring>

namespace vit::format {

namespace {
struct Row {
  size_t size;
  const char *name;
};
} // namespace

static constexpr Row kRows[kElementTypes] = {
    {4, "F32"}, {2, "BF16"}, {2, "F16"}, {4, "I32"},
    {8, "I64"}, {1, "U8"},   {8, "F64"}};

size_t sizeOf(ElementType type) { return kRows[int(type)].size; }

const char *safetensorsName(ElementType type) { return kRows[int(type)].name; }

bool parseSafetensorsName(const char *name, size_t length, ElementType &type) {
  for (int i = 0; i < kElementTypes; ++i)
    if (std::strlen(kRows[i].name) == length &&
        std::memcmp(kRows[i].name, name, length) == 0) {
      type = ElementType(i);
      return true;
    }
  return false;
}

} // namespace vit::format
