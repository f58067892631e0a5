//===- Utf8.h - Checks of text from files -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_UTF8_H
#define VIT_FORMAT_UTF8_H

#include <cstddef>
#include <cstdint>

namespace vit::format {

/// Whether `size` bytes are well-formed UTF-8: no overlong forms, no
/// surrogates.
inline bool isUtf8(const void *bytes, size_t size) {
  const auto *s = static_cast<const unsigned char *>(bytes);
  for (size_t i = 0; i < size;) {
    unsigned char lead = s[i];
    int length = lead < 0x80             ? 1
                 : (lead & 0xe0) == 0xc0 ? 2
                 : (lead & 0xf0) == 0xe0 ? 3
                 : (lead & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (length == 0 || size - i < size_t(length))
      return false;
    uint32_t point = length == 1 ? lead : lead & (0x7f >> length);
    for (int k = 1; k < length; ++k) {
      if ((s[i + k] & 0xc0) != 0x80)
        return false;
      point = point << 6 | (s[i + k] & 0x3f);
    }
    constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10ffff ||
        (point >= 0xd800 && point < 0xe000))
      return false;
    i += length;
  }
  return true;
}

} // namespace vit::format

#endif // VIT_FORMAT_UTF8_H
