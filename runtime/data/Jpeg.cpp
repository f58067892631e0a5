//===- Jpeg.cpp - JPEG in -------------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libjpeg-turbo as Pillow drives it: accurate integer inverse DCT, smooth
// chroma upsampling, CMYK always taken as Adobe's inverted one.
//
//===----------------------------------------------------------------------===//

#include "Image.h"

#include <cstdio>
#include <cstring>
#include <jpeglib.h>

#include <jerror.h>

using namespace vit::data;

// The callbacks report errors by exceptions, which pass through libjpeg's
// frames: they own nothing that jpeg_destroy_decompress does not free.

namespace {
struct Reader {
  Reader() {
    std::memset(&state, 0, sizeof(state));
    state.err = jpeg_std_error(&manager);
  }
  ~Reader() { jpeg_destroy_decompress(&state); }

  jpeg_decompress_struct state;
  jpeg_error_mgr manager;
  jpeg_progress_mgr progress = {};
};

/// Files with more scans are refused: each scan costs a pass over the whole
/// picture, so that a small file could take very long.
constexpr int maxScans = 500;

extern "C" [[noreturn]] void onError(j_common_ptr state) {
  if (state->err->msg_code == JERR_OUT_OF_MEMORY)
    throw std::bad_alloc();
  char message[JMSG_LENGTH_MAX];
  state->err->format_message(state, message);
  corrupt(message);
}

/// libjpeg reports damaged data as a warning and continues with grey or
/// repeated blocks. For a classifier this is an error.
extern "C" void onMessage(j_common_ptr state, int level) {
  if (level >= 0)
    return;
  switch (state->err->msg_code) {
  case JWRN_JPEG_EOF:
    corrupt("the file is truncated");
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_ARITH_BAD_CODE:
  case JWRN_MUST_RESYNC:
  case JWRN_BOGUS_PROGRESSION:
    onError(state);
  default: // Harmless, such as extra bytes between segments.
    break;
  }
}

extern "C" void onOutput(j_common_ptr) {}

extern "C" void onProgress(j_common_ptr state) {
  auto *decompress = reinterpret_cast<j_decompress_ptr>(state);
  if (decompress->input_scan_number > maxScans)
    corrupt("it has more than " + std::to_string(maxScans) + " scans");
}
} // namespace

static void readHeader(Reader &reader, Bytes file) {
  reader.manager.error_exit = onError;
  reader.manager.emit_message = onMessage;
  reader.manager.output_message = onOutput;
  jpeg_create_decompress(&reader.state);
  reader.progress.progress_monitor = onProgress;
  reader.state.progress = &reader.progress;
  jpeg_save_markers(&reader.state, JPEG_APP0 + 1, 0xffff);
  jpeg_mem_src(&reader.state, file.data, static_cast<unsigned long>(file.size));
  jpeg_read_header(&reader.state, TRUE);
}

static void readPixels(Reader &reader, uint8_t *pixels, size_t rowBytes) {
  jpeg_decompress_struct &state = reader.state;
  state.dct_method = JDCT_ISLOW;
  state.do_fancy_upsampling = TRUE;
  state.out_color_space = state.num_components == 1   ? JCS_GRAYSCALE
                          : state.num_components == 3 ? JCS_RGB
                                                      : JCS_CMYK;
  jpeg_start_decompress(&state);
  while (state.output_scanline < state.output_height) {
    JSAMPROW row = pixels + size_t(state.output_scanline) * rowBytes;
    jpeg_read_scanlines(&state, &row, 1);
  }
  jpeg_finish_decompress(&state);
}

static int readOrientation(const Reader &reader) {
  for (jpeg_saved_marker_ptr marker = reader.state.marker_list; marker;
       marker = marker->next)
    if (marker->data_length > 6 &&
        std::memcmp(marker->data, "Exif\0\0", 6) == 0)
      return readExifOrientation(
          {marker->data + 6, size_t(marker->data_length) - 6});
  return 1;
}

/// Pillow's CMYK to RGB, white * (255 - ink) / 255 rounded its way, over
/// samples that are inverted as Adobe stores them.
static Picture convertCmyk(const uint8_t *in, int32_t width, int32_t height) {
  Picture result(width, height, 3);
  uint8_t *out = result.pixels.get();
  size_t count = size_t(width) * size_t(height);
  for (size_t i = 0; i < count; ++i, in += 4, out += 3) {
    int white = in[3];
    for (int c = 0; c < 3; ++c) {
      int product = (255 - in[c]) * white + 128;
      int value = white - (((product >> 8) + product) >> 8);
      out[c] = uint8_t(value < 0 ? 0 : value);
    }
  }
  return result;
}

Picture vit::data::decodeJpeg(Bytes file, uint64_t maxPixels) {
  Reader reader;
  readHeader(reader, file);
  const jpeg_decompress_struct &state = reader.state;
  checkDimensions(state.image_width, state.image_height, maxPixels);
  int components = state.num_components;
  if (components != 1 && components != 3 && components != 4)
    unsupported("a JPEG with " + std::to_string(components) +
                " components is unsupported");
  int32_t width = int32_t(state.image_width);
  int32_t height = int32_t(state.image_height);
  // A Huffman code takes at least one bit for each block of 8 x 8 samples.
  size_t pixelCount = size_t(width) * size_t(height);
  if (!state.arith_code && pixelCount / 1024 > file.size)
    corrupt("the file is truncated");

  // Before reading the pixels, which ends with the markers being freed.
  int orientation = readOrientation(reader);
  Picture picture;
  if (components == 4) {
    Buffer<uint8_t> cmyk = allocate(multiply(pixelCount, 4, "the picture"));
    readPixels(reader, cmyk.get(), size_t(width) * 4);
    picture = convertCmyk(cmyk.get(), width, height);
  } else {
    picture = Picture(width, height, components);
    readPixels(reader, picture.pixels.get(), picture.rowBytes());
  }
  picture.orientation = orientation;
  return picture;
}
