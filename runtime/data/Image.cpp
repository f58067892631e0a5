//===- Image.cpp - Loading pictures ---------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"
#include "FolderParts.h"
#include "format/Diagnose.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <mutex>

using namespace vit::data;

Picture::Picture(int32_t width, int32_t height, int32_t channels)
    : width(width), height(height), channels(channels),
      pixels(allocate(
          multiply(multiply(size_t(width), size_t(height), "the picture"),
                   size_t(channels), "the picture"))) {}

vit_image Picture::release() {
  return vit_image{width, height, channels, pixels.release()};
}

std::string vit::data::sizeText(int64_t width, int64_t height) {
  return std::to_string(width) + " x " + std::to_string(height);
}

void vit::data::checkDimensions(int64_t width, int64_t height,
                                uint64_t maxPixels) {
  if (width <= 0 || height <= 0 || width > INT32_MAX || height > INT32_MAX)
    corrupt("it says that it is " + sizeText(width, height) + " pixels");
  if (uint64_t(width) * uint64_t(height) > maxPixels)
    unsupported("it is " + sizeText(width, height) +
                " pixels, more than the limit of " + std::to_string(maxPixels) +
                " in all");
}

void vit::data::checkImage(const vit_image *image) {
  if (!image || !image->pixels)
    invalid("the picture is NULL or empty");
  if (image->width <= 0 || image->height <= 0 ||
      (image->channels != 1 && image->channels != 3))
    invalid("a picture of " + sizeText(image->width, image->height) +
            " pixels with " + std::to_string(image->channels) +
            " channels cannot be: use 1 (grey) or 3 (RGB)");
}

//===----------------------------------------------------------------------===//
// Formats
//===----------------------------------------------------------------------===//

static bool startsWith(Bytes file, std::string_view magic) {
  return file.size >= magic.size() &&
         std::memcmp(file.data, magic.data(), magic.size()) == 0;
}

static Picture decode(Bytes file, uint64_t maxPixels) {
  using namespace std::literals;
  if (!file.data || file.size == 0)
    corrupt("the file is empty");
  if (startsWith(file, "\x89PNG\r\n\x1a\n"sv))
    return decodePng(file, maxPixels);
  if (startsWith(file, "\xff\xd8\xff"sv))
    return decodeJpeg(file, maxPixels);
  if (startsWith(file, "BM"sv))
    return decodeBmp(file, maxPixels);
  if (file.size >= 2 && file.data[0] == 'P' && file.data[1] >= '1' &&
      file.data[1] <= '7')
    return decodePnm(file, maxPixels);

  vit::format::Contents contents = vit::format::recognise(file.data, file.size);
  if (contents.isPicture)
    unsupported(contents.text +
                std::string(", which is unsupported: convert it to PNG or "
                            "JPEG"));
  if (contents.text)
    corrupt(contents.text);
  unsupported("it is not a PNG, JPEG, BMP or PPM picture");
}

namespace {
/// What the host does with warnings.
struct Warner {
  std::mutex mutex;
  void (*warn)(void *context, const char *text) = nullptr;
  void *context = nullptr;
};
} // namespace

static Warner &warner() {
  static Warner instance;
  return instance;
}

/// Cameras and scanners of 12 bits store what they measure in 16 without
/// scaling it: white is 4095, and what is read with 65535 as white is nearly
/// black.
static void warnOfFaint(const Picture &picture, const std::string &name) {
  constexpr int kFewestBits = 13;
  int bits = 0;
  while (picture.deepest >> bits)
    ++bits;
  if (bits == 0 || bits >= kFewestBits)
    return;
  std::lock_guard<std::mutex> lock(warner().mutex);
  if (!warner().warn)
    return;
  std::string text =
      name + ": a picture of 16 bits whose largest value is " +
      std::to_string(picture.deepest) +
      ": 65535 is white, so that it is nearly black; if its values have " +
      std::to_string(bits) + " bits, multiply them by " +
      std::to_string(1 << (16 - bits)) + " in the file";
  warner().warn(warner().context, text.c_str());
}

Picture vit::data::decodePicture(Bytes file, const std::string &name,
                                 uint64_t maxPixels) {
  Picture picture =
      named("cannot decode " + name, [&] { return decode(file, maxPixels); });
  warnOfFaint(picture, name);
  return picture;
}

//===----------------------------------------------------------------------===//
// Channels
//===----------------------------------------------------------------------===//

Picture vit::data::convertChannels(const vit_image &image, int32_t channels) {
  Picture result(image.width, image.height, channels);
  size_t count = size_t(image.width) * size_t(image.height);
  const uint8_t *in = image.pixels;
  uint8_t *out = result.pixels.get();
  if (image.channels == channels) {
    std::memcpy(out, in, count * size_t(channels));
  } else if (channels == 3) {
    for (size_t i = 0; i < count; ++i, out += 3)
      out[0] = out[1] = out[2] = in[i];
  } else {
    // ITU-R 601-2 luma in 16-bit fixed point, the weights adding up to 1.
    for (size_t i = 0; i < count; ++i, in += 3)
      out[i] = uint8_t(
          (in[0] * 19595u + in[1] * 38470u + in[2] * 7471u + 0x8000u) >> 16);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

static vit_image load(Bytes file, const std::string &name,
                      const vit_image_options *options) {
  int32_t channels = 3;
  bool orient = false;
  uint64_t maxPixels = VIT_IMAGE_MAX_PIXELS;
  if (options) {
    if (options->struct_size < sizeof(vit_image_options))
      invalid("set struct_size to sizeof(vit_image_options)");
    if (options->channels != 0)
      channels = options->channels;
    if (channels != 1 && channels != 3)
      invalid("vit_image_options.channels must be 1 (grey) or 3 (RGB)");
    orient = options->apply_exif_orientation != 0;
    if (options->max_pixels)
      maxPixels = options->max_pixels;
  }
  Picture picture = decodePicture(file, name, maxPixels);
  if (orient)
    picture = applyOrientation(std::move(picture));
  if (picture.channels == channels)
    return picture.release();
  return convertChannels(picture.view(), channels).release();
}

extern "C" vit_status vit_image_load(const char *path,
                                     const vit_image_options *options,
                                     vit_image *out_image, vit_error *error) {
  return guarded(error, [&] {
    if (!path || !out_image)
      invalid("vit_image_load needs a path and somewhere to put the picture");
    std::vector<uint8_t> file = readFile(path);
    *out_image = load({file.data(), file.size()}, path, options);
  });
}

extern "C" vit_status vit_image_load_memory(const void *data, size_t size,
                                            const char *name,
                                            const vit_image_options *options,
                                            vit_image *out_image,
                                            vit_error *error) {
  return guarded(error, [&] {
    if ((!data && size) || !out_image)
      invalid("vit_image_load_memory needs data and somewhere to put the "
              "picture");
    *out_image = load({static_cast<const uint8_t *>(data), size},
                      name ? name : "the picture", options);
  });
}

extern "C" void vit_image_set_warning(void (*warn)(void *context,
                                                   const char *text),
                                      void *context) {
  std::lock_guard<std::mutex> lock(warner().mutex);
  warner().warn = warn;
  warner().context = context;
}

extern "C" int32_t vit_image_has_extension(const char *path) {
  return path && isPicture(path);
}

extern "C" void vit_image_release(vit_image *image) {
  if (!image)
    return;
  std::free(image->pixels);
  *image = vit_image{};
}
