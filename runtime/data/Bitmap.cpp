//===- Bitmap.cpp - BMP and PNM in ----------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace vit::data;

//===----------------------------------------------------------------------===//
// BMP, uncompressed
//===----------------------------------------------------------------------===//

namespace {
struct BmpHeader {
  int64_t width = 0, height = 0;
  bool topDown = false;
  int bits = 0;
  size_t pixelOffset = 0;
  size_t paletteOffset = 0, paletteCount = 0, paletteEntry = 0;
  // Bits of red, green and blue in 32-bit pixels; whether 16-bit ones are 565.
  int shifts[3] = {16, 8, 0};
  bool is565 = false;
};
} // namespace

/// The masks that Pillow knows, as the bit where each 8-bit sample begins.
static void readMasks(BmpHeader &header, const uint8_t *masks) {
  uint32_t red = readLittle32(masks), green = readLittle32(masks + 4),
           blue = readLittle32(masks + 8);
  if (header.bits == 16) {
    header.is565 = red == 0xf800 && green == 0x7e0 && blue == 0x1f;
    if (header.is565 || (red == 0x7c00 && green == 0x3e0 && blue == 0x1f))
      return;
  } else if (header.bits == 24) {
    if (red == 0xff0000 && green == 0xff00 && blue == 0xff)
      return;
  } else if (header.bits == 32) {
    if (red == 0 && green == 0 && blue == 0)
      return;
    uint32_t all[3] = {red, green, blue};
    bool known = red != green && green != blue && red != blue;
    for (int c = 0; c < 3; ++c) {
      header.shifts[c] = all[c] ? __builtin_ctz(all[c]) : 0;
      known &= header.shifts[c] % 8 == 0 && all[c] == 0xffu << header.shifts[c];
    }
    if (known)
      return;
  }
  unsupported("a BMP with these colour masks is unsupported");
}

static BmpHeader readBmpHeader(Bytes file) {
  auto need = [&](size_t size) {
    if (file.size < size)
      corrupt("the file is truncated");
  };
  need(18);
  const uint8_t *data = file.data;
  BmpHeader header;
  header.pixelOffset = readLittle32(data + 10);
  size_t headerSize = readLittle32(data + 14);
  size_t end = 14 + headerSize;
  uint32_t compression = 0;
  if (headerSize == 12) {
    need(end);
    header.width = readLittle16(data + 18);
    header.height = readLittle16(data + 20);
    header.bits = readLittle16(data + 24);
    header.paletteEntry = 3;
  } else if (headerSize == 40 || headerSize == 52 || headerSize == 56 ||
             headerSize == 64 || headerSize == 108 || headerSize == 124) {
    need(end);
    header.width = int32_t(readLittle32(data + 18));
    header.height = int32_t(readLittle32(data + 22));
    header.bits = readLittle16(data + 28);
    compression = readLittle32(data + 30);
    header.paletteCount = readLittle32(data + 46);
    header.paletteEntry = 4;
  } else {
    unsupported("a BMP header of " + std::to_string(headerSize) +
                " bytes is unsupported");
  }
  if (header.height < 0) {
    header.topDown = true;
    header.height = -header.height;
  }
  if (header.bits != 1 && header.bits != 4 && header.bits != 8 &&
      header.bits != 16 && header.bits != 24 && header.bits != 32)
    unsupported("a BMP of " + std::to_string(header.bits) +
                " bits per pixel is unsupported");

  constexpr uint32_t uncompressed = 0, bitFields = 3;
  if (compression == bitFields) {
    if (headerSize == 40) {
      need(end + 12);
      end += 12;
    }
    readMasks(header, data + 54);
  } else if (compression != uncompressed) {
    unsupported("a compressed BMP is unsupported: save it without compression");
  }

  if (header.bits <= 8) {
    size_t most = size_t(1) << header.bits;
    if (header.paletteCount == 0)
      header.paletteCount = most;
    if (header.paletteCount > 65536)
      corrupt("its palette has " + std::to_string(header.paletteCount) +
              " entries");
    header.paletteOffset = end;
    end += header.paletteCount * header.paletteEntry;
    need(end);
    header.paletteCount = std::min(header.paletteCount, most);
  }
  if (header.pixelOffset == 0)
    header.pixelOffset = end;
  return header;
}

static void readBmpRow(const BmpHeader &header, const uint8_t *palette,
                       const uint8_t *in, uint8_t *out) {
  for (int64_t x = 0; x < header.width; ++x, out += 3) {
    switch (header.bits) {
    case 1:
    case 4:
    case 8: {
      int perByte = 8 / header.bits;
      int shift = (perByte - 1 - int(x % perByte)) * header.bits;
      size_t index =
          size_t(in[x / perByte] >> shift) & ((size_t(1) << header.bits) - 1);
      if (index >= header.paletteCount)
        corrupt("a pixel lies outside the palette");
      const uint8_t *entry = palette + index * header.paletteEntry;
      out[0] = entry[2], out[1] = entry[1], out[2] = entry[0];
      break;
    }
    case 16: {
      unsigned pixel = readLittle16(in + x * 2);
      unsigned blue = pixel & 31;
      unsigned green = header.is565 ? pixel >> 5 & 63 : pixel >> 5 & 31;
      unsigned red = header.is565 ? pixel >> 11 : pixel >> 10 & 31;
      out[0] = uint8_t(red * 255 / 31);
      out[1] = uint8_t(green * 255 / (header.is565 ? 63 : 31));
      out[2] = uint8_t(blue * 255 / 31);
      break;
    }
    case 24:
      out[0] = in[x * 3 + 2], out[1] = in[x * 3 + 1], out[2] = in[x * 3];
      break;
    default:
      for (int c = 0; c < 3; ++c)
        out[c] = in[x * 4 + header.shifts[c] / 8];
      break;
    }
  }
}

Picture vit::data::decodeBmp(Bytes file, uint64_t maxPixels) {
  BmpHeader header = readBmpHeader(file);
  checkDimensions(header.width, header.height, maxPixels);
  size_t stride = (size_t(header.width) * size_t(header.bits) + 31) / 32 * 4;
  size_t size = multiply(stride, size_t(header.height), "the picture");
  if (header.pixelOffset > file.size || size > file.size - header.pixelOffset)
    corrupt("the file is truncated");
  Picture picture(int32_t(header.width), int32_t(header.height), 3);
  for (int32_t y = 0; y < picture.height; ++y) {
    size_t stored = size_t(header.topDown ? y : picture.height - 1 - y);
    readBmpRow(header, file.data + header.paletteOffset,
               file.data + header.pixelOffset + stored * stride,
               picture.row(y));
  }
  return picture;
}

//===----------------------------------------------------------------------===//
// PNM: binary grey and colour of 8 or 16 bits
//===----------------------------------------------------------------------===//

namespace {
struct PnmScanner {
  Bytes file;
  size_t position;

  /// The next number of the header, after white space and comments.
  int64_t readNumber(const char *what) {
    for (;;) {
      uint8_t c = peek();
      if (c == '#') {
        while (peek() != '\n' && peek() != '\r')
          ++position;
      } else if (isSpace(c)) {
        ++position;
      } else {
        break;
      }
    }
    int64_t value = 0;
    size_t first = position;
    while (peek() >= '0' && peek() <= '9' && position - first < 10)
      value = value * 10 + (file.data[position++] - '0');
    if (position == first || !isSpace(peek()))
      corrupt(std::string("its ") + what + " is not a number");
    return value;
  }

  uint8_t peek() const {
    if (position >= file.size)
      corrupt("the file is truncated");
    return file.data[position];
  }
  static bool isSpace(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
  }
};
} // namespace

Picture vit::data::decodePnm(Bytes file, uint64_t maxPixels) {
  char kind = char(file.data[1]);
  if (kind != '5' && kind != '6')
    unsupported(std::string("PNM of kind P") + kind +
                " is unsupported: only binary grey (P5) and colour (P6) are");
  PnmScanner scanner{file, 2};
  if (!PnmScanner::isSpace(scanner.peek()))
    unsupported("it is not a PNG, JPEG, BMP or PPM picture");
  int64_t width = scanner.readNumber("width");
  int64_t height = scanner.readNumber("height");
  int64_t maximum = scanner.readNumber("largest value");
  checkDimensions(width, height, maxPixels);
  if (maximum < 1 || maximum > 65535)
    corrupt("its largest value is " + std::to_string(maximum));
  // A single white space character ends the header.
  size_t begin = scanner.position + 1;
  int32_t channels = kind == '5' ? 1 : 3;
  size_t count =
      multiply(size_t(width) * size_t(height), size_t(channels), "the picture");
  size_t sampleBytes = maximum > 255 ? 2 : 1; // big endian
  size_t size = multiply(count, sampleBytes, "the picture");
  if (begin > file.size || size > file.size - begin)
    corrupt("the file is truncated");

  std::vector<uint8_t> scaled(sampleBytes == 2 ? 65536 : 256);
  for (size_t v = 0; v < scaled.size(); ++v)
    scaled[v] = uint8_t(
        std::min(255.0, std::nearbyint(double(v) / double(maximum) * 255)));
  Picture picture(int32_t(width), int32_t(height), channels);
  const uint8_t *samples = file.data + begin;
  uint32_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t value = sampleBytes == 2
                         ? uint32_t(samples[2 * i]) << 8 | samples[2 * i + 1]
                         : samples[i];
    largest = std::max(largest, value);
    picture.pixels[i] = scaled[value];
  }
  if (maximum == 65535)
    picture.deepest = largest;
  return picture;
}
