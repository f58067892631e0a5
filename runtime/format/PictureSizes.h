//===- PictureSizes.h - Sizes of prepared pictures --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_PICTURESIZES_H
#define VIT_FORMAT_PICTURESIZES_H

#include <algorithm>
#include <cstdint>

namespace vit::format {

/// Added to a filter's code in vit_preprocessing.interpolation: the resized
/// values are neither rounded nor limited to those of bytes.
inline constexpr int32_t kUnrounded = 16;
/// Pillow's codes of filters, 0 to 5.
inline constexpr int32_t kLastFilter = 5;

inline int32_t filterOf(int32_t interpolation) {
  return interpolation & ~kUnrounded;
}
inline bool isInterpolation(int64_t code) {
  return (code >= 0 && code <= kLastFilter) ||
         (code >= kUnrounded && code <= kUnrounded + kLastFilter);
}
/// Whether vit_preprocessing may have such a resize.
inline bool isResize(int64_t height, int64_t width) {
  return height == 0 || (height > 0 ? width != 0 : width < 0);
}

/// The sizes of vit_preprocessing, in pixels.
struct PictureSizes {
  int64_t height, width;             ///< Of the input tensor.
  int64_t resizeHeight, resizeWidth; ///< resizeHeight 0: no resize. resizeWidth
                                     ///< -1: resizeHeight is the shorter edge;
                                     ///< less: cover resizeHeight x
                                     ///< -resizeWidth; both negative: fit into
                                     ///< -resizeHeight x -resizeWidth.
  double cropShare = 0; ///< timm's crop_pct, 0: none. What is resized to is the
                        ///< size divided by it, rounded down.
};

/// The sizes of timm.data.create_transform for an input of height x width.
inline PictureSizes scaleByShare(const PictureSizes &own, int64_t height,
                                 int64_t width) {
  auto resized = [&](int64_t edge) {
    return std::max<int64_t>(int64_t(double(edge) / own.cropShare), 1);
  };
  PictureSizes result = {height, width, resized(height), resized(width),
                         own.cropShare};
  if (own.resizeWidth > 0) // crop_mode squash
    return result;
  bool isShorterEdge =
      result.resizeWidth == result.resizeHeight || result.resizeWidth == 1;
  result.resizeWidth = isShorterEdge ? -1 : -result.resizeWidth;
  return result;
}

/// The sizes for an input of height x width: what is resized to keeps its
/// proportion to what is left after the crop. Where a shorter edge would no
/// longer cover the input, both edges are given.
inline PictureSizes scalePictureSizes(const PictureSizes &own, int64_t height,
                                      int64_t width) {
  PictureSizes result = {height, width, own.resizeHeight, own.resizeWidth,
                         own.cropShare};
  if (own.resizeHeight == 0 || own.height < 1 || own.width < 1)
    return result;
  if (own.cropShare > 0)
    return scaleByShare(own, height, width);
  auto scale = [](int64_t value, int64_t to, int64_t from) {
    return std::max<int64_t>((value * to + from / 2) / from, 1);
  };
  if (own.resizeHeight < 0) {
    result.resizeHeight = -scale(-own.resizeHeight, height, own.height);
    result.resizeWidth = -scale(-own.resizeWidth, width, own.width);
    return result;
  }
  if (own.resizeWidth != -1) {
    result.resizeHeight = scale(own.resizeHeight, height, own.height);
    result.resizeWidth =
        own.resizeWidth > 0
            ? scale(own.resizeWidth, width, own.width)
            : -std::max<int64_t>(scale(-own.resizeWidth, width, own.width), 2);
    return result;
  }
  int64_t shorter = std::min(own.height, own.width);
  if (height * own.width == width * own.height) {
    result.resizeHeight =
        scale(own.resizeHeight, std::min(height, width), shorter);
    return result;
  }
  result.resizeHeight = scale(own.resizeHeight, height, shorter);
  result.resizeWidth =
      -std::max<int64_t>(scale(own.resizeHeight, width, shorter), 2);
  return result;
}

} // namespace vit::format

#endif // VIT_FORMAT_PICTURESIZES_H
