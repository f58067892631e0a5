//===- ImageSize.cpp - Training at another image size ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ImageSize.h"

#include "Checkpoint.h"
#include "JsonText.h"
#include "Support.h"

#include "format/PictureSizes.h"
#include "vit/Import/RunTimeSize.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace vit::tools {

static constexpr const char *kPreprocessor = "/preprocessor_config.json";

namespace {
struct ImageSize {
  int64_t height = 0, width = 0;

  explicit ImageSize(const std::string &text);
  /// As image_size and img_size: a number, or [height, width].
  Json toJson() const {
    return height == width ? Json(height) : Json({height, width});
  }
};
} // namespace

ImageSize::ImageSize(const std::string &text) {
  const char *end = text.data() + text.size();
  auto read = [end](const char *begin, int64_t &number) {
    return std::from_chars(begin, end, number).ptr;
  };
  const char *next = read(text.data(), height);
  width = height;
  if (next != end && *next == 'x')
    next = read(next + 1, width);
  constexpr int64_t kMost = 1 << 15; // as vit-set-image-size
  if (next != end || std::min(height, width) < 1 ||
      std::max(height, width) > kMost)
    throw Error("the image size '" + text +
                "' is not of the form H or HxW (height and width in pixels, 1 "
                "to " +
                std::to_string(kMost) + "), such as 384 or 518x336");
}

static Json &objectAt(Json &parent, const char *key) {
  Json &member = parent[key];
  if (!member.is_object())
    member = Json::object();
  return member;
}

static void setTimmSize(Json &config, const ImageSize &size) {
  objectAt(config, "model_args")["img_size"] = size.toJson();
  // Before 2023 the file itself was a pretrained_cfg.
  Json &pretrained = config.contains("pretrained_cfg")
                         ? objectAt(config, "pretrained_cfg")
                         : config;
  Json channels = 3;
  if (Json &old = pretrained["input_size"]; old.is_array() && old.size() == 3)
    channels = old[0];
  pretrained["input_size"] = {channels, size.height, size.width};
}

/// Writes the size to the configuration of a model of transformers, if its
/// class keeps a table for that size. False if the configuration and the table
/// stay and the size of the pictures has to be stated elsewhere: the class
/// knows square tables alone, which interpolate_pos_encoding=True resamples.
static bool setTransformersSize(Json &config, const ImageSize &size) {
  std::string type = config.value("model_type", "");
  if (mlir::vit::takesSizeOfPictures(type))
    return true;
  auto isOf = [&](const char *family) {
    return type.find(family) != std::string::npos;
  };
  if (size.height != size.width && (isOf("clip") || isOf("siglip")))
    return false;
  Json *tower = &config;
  for (const char *key : {"vision_config", "vision_config_dict"})
    if (auto found = config.find(key);
        found != config.end() && found->is_object())
      tower = &*found;
  (*tower)["image_size"] = size.toJson();
  return true;
}

/// preprocessor_config.json for pictures of `size`, from what `checkpoint`
/// says. `own`: what readTrainedSize reads, if not empty.
static void writePreprocessor(const std::string &checkpoint,
                              const std::string &target, const ImageSize &size,
                              const std::string &own) {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  // Training reports what is wrong.
  if (vit_preprocessing_from_folder(checkpoint.c_str(), &p, nullptr) != VIT_OK)
    return;
  scalePreprocessing(p, size.height, size.width);
  Json result = Json::object(), described = describePreprocessing(p);
  std::string path = target + kPreprocessor;
  if (fs::exists(path))
    result = parseJsonObject(readFile(path), path);
  if (result.contains("image_processor_type"))
    described.erase("image_processor_type");
  result.update(described);
  if (!own.empty())
    result["vit_preprocessing"]["image_size"] = own;
  writeFile(path, jsonText(result, 2) + "\n");
}

void setModelSize(const std::string &checkpoint, const std::string &target,
                  const std::string &text) {
  ImageSize size(text);
  std::string path = target + "/config.json";
  Json config = parseJsonObject(readFile(path), path);
  if (config.contains("architecture")) {
    setTimmSize(config, size);
  } else if (config.contains("library")) {
    objectAt(config, "args")["image_size"] = size.toJson();
  } else {
    bool isStated = setTransformersSize(config, size);
    writePreprocessor(checkpoint, target, size, isStated ? "" : text);
  }
  writeFile(path, jsonText(config, 2) + "\n");
}

std::string readTrainedSize(const std::string &folder) {
  std::string path = folder + kPreprocessor;
  if (!fs::exists(path))
    return "";
  Json config = parseJsonObject(readFile(path), path);
  Json &own = config["vit_preprocessing"];
  Json size = own.is_object() ? own.value("image_size", Json()) : Json();
  return size.is_string() ? size.get<std::string>() : "";
}

} // namespace vit::tools
