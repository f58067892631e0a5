//===- Png.cpp - PNG in and out -------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"

#include <algorithm>
#include <cstring>
#include <png.h>

using namespace vit::data;

// libpng and its callbacks report errors by exceptions, which pass through
// libpng's frames: they own nothing that the structs' destructors do not free.

namespace {
extern "C" [[noreturn]] void onReadError(png_structp, png_const_charp text) {
  corrupt(std::string("the PNG is damaged (") + text + ")");
}

extern "C" void onWarning(png_structp, png_const_charp) {}
} // namespace

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
struct Reader {
  explicit Reader(Bytes file) : file(file) {}
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }

  Bytes file;
  size_t position = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool isGrey = false;  ///< Without alpha.
  uint32_t deepest = 0; ///< See Picture.
};

/// Samples of 16 bits to 8 bits, in place.
extern "C" void narrowRow(png_structp png, png_row_infop row, png_bytep data) {
  auto *reader = static_cast<Reader *>(png_get_user_transform_ptr(png));
  size_t count = size_t(row->width) * row->channels;
  for (size_t i = 0; i < count; ++i) {
    uint32_t value = uint32_t(data[2 * i]) << 8 | data[2 * i + 1];
    reader->deepest = std::max(reader->deepest, value);
    data[i] = reader->isGrey
                  ? uint8_t((value * 255 + 32895) >> 16) // value / 257
                  : uint8_t(value >> 8);
  }
}

extern "C" void readBytes(png_structp png, png_bytep out, size_t size) {
  auto *reader = static_cast<Reader *>(png_get_io_ptr(png));
  if (size > reader->file.size - reader->position)
    corrupt("the file is truncated");
  std::memcpy(out, reader->file.data + reader->position, size);
  reader->position += size;
}
} // namespace

static void readHeader(Reader &reader) {
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr,
                                      onReadError, onWarning);
  if (reader.png)
    reader.info = png_create_info_struct(reader.png);
  if (!reader.info)
    throw std::bad_alloc();
  png_set_read_fn(reader.png, &reader, readBytes);
  // Disables libpng's default limit; ours is checked right after.
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(reader.png, reader.info);
}

/// Requests the same conversion of each colour type as Pillow, without alpha:
/// 16-bit colour is reduced to its high byte. 16-bit grey (X-rays, microscopy,
/// depth) is scaled to 8 bits, value / 257 rounded, as torchvision's
/// decode_image and to_dtype do, where Pillow clips all that is above 255 and
/// gives a white picture.
static void chooseOutput(Reader &reader) {
  int type = png_get_color_type(reader.png, reader.info);
  int depth = png_get_bit_depth(reader.png, reader.info);
  if (type == PNG_COLOR_TYPE_PALETTE)
    png_set_palette_to_rgb(reader.png);
  else if (type == PNG_COLOR_TYPE_GRAY && depth < 8)
    png_set_expand_gray_1_2_4_to_8(reader.png);
  png_set_strip_alpha(reader.png);
  reader.isGrey = type == PNG_COLOR_TYPE_GRAY;
  if (depth == 16) {
    png_set_read_user_transform_fn(reader.png, narrowRow);
    png_set_user_transform_info(reader.png, &reader, /*user_depth=*/8,
                                type & PNG_COLOR_MASK_COLOR ? 3 : 1);
  }
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
}

static int readOrientation(Reader &reader) {
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (!png_get_eXIf_1(reader.png, reader.info, &size, &exif))
    return 1;
  return readExifOrientation({exif, size});
}

Picture vit::data::decodePng(Bytes file, uint64_t maxPixels) {
  Reader reader(file);
  readHeader(reader);
  int64_t width = png_get_image_width(reader.png, reader.info);
  int64_t height = png_get_image_height(reader.png, reader.info);
  checkDimensions(width, height, maxPixels);
  // Deflate shrinks at most 1032-fold: a header that promises more lies.
  size_t stored = multiply(png_get_rowbytes(reader.png, reader.info),
                           size_t(height), "the picture");
  if (stored / 1032 > file.size)
    corrupt("the file is truncated");
  chooseOutput(reader);

  int channels = png_get_channels(reader.png, reader.info);
  if (channels != 1 && channels != 3)
    unsupported("a PNG of this colour type is unsupported");
  Picture picture(int32_t(width), int32_t(height), channels);
  std::vector<uint8_t *> rows(static_cast<size_t>(height));
  for (int32_t y = 0; y < picture.height; ++y)
    rows[size_t(y)] = picture.row(y);
  png_read_image(reader.png, rows.data());
  png_read_end(reader.png, reader.info);
  picture.orientation = readOrientation(reader);
  picture.deepest = reader.deepest;
  return picture;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {
struct Writer {
  ~Writer() { png_destroy_write_struct(&png, &info); }

  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<uint8_t> bytes;
};

// Only an allocation can fail: checkImage has checked the picture.
extern "C" [[noreturn]] void onWriteError(png_structp, png_const_charp text) {
  fail(VIT_OUT_OF_MEMORY, std::string("cannot encode a PNG: ") + text);
}

extern "C" void writeBytes(png_structp png, png_bytep data, size_t size) {
  auto *writer = static_cast<Writer *>(png_get_io_ptr(png));
  writer->bytes.insert(writer->bytes.end(), data, data + size);
}

extern "C" void flushBytes(png_structp) {}
} // namespace

static void encode(Writer &writer, const vit_image &image) {
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr,
                                       onWriteError, onWarning);
  if (writer.png)
    writer.info = png_create_info_struct(writer.png);
  if (!writer.info)
    throw std::bad_alloc();
  png_set_write_fn(writer.png, &writer, writeBytes, flushBytes);
  png_set_user_limits(writer.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_IHDR(writer.png, writer.info, png_uint_32(image.width),
               png_uint_32(image.height), 8,
               image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writer.png, writer.info);
  size_t rowBytes = size_t(image.width) * size_t(image.channels);
  for (int32_t y = 0; y < image.height; ++y)
    png_write_row(writer.png, image.pixels + size_t(y) * rowBytes);
  png_write_end(writer.png, writer.info);
}

extern "C" vit_status vit_image_save_png(const vit_image *image,
                                         const char *path, vit_error *error) {
  return guarded(error, [&] {
    if (!path)
      invalid("vit_image_save_png needs a path");
    checkImage(image);
    AtomicFile file(path);
    Writer writer;
    encode(writer, *image);
    file.write(writer.bytes.data(), writer.bytes.size());
    file.commit();
  });
}
