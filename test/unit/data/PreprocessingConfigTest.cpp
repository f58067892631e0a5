//===- PreprocessingConfigTest.cpp - Configurations of model folders ------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

using namespace vit;
using namespace vit::test;

static vit_preprocessing parse(const char *processor, const char *config) {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  data::call(vit_preprocessing_from_json, processor, config, &p);
  return p;
}

static void expectRefused(vit_status status, const std::string &text,
                          const char *processor, const char *config) {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  expectFailure(status, text, [&](vit_error *error) {
    return vit_preprocessing_from_json(processor, config, &p, error);
  });
  EXPECT_EQ(p.height, 0) << "untouched where the call fails";
}

TEST(PreprocessingConfig, VitImageProcessor) {
  vit_preprocessing p = parse(R"({
    "image_processor_type": "ViTImageProcessor", "do_resize": true,
    "size": {"height": 96, "width": 64}, "resample": 3, "do_rescale": true,
    "rescale_factor": 0.00392156862745098, "do_normalize": true,
    "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]})",
                              nullptr);
  EXPECT_EQ(p.channels, 3);
  EXPECT_EQ(p.height, 96);
  EXPECT_EQ(p.width, 64);
  EXPECT_EQ(p.resize_height, 96);
  EXPECT_EQ(p.resize_width, 64);
  EXPECT_EQ(p.center_crop, 0);
  EXPECT_EQ(p.interpolation, 3);
  EXPECT_EQ(p.apply_exif_orientation, 1);
  EXPECT_EQ(p.scale, 1.0f / 255);
  EXPECT_EQ(p.mean[2], 0.3f);
  EXPECT_EQ(p.std[0], 0.4f);
}

TEST(PreprocessingConfig, DefaultsOfTransformers) {
  vit_preprocessing p = parse("{}", nullptr);
  EXPECT_EQ(p.height, 224);
  EXPECT_EQ(p.interpolation, 2);
  EXPECT_EQ(p.mean[1], 0.5f);
  p = parse(R"({"feature_extractor_type": "ViTFeatureExtractor", "size": 384})",
            nullptr);
  EXPECT_EQ(p.resize_width, 384);
  p = parse(R"({"image_processor_type": "DeiTImageProcessor"})", nullptr);
  EXPECT_EQ(p.resize_height, 256);
  EXPECT_EQ(p.resize_width, 256);
  EXPECT_EQ(p.height, 224);
  EXPECT_EQ(p.center_crop, 2);
  EXPECT_EQ(p.interpolation, 3);
  p = parse(R"({"image_processor_type": "CLIPImageProcessor", "size": 224})",
            nullptr);
  EXPECT_EQ(p.resize_width, -1);
  EXPECT_EQ(p.mean[0], 0.48145466f);
}

TEST(PreprocessingConfig, CropAndShortestEdge) {
  vit_preprocessing p = parse(R"({
    "size": {"shortest_edge": 256}, "do_center_crop": true,
    "crop_size": {"height": 224, "width": 192}})",
                              nullptr);
  EXPECT_EQ(p.resize_height, 256);
  EXPECT_EQ(p.resize_width, -1);
  EXPECT_EQ(p.height, 224);
  EXPECT_EQ(p.width, 192);
  EXPECT_EQ(p.center_crop, 2);
}

TEST(PreprocessingConfig, StepsLeftOut) {
  vit_preprocessing p = parse(R"({"do_resize": false, "do_rescale": false,
                                  "do_normalize": false})",
                              R"({"image_size": [32, 48]})");
  EXPECT_EQ(p.resize_height, 0);
  EXPECT_EQ(p.height, 32);
  EXPECT_EQ(p.width, 48);
  EXPECT_EQ(p.scale, 1);
  EXPECT_EQ(p.mean[0], 0);
  EXPECT_EQ(p.std[2], 1);
}

// What vit-run train writes beside the members of ViTImageProcessor.
TEST(PreprocessingConfig, OwnMembers) {
  vit_preprocessing p = parse(R"({
    "image_processor_type": "ViTImageProcessor",
    "size": {"shortest_edge": 256}, "do_center_crop": true,
    "crop_size": {"height": 224, "width": 192}, "vit_preprocessing": {
      "resize_height": 256, "resize_width": -220, "center_crop": 1,
      "apply_exif_orientation": 0}})",
                              nullptr);
  EXPECT_EQ(p.resize_height, 256);
  EXPECT_EQ(p.resize_width, -220);
  EXPECT_EQ(p.center_crop, 1);
  EXPECT_EQ(p.apply_exif_orientation, 0);
  expectRefused(VIT_CORRUPT, "vit_preprocessing.center_crop",
                R"({"vit_preprocessing": {"center_crop": 3}})", nullptr);
  expectRefused(VIT_CORRUPT, "vit_preprocessing.resize_height",
                R"({"vit_preprocessing": {"resize_height": 0.5}})", nullptr);
}

TEST(PreprocessingConfig, GreyModels) {
  vit_preprocessing p =
      parse(R"({"size": 28, "image_mean": [0.1307], "image_std": [0.3081]})",
            R"({"num_channels": 1})");
  EXPECT_EQ(p.channels, 1);
  EXPECT_EQ(p.mean[0], 0.1307f);
  // Three equal numbers are accepted for one channel, and one for three.
  p = parse(R"({"image_mean": [0.5, 0.5, 0.5]})", R"({"num_channels": 1})");
  EXPECT_EQ(p.mean[0], 0.5f);
  EXPECT_EQ(parse(R"({"image_mean": 0.4})", nullptr).channels, 3);
  p = parse(R"({"image_mean": [0.4]})", R"({"num_channels": 3})");
  EXPECT_EQ(p.mean[2], 0.4f);
}

TEST(PreprocessingConfig, Timm) {
  vit_preprocessing p = parse(nullptr, R"({"architecture": "vit",
    "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.9,
      "interpolation": "bicubic", "crop_mode": "center",
      "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.5, 0.5]}})");
  EXPECT_EQ(p.height, 224);
  EXPECT_EQ(p.resize_height, 248); // floor(224 / 0.9)
  EXPECT_EQ(p.resize_width, -1);
  EXPECT_EQ(p.center_crop, 1);
  EXPECT_EQ(p.interpolation, 3);
  EXPECT_EQ(p.apply_exif_orientation, 0);
  EXPECT_EQ(p.std[0], 0.25f);

  p = parse(nullptr, R"({"architecture": "vit", "model_args":
      {"img_size": [32, 64], "in_chans": 1},
    "pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 1.0,
      "crop_mode": "squash", "mean": [0.0], "std": [1.0]}})");
  EXPECT_EQ(p.channels, 1);
  EXPECT_EQ(p.height, 32);
  EXPECT_EQ(p.width, 64);
  EXPECT_EQ(p.resize_height, 32);
  EXPECT_EQ(p.resize_width, 64);

  p = parse(nullptr, R"({"architecture": "vit", "model_args":
      {"img_size": [32, 64]}, "pretrained_cfg": {"crop_pct": 0.875}})");
  EXPECT_EQ(p.resize_height, 36);
  EXPECT_EQ(p.resize_width, -73);
  EXPECT_EQ(p.mean[0], 0.485f); // timm's default is ImageNet's.
}

TEST(PreprocessingConfig, ConfigAlone) {
  vit_preprocessing p = parse(nullptr, R"({"model_type": "vit",
                                           "image_size": 96})");
  EXPECT_EQ(p.height, 96);
  EXPECT_EQ(p.apply_exif_orientation, 1);
  p = parse(nullptr, R"({"library": "vit-pytorch", "class": "ViT",
                         "args": {"image_size": [32, 64], "channels": 1}})");
  EXPECT_EQ(p.channels, 1);
  EXPECT_EQ(p.resize_width, 64);
  EXPECT_EQ(p.interpolation, 2);
  EXPECT_EQ(p.mean[0], 0.5f);
}

TEST(PreprocessingConfig, DefaultOfTheModel) {
  vit_preprocessing p = parse(nullptr, R"({"model_type": "clip",
    "vision_config": {"image_size": 336}})");
  EXPECT_EQ(p.height, 336);
  EXPECT_EQ(p.resize_height, 336);
  EXPECT_EQ(p.resize_width, -1);
  EXPECT_EQ(p.interpolation, 3);
  EXPECT_EQ(p.mean[0], 0.48145466f);
  p = parse(nullptr, R"({"model_type": "deit", "image_size": 448})");
  EXPECT_EQ(p.resize_height, 512);
  EXPECT_EQ(p.resize_width, 512);
  EXPECT_EQ(p.height, 448);
  p = parse(nullptr, R"({"model_type": "siglip",
    "vision_config": {"model_type": "siglip_vision_model"}})");
  EXPECT_EQ(p.height, 224);
  EXPECT_EQ(p.resize_width, 224);
  EXPECT_EQ(p.center_crop, 0);
  EXPECT_EQ(p.mean[0], 0.5f);
  p = parse(nullptr, R"({"library": "torchvision", "class": "vit_b_16"})");
  EXPECT_EQ(p.height, 224);
  EXPECT_EQ(p.resize_height, 256);
  EXPECT_EQ(p.mean[0], 0.485f);
  EXPECT_EQ(p.interpolation, 2);
}

TEST(PreprocessingConfig, PartOfAProcessor) {
  vit_preprocessing p = parse(R"({"processor_class": "CLIPProcessor",
    "image_processor": {"image_processor_type": "CLIPImageProcessor",
      "size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32},
      "resample": 2}})",
                              nullptr);
  EXPECT_EQ(p.height, 32);
  EXPECT_EQ(p.interpolation, 2);
  EXPECT_EQ(p.std[0], 0.26862954f);
}

TEST(PreprocessingConfig, OpenClip) {
  vit_preprocessing p = parse(nullptr, R"({"model_cfg": {"vision_cfg":
    {"image_size": 32}}, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3],
    "resize_mode": "squash", "interpolation": "bilinear"}})");
  EXPECT_EQ(p.height, 32);
  EXPECT_EQ(p.resize_width, 32);
  EXPECT_EQ(p.interpolation, 2);
  EXPECT_EQ(p.mean[2], 0.3f);
  EXPECT_EQ(p.std[0], 0.26862954f);
  p = parse(nullptr, R"({"model_cfg": {"vision_cfg": {"image_size": 32}}})");
  EXPECT_EQ(p.resize_width, -1);
  EXPECT_EQ(p.center_crop, 1);
  EXPECT_EQ(p.interpolation, 3);
  // "longest" fits the picture in, and the crop adds what it lacks.
  p = parse(nullptr, R"({"model_cfg": {"vision_cfg": {"image_size": [32, 48]}},
    "preprocess_cfg": {"resize_mode": "longest", "interpolation": "random"}})");
  EXPECT_EQ(p.resize_height, -32);
  EXPECT_EQ(p.resize_width, -48);
  EXPECT_EQ(p.center_crop, 1);
  EXPECT_EQ(p.interpolation, 3);
  p = parse(nullptr, R"({"model_cfg": {"vision_cfg": {"image_size": [32, 48]}},
    "preprocess_cfg": {"resize_mode": "shortest"}})");
  EXPECT_EQ(p.resize_height, 32);
  EXPECT_EQ(p.resize_width, -48);
  auto refuse = [](const char *text, const char *settings) {
    expectRefused(VIT_UNSUPPORTED, text, nullptr,
                  (std::string(R"({"model_cfg": {}, "preprocess_cfg": )") +
                   settings + "}")
                      .c_str());
  };
  refuse("known are shortest, longest and squash", R"({"resize_mode": "no"})");
  refuse("fill_color is not 0",
         R"({"resize_mode": "longest", "fill_color": 9})");
  refuse("known are bicubic, bilinear and random",
         R"({"interpolation": "lanczos"})");
}

TEST(PreprocessingConfig, ImageProcessorsOfFamilies) {
  // A number is the shorter edge for SigLIP, without which it has two.
  vit_preprocessing p =
      parse(R"({"image_processor_type": "SiglipImageProcessor", "size": 64})",
            R"({"model_type": "siglip_vision_model", "image_size": 64})");
  EXPECT_EQ(p.resize_height, 64);
  EXPECT_EQ(p.resize_width, -1);
  EXPECT_EQ(p.center_crop, 0);
  p = parse(R"({"image_processor_type": "SiglipImageProcessor"})", nullptr);
  EXPECT_EQ(p.resize_width, 224);
  // BEiT's pictures are not cropped.
  p = parse(nullptr, R"({"model_type": "beit", "image_size": 384})");
  EXPECT_EQ(p.resize_height, 384);
  EXPECT_EQ(p.center_crop, 0);
  EXPECT_EQ(p.interpolation, 3);
  // DINOv3's are resized without rounding.
  p = parse(R"({"image_processor_type": "DINOv3ViTImageProcessor",
                "resample": 1, "size": 64})",
            nullptr);
  EXPECT_EQ(p.resize_width, 64);
  EXPECT_EQ(p.interpolation, 16 + 1);
}

TEST(PreprocessingConfig, LyingFiles) {
  auto processor = [](vit_status status, const char *text, const char *json) {
    expectRefused(status, text, json, nullptr);
  };
  processor(VIT_CORRUPT, "not JSON", "{");
  processor(VIT_CORRUPT, "not a JSON object", "[]");
  processor(VIT_CORRUPT, "size", R"({"size": "big"})");
  processor(VIT_CORRUPT, "size", R"({"size": -1})");
  processor(VIT_CORRUPT, "size.height", R"({"size": {"height": 1e9,
                                                     "width": 2}})");
  processor(VIT_CORRUPT, "size needs", R"({"size": {"height": 7}})");
  processor(VIT_CORRUPT, "size", R"({"size": 3.5})");
  processor(VIT_CORRUPT, "image_mean", R"({"image_mean": [0.1, 0.2]})");
  processor(VIT_CORRUPT, "image_mean has 2 numbers for 3 channels",
            R"({"image_mean": [0.5, 0.5]})");
  processor(VIT_CORRUPT, "rescale_factor must be a number other than 0",
            R"({"rescale_factor": 0})");
  processor(VIT_UNSUPPORTED, "size.max_width", R"({"size": {"max_width": 9}})");
  processor(VIT_CORRUPT, "image_std", R"({"image_std": "x"})");
  processor(VIT_CORRUPT, "std", R"({"image_std": [1, 0, 1]})");
  processor(VIT_CORRUPT, "resample", R"({"resample": 9})");
  processor(VIT_CORRUPT, "do_resize", R"({"do_resize": "yes"})");
  processor(VIT_UNSUPPORTED, "do_pad", R"({"do_pad": true})");
  processor(VIT_UNSUPPORTED, "longest_edge",
            R"({"size": {"longest_edge": 9}})");
  processor(VIT_UNSUPPORTED, "DonutImageProcessor",
            R"({"image_processor_type": "DonutImageProcessor"})");
  auto config = [](vit_status status, const char *text, const char *json) {
    expectRefused(status, text, nullptr, json);
  };
  config(VIT_UNSUPPORTED, "num_channels", R"({"num_channels": 4})");
  config(VIT_CORRUPT, "crop_pct", R"({"pretrained_cfg": {"crop_pct": 0}})");
  config(VIT_CORRUPT, "input_size",
         R"({"pretrained_cfg": {"input_size": [3, 224]}})");
  config(VIT_UNSUPPORTED, "border",
         R"({"pretrained_cfg": {"crop_mode": "border"}})");
  config(VIT_UNSUPPORTED, "random",
         R"({"pretrained_cfg": {"interpolation": "random"}})");
  config(VIT_CORRUPT, "pretrained_cfg", R"({"pretrained_cfg": 3})");
  config(VIT_CORRUPT, "args", R"({"library": "vit-pytorch"})");
  // Deep nesting must not overflow the stack.
  std::string deep = "{\"a\":" + std::string(100000, '[');
  config(VIT_CORRUPT, "not JSON", deep.c_str());
}

TEST(PreprocessingConfig, Folders) {
  TemporaryFolder folder;
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  auto read = [&](vit_error *error) {
    return vit_preprocessing_from_folder(folder.path.c_str(), &p, error);
  };
  expectFailure(VIT_NOT_FOUND, "neither", read);
  folder.write("config.json", R"({"image_size": 40})");
  EXPECT_EQ(data::readPreprocessing(folder.path).height, 40);
  folder.write("preprocessor_config.json", R"({"size": 48})");
  EXPECT_EQ(data::readPreprocessing(folder.path).height, 48);
  // One without a part for pictures says nothing about them.
  folder.write("processor_config.json", R"({"processor_class": "X"})");
  EXPECT_EQ(data::readPreprocessing(folder.path).height, 48);
  folder.write("processor_config.json", R"({"image_processor": {"size": 56}})");
  EXPECT_EQ(data::readPreprocessing(folder.path).height, 56);
  folder.write("processor_config.json", R"({"processor_class": "X"})");
  folder.write("config.json", "oops");
  expectFailure(VIT_CORRUPT, "/config.json", read);
  expectFailure(VIT_NOT_FOUND, "/no/such", [&](vit_error *error) {
    return vit_preprocessing_from_folder("/no/such", &p, error);
  });
  p.struct_size = 0;
  expectFailure(VIT_INVALID_ARGUMENT, "struct_size", read);
}
