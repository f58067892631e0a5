//===- Exif.cpp - The orientation of a photograph -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"

#include <utility>

using namespace vit::data;

int vit::data::readExifOrientation(Bytes exif) {
  if (exif.size < 8)
    return 1;
  bool little = exif.data[0] == 'I' && exif.data[1] == 'I';
  if (!little && !(exif.data[0] == 'M' && exif.data[1] == 'M'))
    return 1;
  auto read16 = [&](size_t at) -> unsigned {
    const uint8_t *p = exif.data + at;
    return little ? p[0] | p[1] << 8 : p[0] << 8 | p[1];
  };
  auto read32 = [&](size_t at) -> uint32_t {
    return little ? readLittle32(exif.data + at) : readBig32(exif.data + at);
  };
  if (read16(2) != 42)
    return 1;
  // The first directory: a count, then entries of 12 bytes.
  size_t directory = read32(4);
  if (directory > exif.size - 2 || directory < 8)
    return 1;
  size_t count = read16(directory);
  for (size_t i = 0; i < count; ++i) {
    size_t entry = directory + 2 + i * 12;
    if (entry + 12 > exif.size)
      return 1;
    constexpr unsigned orientationTag = 0x0112;
    if (read16(entry) != orientationTag)
      continue;
    unsigned type = read16(entry + 2);
    uint32_t value = type == 1   ? exif.data[entry + 8]
                     : type == 3 ? read16(entry + 8)
                     : type == 4 ? read32(entry + 8)
                                 : 0;
    return value >= 1 && value <= 8 ? int(value) : 1;
  }
  return 1;
}

Picture vit::data::applyOrientation(Picture picture) {
  int orientation = picture.orientation;
  if (orientation == 1)
    return picture;
  bool transposes = orientation >= 5;
  Picture result(transposes ? picture.height : picture.width,
                 transposes ? picture.width : picture.height, picture.channels);
  int32_t lastX = picture.width - 1, lastY = picture.height - 1;
  uint8_t *out = result.pixels.get();
  for (int32_t y = 0; y < result.height; ++y) {
    for (int32_t x = 0; x < result.width; ++x) {
      // This pixel's position in the stored picture, by EXIF's numbers.
      int32_t fromX = transposes ? y : x, fromY = transposes ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 ||
          orientation == 8)
        fromX = lastX - fromX;
      if (orientation == 3 || orientation == 4 || orientation == 6 ||
          orientation == 7)
        fromY = lastY - fromY;
      const uint8_t *in =
          picture.row(fromY) + size_t(fromX) * size_t(picture.channels);
      for (int32_t c = 0; c < picture.channels; ++c)
        *out++ = in[c];
    }
  }
  return result;
}
