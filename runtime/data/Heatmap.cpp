//===- Heatmap.cpp - Attention over a picture -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"

#include <algorithm>
#include <cmath>

using namespace vit::data;

namespace {
struct Color {
  double red, green, blue;
};
} // namespace

static double encodeSrgb(double linear) {
  linear = std::clamp(linear, 0.0, 1.0);
  return linear <= 0.0031308 ? 12.92 * linear
                             : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
}

/// OKLab to sRGB (Ottosson 2020, "A perceptual color space for image
/// processing").
static Color fromOklab(double lightness, double a, double b) {
  double l = lightness + 0.3963377774 * a + 0.2158037573 * b;
  double m = lightness - 0.1055613458 * a - 0.0638541728 * b;
  double s = lightness - 0.0894841775 * a - 1.2914855480 * b;
  l = l * l * l, m = m * m * m, s = s * s * s;
  return {encodeSrgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          encodeSrgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          encodeSrgb(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

/// From dark blue at 0 through teal and green to light yellow at 1. Lightness
/// increases evenly, so that the order is visible in grey and to colour-blind
/// people.
static Color colorOf(double t) {
  constexpr double degree = 3.14159265358979323846 / 180;
  double lightness = 0.28 + 0.64 * t;
  double hue = (280 - 172 * t) * degree;
  double chroma = 0.12 + 0.04 * t;
  return fromOklab(lightness, chroma * std::cos(hue), chroma * std::sin(hue));
}

/// The two samples around each output position of one axis, and the weight of
/// the second; positions as with torch's align_corners=False.
namespace {
struct Tap {
  int32_t first, second;
  double fraction;
};
} // namespace

static std::vector<Tap> makeTaps(int32_t inSize, int32_t outSize) {
  std::vector<Tap> taps(static_cast<size_t>(outSize));
  for (int32_t i = 0; i < outSize; ++i) {
    double position = (i + 0.5) * inSize / outSize - 0.5;
    position = std::clamp(position, 0.0, double(inSize - 1));
    int32_t first = int32_t(position);
    taps[size_t(i)] = {first, std::min(first + 1, inSize - 1),
                       position - first};
  }
  return taps;
}

extern "C" vit_status
vit_image_blend_heatmap(vit_image *image, const float *map, int32_t map_height,
                        int32_t map_width, float opacity, vit_error *error) {
  return guarded(error, [&] {
    checkImage(image);
    if (image->channels != 3)
      invalid("a heat map needs an RGB picture");
    if (!map || map_height < 1 || map_width < 1)
      invalid("the heat map is empty");
    if (!(opacity >= 0 && opacity <= 1))
      invalid("the heat map's opacity must be between 0 and 1");
    size_t count = multiply(size_t(map_height), size_t(map_width), "the map");
    for (size_t i = 0; i < count; ++i)
      if (!std::isfinite(map[i]))
        invalid("the heat map holds a value that is not a finite number");
    auto [least, most] = std::minmax_element(map, map + count);
    double low = *least, range = double(*most) - low;

    uint8_t colors[256][3];
    for (int i = 0; i < 256; ++i) {
      Color color = colorOf(i / 255.0);
      colors[i][0] = uint8_t(std::lround(color.red * 255));
      colors[i][1] = uint8_t(std::lround(color.green * 255));
      colors[i][2] = uint8_t(std::lround(color.blue * 255));
    }

    std::vector<Tap> columns = makeTaps(map_width, image->width);
    std::vector<Tap> rows = makeTaps(map_height, image->height);
    uint8_t *pixel = image->pixels;
    for (const Tap &row : rows) {
      const float *upper = map + size_t(row.first) * size_t(map_width);
      const float *lower = map + size_t(row.second) * size_t(map_width);
      auto mix = [&](int32_t x) {
        return upper[x] * (1 - row.fraction) + lower[x] * row.fraction;
      };
      for (const Tap &column : columns) {
        double value = mix(column.first) * (1 - column.fraction) +
                       mix(column.second) * column.fraction;
        double t = range > 0 ? (value - low) / range : 0;
        const uint8_t *color =
            colors[std::lround(std::clamp(t, 0.0, 1.0) * 255)];
        for (int c = 0; c < 3; ++c)
          pixel[c] = uint8_t(
              std::lround(pixel[c] * (1 - opacity) + color[c] * opacity));
        pixel += 3;
      }
    }
  });
}
