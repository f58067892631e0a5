//===- SharedDataTest.cpp - Comparison with reference data ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The expected values come from Pillow, transformers and timm; see
// images/manifest.json there. Skipped if the data is missing.
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cmath>
#include <cstring>

using namespace vit;
using namespace vit::test;
using data::Image;

/// The largest difference of a picture from a u1 array [height, width, 3].
static int difference(const Image &image, const std::string &npy) {
  data::Tensor expected = data::Tensor::readNpy(npy);
  EXPECT_EQ(expected.dims(),
            (std::vector<int64_t>{image.height(), image.width(), 3}))
      << npy;
  int largest = 0;
  for (size_t i = 0; i < expected.get().size; ++i)
    largest = std::max(
        largest, std::abs(image.pixels()[i] - expected.data<uint8_t>()[i]));
  return largest;
}

TEST(Shared, PicturesDecodeAsPillow) {
  VIT_REQUIRE_SHARED("images");
  const char *names[] = {"hopper.jpg",
                         "hopper.png",
                         "hopper.bmp",
                         "hopper.ppm",
                         "hopper_gray.jpg",
                         "pil_sample_cmyk.jpg",
                         "pil_sample_rgb.jpg",
                         "app13-multiple.jpg",
                         "hopper_orientation_3.jpg",
                         "hopper_orientation_6.jpg",
                         "pil123rgba.png",
                         "uncompressed_la.png",
                         "l_trns.png",
                         "p_16.png",
                         "mode_16bit.png",
                         "1_trns.png"};
  for (const char *name : names) {
    std::string path = sharedPath(std::string("images/") + name);
    std::string expected =
        sharedPath(std::string("images/expected/") + name + ".rgb.npy");
    bool isJpeg = std::string(name).find(".jpg") != std::string::npos;
    EXPECT_LE(difference(Image::load(path), expected), isJpeg ? 3 : 0) << name;
    std::string turned = sharedPath(std::string("images/expected/") + name +
                                    ".exif_transposed.rgb.npy");
    if (!exists(turned))
      continue;
    vit_image_options options = {sizeof(options), 3, 1, 0};
    EXPECT_LE(difference(Image::load(path, &options), turned), 3) << name;
  }
}

TEST(Shared, BrokenPicturesAreErrors) {
  VIT_REQUIRE_SHARED("images");
  for (const char *name :
       {"truncated_jpeg.jpg", "truncated_image.png", "broken.png"}) {
    std::string path = sharedPath(std::string("images/") + name);
    vit_image image = {};
    expectFailure(VIT_CORRUPT, name, [&](vit_error *error) {
      return vit_image_load(path.c_str(), nullptr, &image, error);
    });
  }
}

TEST(Shared, ResizesAsPillow) {
  VIT_REQUIRE_SHARED("images");
  const std::pair<const char *, int32_t> filters[] = {
      {"nearest", 0}, {"lanczos", 1}, {"box", 4}, {"hamming", 5}};
  for (const char *name : {"hopper.jpg", "000000039769.png"}) {
    Image image = Image::load(sharedPath(std::string("images/") + name));
    std::string stem(name, std::strcspn(name, "."));
    for (auto [filter, code] : filters)
      EXPECT_EQ(difference(image.resize(24, 40, code),
                           sharedPath("images/preprocessed/" + stem + ".pil_" +
                                      filter + "_24x40_u8.npy")),
                0)
          << name << " " << filter;
  }
}

/// The largest difference from a preprocessed tensor, in grey levels.
static double preprocessed(const char *picture, const std::string &expected,
                           const char *processor, const char *config) {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  data::call(vit_preprocessing_from_json, processor, config, &p);
  data::Tensor tensor = data::Tensor::loadPicture(
      sharedPath(std::string("images/") + picture), p);
  data::Tensor reference =
      data::Tensor::readNpy(sharedPath("images/preprocessed/" + expected));
  EXPECT_EQ(reference.get().size, tensor.get().size);
  double largest = 0;
  size_t plane = size_t(p.height) * size_t(p.width);
  for (size_t i = 0; i < tensor.get().size / sizeof(float); ++i)
    largest = std::max(largest, std::fabs(double(tensor.data<float>()[i]) -
                                          reference.data<float>()[i]) *
                                    p.std[i / plane] * 255);
  return largest;
}

TEST(Shared, PreprocessesAsTransformersAndTimm) {
  VIT_REQUIRE_SHARED("images");
  for (const char *picture : {"hopper.jpg", "000000039769.png"}) {
    std::string stem(picture, std::strcspn(picture, "."));
    EXPECT_LT(preprocessed(picture, stem + ".hf_pil_224.npy",
                           R"({"size": {"height": 224, "width": 224}})",
                           nullptr),
              1e-3);
    EXPECT_LT(preprocessed(picture, stem + ".hf_pil_32.npy", R"({"size": 32})",
                           nullptr),
              1e-3);
    EXPECT_LT(preprocessed(picture, stem + ".hf_pil_48x80_bicubic.npy",
                           R"({"size": {"height": 48, "width": 80},
                               "resample": 3,
                               "image_mean": [0.485, 0.456, 0.406],
                               "image_std": [0.229, 0.224, 0.225]})",
                           nullptr),
              1e-3);
    EXPECT_LT(preprocessed(picture, stem + ".timm_224.npy", nullptr,
                           R"({"architecture": "vit", "pretrained_cfg": {
                               "input_size": [3, 224, 224], "crop_pct": 0.9,
                               "interpolation": "bicubic",
                               "mean": [0.5, 0.5, 0.5],
                               "std": [0.5, 0.5, 0.5]}})"),
              1e-3);
  }
}

TEST(Shared, CheckpointInputs) {
  VIT_REQUIRE_SHARED("checkpoints");
  // input.npy holds the preprocessed pictures of images/ in order.
  for (const char *name : {"mnist-vit-hf", "mnist-vit-timm"}) {
    std::string folder = sharedPath(std::string("checkpoints/") + name);
    vit_preprocessing p = data::readPreprocessing(folder);
    EXPECT_EQ(p.channels, 1);
    data::Tensor input = data::Tensor::readNpy(folder + "/input.npy");
    data::Tensor first =
        data::Tensor::loadPicture(folder + "/images/00_label7.png", p);
    size_t count = first.get().size / sizeof(float);
    for (size_t i = 0; i < count; ++i)
      ASSERT_NEAR(first.data<float>()[i], input.data<float>()[i], 1e-5)
          << name << " " << i;
    data::Weights weights(folder);
    EXPECT_GT(weights.count(), 20);
  }
}

TEST(Shared, ReferenceWeights) {
  VIT_REQUIRE_SHARED("reference");
  for (const char *name :
       {"hf-tiny", "hf-bf16", "timm-small", "lucidrains-cifar-dim100"}) {
    data::Weights weights(sharedPath(std::string("reference/") + name));
    EXPECT_GT(weights.count(), 10);
    for (int64_t i = 0; i < weights.count(); ++i) {
      vit_weight_info info = weights.info(i);
      int64_t elements = 1;
      for (int32_t d = 0; d < info.rank; ++d)
        elements *= info.dims[d];
      std::vector<double> values(static_cast<size_t>(elements));
      weights.read(i, 0, elements, values.data());
      for (double value : values)
        ASSERT_TRUE(std::isfinite(value) && std::fabs(value) < 100)
            << name << " " << info.name;
    }
  }
}

TEST(Shared, BothVersionsOfCifarAgree) {
  VIT_REQUIRE_SHARED("cifar10-lossless");
  VIT_REQUIRE_SHARED("cifar10-lossless-py");
  data::Dataset binary(sharedPath("cifar10-lossless"));
  data::Dataset python(sharedPath("cifar10-lossless-py"));
  ASSERT_EQ(binary.count(), 932);
  ASSERT_EQ(python.count(), 932);
  EXPECT_STREQ(vit_dataset_format(python.handle()), "cifar10-python");
  EXPECT_STREQ(python.className(6), "frog");
  for (int64_t i = 0; i < 932; ++i) {
    auto [a, labelA] = binary.get(i);
    auto [b, labelB] = python.get(i);
    ASSERT_EQ(labelA, labelB) << i;
    ASSERT_EQ(std::memcmp(a.pixels(), b.pixels(), 3072), 0) << i;
  }
  vit_dataset_options train = {sizeof(train), "train", 0, 0, 0};
  EXPECT_EQ(data::Dataset(sharedPath("cifar10-lossless"), &train).count(),
            5 * 932);
}

TEST(Shared, Mnist) {
  VIT_REQUIRE_SHARED("mnist");
  vit_dataset_options options = {sizeof(options), "test", 8000, 2000, 0};
  data::Dataset dataset(sharedPath("mnist"), &options);
  EXPECT_EQ(dataset.count(), 2000);
  data::Dataset whole(sharedPath("mnist"));
  EXPECT_EQ(whole.count(), 10000);
  EXPECT_EQ(whole.get(0).second, 7);
  EXPECT_EQ(whole.get(8000).second, dataset.get(0).second);
}

TEST(Shared, ImageFolders) {
  VIT_REQUIRE_SHARED("folders");
  vit_dataset_options train = {sizeof(train), "train", 0, 0, 0};
  data::Dataset cifar(sharedPath("folders/cifar10-png"), &train);
  EXPECT_EQ(cifar.count(), 200);
  EXPECT_EQ(cifar.classCount(), 10);
  data::Dataset scenes(sharedPath("folders/scenes"));
  EXPECT_EQ(scenes.count(), 30);
  EXPECT_STREQ(scenes.className(1), "forest");
  for (int64_t i = 0; i < scenes.count(); ++i) {
    auto [image, label] = scenes.get(i);
    EXPECT_EQ(label, i / 15);
    EXPECT_EQ(image.width(), 150);
  }
}
