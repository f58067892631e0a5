//===- PreprocessTest.cpp - Resizing, cropping, normalising ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

using namespace vit;
using namespace vit::test;
using data::Image;

/// A grey picture with the value x + 16 y at pixel (x, y).
namespace {
struct Ramp {
  Ramp(int32_t width, int32_t height)
      : pixels(size_t(width) * height), image{width, height, 1, pixels.data()} {
    for (int32_t y = 0; y < height; ++y)
      for (int32_t x = 0; x < width; ++x)
        pixels[size_t(y) * width + x] = uint8_t(x + 16 * y);
  }
  std::vector<uint8_t> pixels;
  vit_image image;
};
} // namespace

static vit_preprocessing makePlain(int32_t channels, int32_t height,
                                   int32_t width) {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  p.channels = channels;
  p.height = height;
  p.width = width;
  p.interpolation = 2;
  p.scale = 1;
  for (int c = 0; c < 4; ++c)
    p.std[c] = 1;
  return p;
}

static std::vector<float> preprocess(const vit_image &image,
                                     const vit_preprocessing &p) {
  std::vector<float> out(size_t(p.channels) * p.height * p.width);
  data::call(vit_image_preprocess, &image, &p, out.data());
  return out;
}

TEST(Resize, EveryFilterAsPillow) {
  Image source = Image::load(dataPath("images/rgb8.png"));
  data::Weights expected(dataPath("images/expected.safetensors"));
  const char *filters[] = {"nearest", "lanczos", "bilinear",
                           "bicubic", "box",     "hamming"};
  const int32_t sizes[][2] = {{5, 9}, {13, 30}, {20, 17}, {3, 40}};
  for (int32_t filter = 0; filter < 6; ++filter)
    for (const auto &size : sizes) {
      std::string name = std::string("resize/") + filters[filter] + "/" +
                         std::to_string(size[0]) + "x" +
                         std::to_string(size[1]);
      int64_t index = expected.find(name);
      ASSERT_GE(index, 0) << name;
      vit_weight_info info = expected.info(index);
      Image resized = source.resize(size[0], size[1], filter);
      ASSERT_EQ(info.size, size_t(resized.width()) * resized.height() * 3);
      EXPECT_EQ(std::memcmp(resized.pixels(), info.data, info.size), 0) << name;
    }
}

TEST(Resize, Refusals) {
  Ramp ramp(4, 4);
  vit_image out = {};
  expectFailure(VIT_INVALID_ARGUMENT, "interpolation 6", [&](vit_error *error) {
    return vit_image_resize(&ramp.image, 2, 2, 6, &out, error);
  });
  expectFailure(VIT_INVALID_ARGUMENT, "0 x 2", [&](vit_error *error) {
    return vit_image_resize(&ramp.image, 2, 0, 2, &out, error);
  });
  expectFailure(VIT_UNSUPPORTED, "limit", [&](vit_error *error) {
    return vit_image_resize(&ramp.image, 1 << 20, 1 << 20, 2, &out, error);
  });
  EXPECT_EQ(out.pixels, nullptr);
}

TEST(Preprocess, NormalisesPerChannelAndStoresChannelFirst) {
  uint8_t pixels[] = {0, 51, 102, 255, 204, 153};
  vit_image image{2, 1, 3, pixels};
  vit_preprocessing p = makePlain(3, 1, 2);
  p.scale = 1.0f / 255;
  for (int c = 0; c < 3; ++c) {
    p.mean[c] = 0.1f * (c + 1);
    p.std[c] = 0.5f / (c + 1);
  }
  std::vector<float> out = preprocess(image, p);
  for (int c = 0; c < 3; ++c)
    for (int x = 0; x < 2; ++x)
      EXPECT_FLOAT_EQ(out[size_t(2 * c + x)],
                      (pixels[3 * x + c] / 255.0f - p.mean[c]) / p.std[c]);
}

TEST(Preprocess, GreyBecomesRgbAndBack) {
  Ramp ramp(3, 2);
  std::vector<float> rgb = preprocess(ramp.image, makePlain(3, 2, 3));
  for (size_t i = 0; i < 18; ++i)
    EXPECT_EQ(rgb[i], float(ramp.pixels[i % 6]));
  uint8_t colored[] = {255, 0, 0, 0, 255, 0};
  vit_image image{2, 1, 3, colored};
  EXPECT_EQ(preprocess(image, makePlain(1, 1, 2)),
            (std::vector<float>{76, 150}));
}

TEST(Preprocess, CropOffsetsOfBothLibraries) {
  // For a difference of 7, torchvision rounds 3.5 to 4 and transformers to 3.
  // For a difference of 5, both round 2.5 to 2.
  Ramp ramp(9, 7);
  vit_preprocessing p = makePlain(1, 2, 2);
  p.center_crop = 1;
  std::vector<float> out = preprocess(ramp.image, p);
  EXPECT_EQ(out[0], 4 + 16 * 2);
  EXPECT_EQ(out[3], 5 + 16 * 3);
  p.center_crop = 2;
  EXPECT_EQ(preprocess(ramp.image, p)[0], 3 + 16 * 2);
}

TEST(Preprocess, CropOfASmallerPictureIsPadded) {
  Ramp ramp(2, 1);
  ramp.pixels = {10, 20};
  vit_preprocessing p = makePlain(1, 1, 5);
  p.center_crop = 1; // Three are missing: one on the left, two on the right.
  EXPECT_EQ(preprocess(ramp.image, p), (std::vector<float>{0, 10, 20, 0, 0}));
  p.center_crop = 2;
  EXPECT_EQ(preprocess(ramp.image, p), (std::vector<float>{0, 0, 10, 20, 0}));
  p.mean[0] = 1; // The padding is normalised like any pixel.
  EXPECT_EQ(preprocess(ramp.image, p)[0], -1);
}

TEST(Preprocess, ShorterEdge) {
  // 30 x 20 is resized to 15 x 10 (shorter edge 10), then cropped to 10 x 10.
  Ramp ramp(30, 20);
  vit_preprocessing p = makePlain(1, 10, 10);
  p.interpolation = 0;
  p.resize_height = 10;
  p.resize_width = -1;
  p.center_crop = 1;
  std::vector<float> out = preprocess(ramp.image, p);
  // Nearest takes pixel 2i + 1; the crop begins at round(2.5) = 2.
  EXPECT_EQ(out[0], float(uint8_t(5 + 16 * 1)));
  EXPECT_EQ(out[1], float(uint8_t(7 + 16 * 1)));
}

TEST(Preprocess, CoverKeepsTheAspectRatio) {
  // 30 x 20 covers 8 x 12: both ratios are 2.5, which gives 12 x 8 exactly.
  Ramp ramp(30, 20);
  vit_preprocessing p = makePlain(1, 8, 12);
  p.resize_height = 8;
  p.resize_width = -12;
  EXPECT_EQ(preprocess(ramp.image, p).size(), 96u);
  // Covering 8 x 8 gives 12 x 8, which has to be cropped to the tensor.
  p = makePlain(1, 8, 8);
  p.resize_height = 8;
  p.resize_width = -8;
  std::vector<float> out(64);
  expectFailure(VIT_INVALID_ARGUMENT, "30 x 20 pixels", [&](vit_error *error) {
    return vit_image_preprocess(&ramp.image, &p, out.data(), error);
  });
}

TEST(Preprocess, FitKeepsTheAspectRatio) {
  // 30 x 20 fits into 12 x 12 as 12 x 8; two rows above and below are zeros.
  Ramp ramp(30, 20);
  vit_preprocessing p = makePlain(1, 12, 12);
  p.resize_height = p.resize_width = -12;
  p.center_crop = 1;
  std::vector<float> out = preprocess(ramp.image, p);
  EXPECT_EQ(out[12], 0);
  EXPECT_GT(out[24], 0);
  EXPECT_GT(out[9 * 12], 0);
  EXPECT_EQ(out[10 * 12], 0);
}

/// Values of torchvision's resize of a float32 tensor.
TEST(Preprocess, WithoutRounding) {
  uint8_t pixels[] = {0, 0, 255, 255, 10, 20, 30, 40};
  vit_image image = {4, 2, 1, pixels};
  vit_preprocessing p = makePlain(1, 3, 6);
  p.resize_height = 3;
  p.resize_width = 6;
  const std::pair<int32_t, std::vector<float>> cases[] = {
      {3,
       {-0.615F, -16.916F, 31.288F, 237.198F, 285.402F, 269.101F, 4.671F,
        -0.441F, 26.181F, 126.319F, 152.941F, 147.829F, 9.957F, 16.033F,
        21.073F, 15.440F, 20.480F, 26.556F}},
      {1,
       {7.009F, -30.439F, 34.253F, 246.198F, 310.889F, 273.441F, 8.317F,
        -5.923F, 27.413F, 125.087F, 158.423F, 144.183F, 9.624F, 18.593F,
        20.573F, 3.977F, 5.957F, 14.925F}},
      {2,
       {0.F, 0.F, 42.5F, 212.5F, 255.F, 255.F, 5.F, 7.5F, 32.083F, 120.417F,
        145.F, 147.5F, 10.F, 15.F, 21.667F, 28.333F, 35.F, 40.F}},
  };
  for (const auto &[filter, expected] : cases) {
    p.interpolation = 16 + filter;
    std::vector<float> out = preprocess(image, p);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(out[i], expected[i], 2e-3) << filter << " " << i;
  }
  p.interpolation = 16 + 6;
  std::vector<float> out(18);
  expectFailure(VIT_INVALID_ARGUMENT, "none of Pillow's",
                [&](vit_error *error) {
                  return vit_image_preprocess(&image, &p, out.data(), error);
                });
}

TEST(Preprocess, Refusals) {
  Ramp ramp(4, 4);
  float out[64];
  auto tryIt = [&](const vit_preprocessing &p) {
    return [&ramp, &out, p](vit_error *error) {
      return vit_image_preprocess(&ramp.image, &p, out, error);
    };
  };
  vit_preprocessing p = makePlain(1, 3, 4);
  expectFailure(VIT_INVALID_ARGUMENT, "neither resizes nor crops", tryIt(p));
  p = makePlain(2, 4, 4);
  expectFailure(VIT_INVALID_ARGUMENT, "2 channels", tryIt(p));
  p = makePlain(1, 0, 4);
  expectFailure(VIT_INVALID_ARGUMENT, "4 x 0", tryIt(p));
  p = makePlain(1, 4, 4);
  p.std[0] = 0;
  expectFailure(VIT_INVALID_ARGUMENT, "std of zero", tryIt(p));
  p = makePlain(1, 4, 4);
  p.scale = std::numeric_limits<float>::quiet_NaN();
  expectFailure(VIT_INVALID_ARGUMENT, "no number", tryIt(p));
  p = makePlain(1, 4, 4);
  p.struct_size = 4;
  expectFailure(VIT_INVALID_ARGUMENT, "struct_size", tryIt(p));
}

TEST(LoadPicture, MakesATensor) {
  vit_preprocessing p = makePlain(3, 8, 6);
  p.resize_height = 8;
  p.resize_width = 6;
  std::string path = dataPath("images/rgb8.png");
  data::Tensor tensor = data::Tensor::loadPicture(path, p);
  EXPECT_EQ(tensor.dims(), (std::vector<int64_t>{1, 3, 8, 6}));
  EXPECT_EQ(tensor.dtype(), VIT_F32);
  Image image = Image::load(path);
  std::vector<float> expected = preprocess(*image.get(), p);
  EXPECT_TRUE(
      std::equal(expected.begin(), expected.end(), tensor.data<float>()));

  const char *paths[] = {path.c_str(), path.c_str()};
  vit_tensor batch = {};
  data::call(vit_data_load_pictures, paths, 2, &p, &batch);
  EXPECT_EQ(batch.dims[0], 2);
  EXPECT_EQ(batch.size, 2 * expected.size() * sizeof(float));
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                         static_cast<float *>(batch.data) + expected.size()));
  vit_tensor_release(&batch);
  EXPECT_EQ(batch.data, nullptr);

  expectFailure(VIT_NOT_FOUND, "/no/such.png", [&](vit_error *error) {
    return vit_data_load_picture("/no/such.png", &p, &batch, error);
  });
}

TEST(TopK, IsSortedAndSumsToOne) {
  float logits[] = {1, 3, 2, 3, -100};
  int32_t indices[5];
  float probabilities[5];
  data::call(vit_data_top_k, logits, 5, 5, indices, probabilities);
  EXPECT_EQ((std::vector<int32_t>(indices, indices + 5)),
            (std::vector<int32_t>{1, 3, 2, 0, 4}));
  EXPECT_NEAR(std::accumulate(probabilities, probabilities + 5, 0.0), 1, 1e-6);
  EXPECT_NEAR(probabilities[2] / probabilities[0], std::exp(-1.0), 1e-6);
  data::call(vit_data_top_k, logits, 5, 1, indices,
             static_cast<float *>(nullptr));
  EXPECT_EQ(indices[0], 1);
  float large[] = {1e30f, 1e30f}; // Must not overflow.
  data::call(vit_data_top_k, large, 2, 2, indices, probabilities);
  EXPECT_FLOAT_EQ(probabilities[0], 0.5f);
}

TEST(TopK, OtherScores) {
  float logits[] = {-1, 0, 2};
  int32_t indices[3];
  float scores[3];
  data::call(vit_data_top_scores, logits, 3, 3, VIT_SIGMOID, indices, scores);
  EXPECT_EQ((std::vector<int32_t>(indices, indices + 3)),
            (std::vector<int32_t>{2, 1, 0}));
  EXPECT_FLOAT_EQ(scores[0], 1 / (1 + std::exp(-2.0f)));
  EXPECT_FLOAT_EQ(scores[1], 0.5f);
  EXPECT_FLOAT_EQ(scores[2], 1 / (1 + std::exp(1.0f)));
  data::call(vit_data_top_scores, logits, 3, 3, VIT_NO_FUNCTION, indices,
             scores);
  EXPECT_EQ(scores[2], -1);
  float probabilities[3];
  data::call(vit_data_top_scores, logits, 3, 3, VIT_SOFTMAX, indices, scores);
  data::call(vit_data_top_k, logits, 3, 3, indices, probabilities);
  EXPECT_TRUE(std::equal(scores, scores + 3, probabilities));
  float huge[] = {-1e30f}; // Must not overflow.
  data::call(vit_data_top_scores, huge, 1, 1, VIT_SIGMOID, indices, scores);
  EXPECT_EQ(scores[0], 0);
}

TEST(TopK, Refusals) {
  float logits[] = {1, std::numeric_limits<float>::quiet_NaN()};
  int32_t indices[2];
  expectFailure(VIT_INVALID_ARGUMENT, "logit 1", [&](vit_error *error) {
    return vit_data_top_k(logits, 2, 1, indices, nullptr, error);
  });
  expectFailure(VIT_INVALID_ARGUMENT, "top 3 of 2", [&](vit_error *error) {
    return vit_data_top_k(logits, 2, 3, indices, nullptr, error);
  });
}

TEST(Preprocess, ExtremeAspectRatios) {
  for (bool isWide : {true, false}) {
    Ramp ramp(isWide ? 12000 : 2, isWide ? 2 : 12000);
    std::fill(ramp.pixels.begin(), ramp.pixels.end(), uint8_t(51));
    vit_preprocessing p = makePlain(1, 224, 224);
    p.resize_height = p.resize_width = 224;
    EXPECT_EQ(preprocess(ramp.image, p), std::vector<float>(224 * 224, 51));
    // The shorter edge of 2 becomes 256: refused before that is allocated.
    p.resize_height = 256;
    p.resize_width = -1;
    p.center_crop = 1;
    std::vector<float> out(224 * 224);
    expectFailure(VIT_UNSUPPORTED,
                  isWide ? "1536000 x 256 pixels" : "256 x 1536000 pixels",
                  [&](vit_error *error) {
                    return vit_image_preprocess(&ramp.image, &p, out.data(),
                                                error);
                  });
  }
}
