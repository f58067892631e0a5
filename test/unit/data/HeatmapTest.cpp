//===- HeatmapTest.cpp - Heat maps over pictures --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cmath>
#include <limits>

using namespace vit;
using namespace vit::test;

namespace {
struct Canvas {
  Canvas(int32_t width, int32_t height, uint8_t value)
      : pixels(size_t(width) * height * 3, value),
        image{width, height, 3, pixels.data()} {}
  std::vector<uint8_t> pixels;
  vit_image image;
};
} // namespace

static double lightness(const uint8_t *pixel) {
  auto linear = [](double v) {
    v /= 255;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(pixel[0]) + 0.7152 * linear(pixel[1]) +
         0.0722 * linear(pixel[2]);
}

TEST(Heatmap, ColoursRiseInLightness) {
  Canvas canvas(256, 1, 0);
  float map[256];
  for (int i = 0; i < 256; ++i)
    map[i] = float(i) - 3;
  data::call(vit_image_blend_heatmap, &canvas.image, map, 1, 256, 1.0f);
  for (int i = 1; i < 256; ++i)
    EXPECT_GE(lightness(&canvas.pixels[3 * i]) + 0.004,
              lightness(&canvas.pixels[3 * i - 3]))
        << i;
  EXPECT_LT(lightness(&canvas.pixels[0]), 0.06);
  EXPECT_GT(lightness(&canvas.pixels[3 * 255]), 0.7);
  // Low values are blue, high values are yellow.
  EXPECT_GT(canvas.pixels[2], canvas.pixels[0]);
  EXPECT_GT(canvas.pixels[3 * 255], canvas.pixels[3 * 255 + 2]);
}

TEST(Heatmap, HotCellIsHottestInItsMiddle) {
  Canvas canvas(40, 40, 128);
  std::vector<float> map(16, 0.0f);
  map[1 * 4 + 2] = 1; // Row 1, column 2: pixels 10..19 x 20..29.
  data::call(vit_image_blend_heatmap, &canvas.image, map.data(), 4, 4, 0.6f);
  auto at = [&](int x, int y) {
    return lightness(&canvas.pixels[3 * (y * 40 + x)]);
  };
  EXPECT_GT(at(24, 14), at(24, 5));
  EXPECT_GT(at(24, 14), at(15, 14));
  EXPECT_GT(at(15, 14), at(2, 14));
  EXPECT_NEAR(at(24, 14), at(25, 15), 0.03);
}

TEST(Heatmap, NoOpacityNoChange) {
  Canvas canvas(5, 5, 77);
  float map[] = {1, 2, 3, 4};
  data::call(vit_image_blend_heatmap, &canvas.image, map, 2, 2, 0.0f);
  EXPECT_EQ(canvas.pixels, std::vector<uint8_t>(75, 77));
}

TEST(Heatmap, ConstantMapIsTheLowColour) {
  Canvas canvas(3, 3, 0);
  float map[] = {5, 5, 5, 5};
  data::call(vit_image_blend_heatmap, &canvas.image, map, 2, 2, 1.0f);
  EXPECT_LT(lightness(canvas.pixels.data()), 0.06);
}

TEST(Heatmap, Refusals) {
  Canvas canvas(3, 3, 0);
  float map[] = {0, std::numeric_limits<float>::quiet_NaN()};
  auto blend = [&](vit_image image, const float *values, int32_t width,
                   float opacity) {
    return [=](vit_error *error) {
      vit_image copy = image;
      return vit_image_blend_heatmap(&copy, values, 1, width, opacity, error);
    };
  };
  expectFailure(VIT_INVALID_ARGUMENT, "finite",
                blend(canvas.image, map, 2, 0.5f));
  expectFailure(VIT_INVALID_ARGUMENT, "empty",
                blend(canvas.image, map, 0, 0.5f));
  expectFailure(VIT_INVALID_ARGUMENT, "opacity",
                blend(canvas.image, map, 1, 1.5f));
  vit_image grey = canvas.image;
  grey.channels = 1;
  expectFailure(VIT_INVALID_ARGUMENT, "RGB", blend(grey, map, 1, 0.5f));
}
