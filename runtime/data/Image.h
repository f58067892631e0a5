//===- Image.h - Pictures inside the library --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_IMAGE_H
#define VIT_DATA_IMAGE_H

#include "Support.h"

namespace vit::data {

/// An owned picture: height x width x channels, channels 1 or 3.
struct Picture {
  Picture() = default;
  Picture(int32_t width, int32_t height, int32_t channels);

  size_t rowBytes() const { return size_t(width) * size_t(channels); }
  uint8_t *row(int32_t y) { return pixels.get() + size_t(y) * rowBytes(); }
  const uint8_t *row(int32_t y) const {
    return pixels.get() + size_t(y) * rowBytes();
  }
  vit_image view() const { return {width, height, channels, pixels.get()}; }
  /// Transfers ownership of the pixels to a vit_image.
  vit_image release();

  int32_t width = 0, height = 0, channels = 0;
  Buffer<uint8_t> pixels;
  int orientation = 1;  ///< The EXIF tag, 1 to 8.
  uint32_t deepest = 0; ///< The largest sample where they had 16 bits; else 0.
};

/// "640 x 480", as pictures' sizes are written in messages.
std::string sizeText(int64_t width, int64_t height);

/// Fails unless the dimensions are positive and within `maxPixels`. Every
/// decoder calls this before it allocates.
void checkDimensions(int64_t width, int64_t height, uint64_t maxPixels);

// Each decoder turns a whole file into a Picture and fails with a message that
// does not name the file; the caller puts the name before it.
Picture decodePng(Bytes file, uint64_t maxPixels);
Picture decodeJpeg(Bytes file, uint64_t maxPixels);
Picture decodeBmp(Bytes file, uint64_t maxPixels);
Picture decodePnm(Bytes file, uint64_t maxPixels);

/// Recognises the format and decodes; `name` is put before messages.
Picture decodePicture(Bytes file, const std::string &name, uint64_t maxPixels);

/// The orientation tag of an EXIF block that begins with its TIFF header; 1 if
/// it is missing or invalid.
int readExifOrientation(Bytes exif);
/// Pillow's ImageOps.exif_transpose.
Picture applyOrientation(Picture picture);

/// Pillow's convert("L") and convert("RGB").
Picture convertChannels(const vit_image &image, int32_t channels);

/// A rectangle of a picture.
struct Region {
  int32_t left, top, width, height;
};
/// Pillow's resize. Only `part` of the resized picture is computed; it has the
/// same pixels as in the whole.
Picture resize(const vit_image &image, int32_t width, int32_t height,
               int32_t interpolation, const Region &part);
/// The same without rounding: values that the filter takes out of 0 to 255 stay
/// there. Row by row, channels together.
std::vector<float> resizeUnrounded(const vit_image &image, int32_t width,
                                   int32_t height, int32_t interpolation);

/// Fails if a caller's vit_image is invalid.
void checkImage(const vit_image *image);

/// Which part of the finished picture (resized and cropped) the tensor is taken
/// from: shifted `down` and to the `right`, with zeros beyond the edges as in
/// torchvision's Pad, then mirrored.
struct Placement {
  int32_t down = 0, right = 0;
  bool mirrored = false;
};

/// The elements of a picture's tensor.
inline size_t elementsOf(const vit_preprocessing &p) {
  return size_t(p.channels) * size_t(p.height) * size_t(p.width);
}

/// vit_image_preprocess with failures thrown.
void preprocess(const vit_image &image, const vit_preprocessing &preprocessing,
                float *out, const Placement &placement = {});
/// Fails if the fields are invalid.
void checkPreprocessing(const vit_preprocessing *preprocessing);

} // namespace vit::data

#endif // VIT_DATA_IMAGE_H
