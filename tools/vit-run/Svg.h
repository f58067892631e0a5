//===- Svg.h - Parts of pictures in SVG -------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_SVG_H
#define VIT_TOOLS_SVG_H

#include <string>
#include <vector>

namespace vit::tools {

// Colours that colour-blind people can tell apart (Okabe, Ito).
inline constexpr const char *kBlue = "#0072b2", *kPaleBlue = "#a8cfe6",
                            *kVermilion = "#d55e00";

/// The values of an axis.
struct Range {
  double low, high, step;

  std::vector<double> ticks() const;
};

/// A range of round numbers that contains [low, high], in about five steps of
/// 1, 2 or 5 times a power of ten.
Range roundRange(double low, double high);

/// Appends text as printf makes it, at most 511 characters.
__attribute__((format(printf, 2, 3))) void append(std::string &out,
                                                  const char *format, ...);

/// `text` as the content of an element: valid UTF-8 without control characters.
std::string escape(const std::string &text);

/// The beginning of a picture of this size in pixels: its element, a white
/// background and the title at x = `left`. "</svg>\n" ends it.
std::string beginPicture(double width, double height, double left,
                         const std::string &title);

} // namespace vit::tools

#endif // VIT_TOOLS_SVG_H
