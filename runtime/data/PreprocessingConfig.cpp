//===- PreprocessingConfig.cpp - What a model folder says -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"
#include "Json.h"
#include "format/PictureSizes.h"

#include <algorithm>
#include <cmath>
#include <optional>

using namespace vit::data;

namespace {
enum { Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming };
enum { CropNone, CropTorchvision, CropTransformers };
enum Edges { Both, Shorter };

struct Size {
  int32_t height, width;
};

/// Mean and standard deviation of the channels.
struct Statistics {
  float mean[3], std[3];
};

constexpr Statistics kHalf = {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}};
constexpr Statistics kImageNet = {{0.485f, 0.456f, 0.406f},
                                  {0.229f, 0.224f, 0.225f}};
constexpr Statistics kClip = {{0.48145466f, 0.4578275f, 0.40821073f},
                              {0.26862954f, 0.26130258f, 0.27577711f}};

/// The defaults of an image processor of transformers, for pictures of 224.
struct Processor {
  const char *prefix; ///< Of image_processor_type
  const char *name;
  int32_t size; ///< Of the edges that the next two say.
  Edges edges;  ///< Without "size",
  Edges number; ///< and where it is a number (default_to_square).
  bool crop;    ///< To 224 x 224
  int32_t interpolation;
  const Statistics &statistics;
  bool unrounded = false; ///< See kUnrounded.
};

/// As in transformers 5. There BEiT's pictures are not cropped; version 4
/// resized them to 256 and cropped 224, and wrote both to the file.
constexpr Processor kProcessors[] = {
    {"ViT", "ViTImageProcessor", 224, Both, Both, false, Bilinear, kHalf},
    {"DeiT", "DeiTImageProcessor", 256, Both, Both, true, Bicubic, kHalf},
    {"Beit", "BeitImageProcessor", 224, Both, Both, false, Bicubic, kHalf},
    {"CLIP", "CLIPImageProcessor", 224, Shorter, Shorter, true, Bicubic, kClip},
    {"ChineseCLIP", "ChineseCLIPImageProcessor", 224, Shorter, Shorter, true,
     Bicubic, kClip},
    {"Bit", "BitImageProcessor", 224, Shorter, Shorter, true, Bicubic, kClip},
    {"Siglip", "SiglipImageProcessor", 224, Both, Shorter, false, Bicubic,
     kHalf},
    {"DINOv3ViT", "DINOv3ViTImageProcessor", 224, Both, Both, false, Bilinear,
     kImageNet, /*unrounded=*/true},
};

int32_t interpolationOf(const Processor &kind, int32_t filter) {
  return kind.unrounded ? filter + vit::format::kUnrounded : filter;
}

/// The processor that transformers takes for a model without such a file;
/// "ViT" for others.
constexpr struct {
  const char *modelType, *processor;
} kProcessorOf[] = {{"deit", "DeiT"},
                    {"beit", "Beit"},
                    {"data2vec-vision", "Beit"},
                    {"clip", "CLIP"},
                    {"clip_vision_model", "CLIP"},
                    {"metaclip_2", "CLIP"},
                    {"metaclip_2_vision_model", "CLIP"},
                    {"aimv2", "CLIP"},
                    {"aimv2_vision_model", "CLIP"},
                    {"chinese_clip", "ChineseCLIP"},
                    {"chinese_clip_vision_model", "ChineseCLIP"},
                    {"dinov2", "Bit"},
                    {"dinov2_with_registers", "Bit"},
                    {"dinov3_vit", "DINOv3ViT"},
                    {"siglip", "Siglip"},
                    {"siglip_vision_model", "Siglip"}};
} // namespace

static vit_preprocessing makeDefaults() {
  vit_preprocessing p = {};
  p.struct_size = sizeof(p);
  p.channels = 3;
  p.interpolation = Bilinear;
  p.scale = 1.0f / 255;
  for (int c = 0; c < 4; ++c)
    p.mean[c] = p.std[c] = 0.5f;
  return p;
}

//===----------------------------------------------------------------------===//
// Members that several libraries share
//===----------------------------------------------------------------------===//

static int32_t toChannels(double value, const std::string &name) {
  if (value != 1 && value != 3)
    unsupported(name + " is " +
                std::to_string(int64_t(std::clamp(value, -1e9, 1e9))) +
                ": pictures have 1 (grey) or 3 (RGB) channels");
  return int32_t(value);
}

/// A number for both edges, or [height, width].
static bool readSize(const JsonObject &object, const char *key, Size &size) {
  std::vector<double> numbers = object.readNumbers(key);
  if (numbers.empty() && !object.has(key))
    return false;
  if (numbers.size() != 1 && numbers.size() != 2)
    object.refuse(key, "a number or [height, width]");
  size = {toPixels(numbers.front(), object.nameOf(key)),
          toPixels(numbers.back(), object.nameOf(key))};
  return true;
}

/// One number for all channels, or one for each.
static void readPerChannel(const JsonObject &object, const char *key,
                           int32_t channels, float *values) {
  std::vector<double> numbers = object.readNumbers(key);
  if (!object.has(key))
    return;
  bool same = !numbers.empty();
  for (double number : numbers) {
    same &= number == numbers.front();
    if (!(std::fabs(number) < 1e30))
      object.refuse(key, "a list of finite numbers");
  }
  // Configs of grey and of many channels often keep the three of colour.
  size_t count = numbers.size(), colours = 3;
  if (count != size_t(channels) && !(same && (count == 1 || count == colours)))
    corrupt(object.nameOf(key) + " has " + std::to_string(numbers.size()) +
            " numbers for " + std::to_string(channels) + " channels");
  for (int32_t c = 0; c < channels; ++c)
    values[c] = float(same ? numbers.front() : numbers[size_t(c)]);
}

static int32_t readInterpolation(const JsonObject &object, const char *key,
                                 int32_t otherwise) {
  const Json *value = object.find(key);
  if (!value)
    return otherwise;
  if (value->is_number()) {
    double number = value->get<double>();
    if (number < 0 || number > 5 || number != std::floor(number))
      object.refuse(key, "one of Pillow's filters, 0 to 5");
    return int32_t(number);
  }
  static const char *const names[] = {"nearest", "lanczos", "bilinear",
                                      "bicubic", "box",     "hamming"};
  std::string name = object.readString(key, "");
  for (int32_t i = 0; i < 6; ++i)
    if (name == names[i])
      return i;
  unsupported(object.nameOf(key) + " is \"" + name +
              "\": known are nearest, lanczos, bilinear, bicubic, box, "
              "hamming");
}

static void setSize(vit_preprocessing &p, Size size) {
  p.height = size.height;
  p.width = size.width;
}

static void setStatistics(vit_preprocessing &p, const Statistics &statistics) {
  std::copy_n(statistics.mean, 3, p.mean);
  std::copy_n(statistics.std, 3, p.std);
}

//===----------------------------------------------------------------------===//
// timm
//===----------------------------------------------------------------------===//

/// The transform that timm.data.create_transform(is_training=False) builds.
static vit_preprocessing readTimm(const JsonObject &config,
                                  const JsonObject &pretrained) {
  vit_preprocessing p = makeDefaults();
  std::vector<double> input = {3, 224, 224};
  if (pretrained.has("input_size")) {
    input = pretrained.readNumbers("input_size");
    if (input.size() != 3)
      pretrained.refuse("input_size", "[channels, height, width]");
  }
  p.channels = toChannels(input[0], pretrained.nameOf("input_size"));
  Size size = {toPixels(input[1], pretrained.nameOf("input_size")),
               toPixels(input[2], pretrained.nameOf("input_size"))};
  // The model's own input size takes precedence: it accepts no other.
  if (const Json *value = config.find("model_args")) {
    JsonObject arguments(*value, "model_args");
    readSize(arguments, "img_size", size);
    if (arguments.has("in_chans"))
      p.channels = toChannels(arguments.readNumber("in_chans", 3),
                              "model_args.in_chans");
  }
  setSize(p, size);
  p.interpolation = readInterpolation(pretrained, "interpolation", Bicubic);

  double cropShare = pretrained.readNumber("crop_pct", 0.875);
  if (!(cropShare > 0.01 && cropShare <= 1))
    pretrained.refuse("crop_pct", "a number above 0.01 and up to 1");
  p.resize_height = int32_t(std::floor(p.height / cropShare));
  p.resize_width = int32_t(std::floor(p.width / cropShare));
  p.center_crop = CropTorchvision;
  std::string mode = pretrained.readString("crop_mode", "center");
  if (mode == "center")
    p.resize_width = p.resize_width == p.resize_height || p.resize_width == 1
                         ? -1
                         : -p.resize_width;
  else if (mode != "squash")
    unsupported(pretrained.nameOf("crop_mode") + " is \"" + mode +
                "\": known are center and squash");

  setStatistics(p, kImageNet);
  readPerChannel(pretrained, "mean", p.channels, p.mean);
  readPerChannel(pretrained, "std", p.channels, p.std);
  return p;
}

//===----------------------------------------------------------------------===//
// transformers
//===----------------------------------------------------------------------===//

/// An edge length, {"height", "width"}, {"shortest_edge"} or [height, width].
/// Returns whether only the shorter edge is given, as both members of `size`.
static bool readProcessorSize(const JsonObject &object, const char *key,
                              bool numberIsShortestEdge, Size &size) {
  const Json *value = object.find(key);
  if (!value)
    return false;
  if (!value->is_object()) {
    return readSize(object, key, size) && value->is_number() &&
           numberIsShortestEdge;
  }
  JsonObject edges(*value, object.nameOf(key));
  for (const char *edge : {"longest_edge", "max_height", "max_width"})
    if (edges.has(edge))
      unsupported(edges.nameOf(edge) +
                  " is unsupported: give height and width");
  if (readSize(edges, "shortest_edge", size))
    return true;
  if (!edges.has("height") || !edges.has("width"))
    corrupt(object.nameOf(key) + " needs height and width, or shortest_edge");
  size = {toPixels(edges.readNumber("height", 0), edges.nameOf("height")),
          toPixels(edges.readNumber("width", 0), edges.nameOf("width"))};
  return false;
}

/// What vit-run train adds where the class has no member for it, under the
/// names of vit_preprocessing. See vit-data.h for the values.
static void readOwnMembers(const JsonObject &processor, vit_preprocessing &p) {
  const Json *value = processor.find("vit_preprocessing");
  if (!value)
    return;
  JsonObject own(*value, processor.nameOf("vit_preprocessing"));
  auto read = [&own](const char *key, int32_t &member, int32_t least,
                     int32_t most) {
    double number = own.readNumber(key, member);
    if (!(number >= least && number <= most) || number != std::floor(number))
      own.refuse(key, "a whole number that vit_preprocessing allows");
    member = int32_t(number);
  };
  constexpr int32_t kMost = 1 << 20;
  read("resize_height", p.resize_height, -kMost, kMost);
  read("resize_width", p.resize_width, -kMost, kMost);
  read("center_crop", p.center_crop, CropNone, CropTransformers);
  read("apply_exif_orientation", p.apply_exif_orientation, 0, 1);
}

/// The row of kProcessors whose prefix `name` has; the longest such prefix.
static const Processor *findProcessor(const std::string &name) {
  const Processor *found = nullptr;
  for (const Processor &known : kProcessors)
    if (name.rfind(known.prefix, 0) == 0 &&
        (!found || std::string_view(known.prefix).size() >
                       std::string_view(found->prefix).size()))
      found = &known;
  return found;
}

/// The default of a model's own library.
static const Processor &findProcessorOf(const JsonObject &config) {
  std::string type = config.readString("model_type", "");
  for (const auto &[modelType, processor] : kProcessorOf)
    if (type == modelType)
      return *findProcessor(processor);
  return kProcessors[0];
}

/// The class that `processor` names, else the default of the model `config`,
/// which may be NULL.
static const Processor &findProcessor(const JsonObject &processor,
                                      const JsonObject *config) {
  std::string type = processor.readString("image_processor_type", "");
  if (type.empty())
    type = processor.readString("feature_extractor_type", "");
  if (type.empty())
    return config ? findProcessorOf(*config) : kProcessors[0];
  if (const Processor *found = findProcessor(type))
    return *found;
  std::string names;
  for (const Processor &known : kProcessors)
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  unsupported("image_processor_type " + type + " is unsupported: known are " +
              names);
}

/// The part of a transformers config.json about the image tower.
static JsonObject towerOf(const JsonObject &config) {
  for (const char *key : {"vision_config_dict", "vision_config"})
    if (const Json *tower = config.find(key); tower && tower->is_object())
      return JsonObject(*tower, key);
  return config;
}

static vit_preprocessing readTransformers(const JsonObject &processor,
                                          const JsonObject *config) {
  vit_preprocessing p = makeDefaults();
  p.apply_exif_orientation = 1;

  // Each class has its own defaults for members that are missing.
  const Processor &kind = findProcessor(processor, config);
  for (const char *step : {"do_pad", "do_thumbnail", "do_flip_channel_order",
                           "do_align_long_axis", "do_image_splitting"})
    if (processor.readBool(step, false))
      unsupported(std::string(step) + " is unsupported");
  if (processor.has("crop_pct"))
    unsupported("crop_pct is unsupported in preprocessor_config.json");

  // A number is the mean of all channels, a list of one that of the only one.
  const Json *mean = processor.find("image_mean");
  double channels = mean && mean->is_array() && mean->size() == 1 ? 1 : 3;
  if (config)
    channels = towerOf(*config).readNumber("num_channels", channels);
  p.channels = toChannels(channels, "num_channels");

  Size size = {kind.size, kind.size};
  bool shortestEdge =
      readProcessorSize(processor, "size", kind.number == Shorter, size) ||
      (kind.edges == Shorter && !processor.has("size"));
  p.interpolation = interpolationOf(
      kind, readInterpolation(processor, "resample", kind.interpolation));
  if (processor.readBool("do_resize", true)) {
    p.resize_height = size.height;
    p.resize_width = shortestEdge ? -1 : size.width;
  }
  if (processor.readBool("do_center_crop", kind.crop)) {
    Size crop = {224, 224};
    if (readProcessorSize(processor, "crop_size", false, crop))
      unsupported("crop_size.shortest_edge is unsupported: give height and "
                  "width");
    p.center_crop = CropTransformers;
    setSize(p, crop);
  } else if (p.resize_width > 0) {
    setSize(p, size);
  } else {
    // The picture keeps its aspect ratio: the model's input size decides.
    Size image = size;
    if (config)
      readSize(towerOf(*config), "image_size", image);
    setSize(p, image);
  }

  p.scale = processor.readBool("do_rescale", true)
                ? float(processor.readNumber("rescale_factor", 1.0 / 255))
                : 1;
  if (p.scale == 0)
    processor.refuse("rescale_factor", "a number other than 0, which would "
                                       "make all pictures the same");
  setStatistics(p, kind.statistics);
  readPerChannel(processor, "image_mean", p.channels, p.mean);
  readPerChannel(processor, "image_std", p.channels, p.std);
  if (!processor.readBool("do_normalize", true))
    for (int c = 0; c < 4; ++c) {
      p.mean[c] = 0;
      p.std[c] = 1;
    }
  readOwnMembers(processor, p);
  return p;
}

//===----------------------------------------------------------------------===//
// config.json alone
//===----------------------------------------------------------------------===//

/// The default of the model's image processor, for the size of the model.
static vit_preprocessing readTransformersModel(const JsonObject &config) {
  vit_preprocessing p = makeDefaults();
  const JsonObject inner = towerOf(config);
  Size size = {224, 224};
  p.apply_exif_orientation = 1;
  readSize(inner, "image_size", size);
  p.channels = toChannels(inner.readNumber("num_channels", 3), "num_channels");
  setSize(p, size);
  const Processor &kind = findProcessorOf(config);
  auto scaled = [&](int32_t edge) {
    return int32_t(int64_t(edge) * kind.size / 224);
  };
  p.resize_height = scaled(size.height);
  p.resize_width = kind.edges == Shorter ? -1 : scaled(size.width);
  if (kind.edges == Shorter)
    p.resize_height = scaled(std::max(size.height, size.width));
  if (kind.crop)
    p.center_crop = CropTransformers;
  p.interpolation = interpolationOf(kind, kind.interpolation);
  setStatistics(p, kind.statistics);
  return p;
}

/// torchvision.transforms of the weights: ImageClassification(crop_size,
/// resize_size), which for 224 are 224 and 256.
static vit_preprocessing readTorchvision(const JsonObject &arguments) {
  vit_preprocessing p = makeDefaults();
  Size size = {224, 224};
  readSize(arguments, "image_size", size);
  setSize(p, size);
  p.resize_height =
      int32_t(int64_t(std::max(size.height, size.width)) * 256 / 224);
  p.resize_width = -1;
  p.center_crop = CropTorchvision;
  setStatistics(p, kImageNet);
  return p;
}

/// `preprocess_cfg` of open_clip_config.json, with open_clip's defaults.
static vit_preprocessing readOpenClip(const JsonObject &model,
                                      const Json *given) {
  vit_preprocessing p = makeDefaults();
  setStatistics(p, kClip);
  Size size = {224, 224};
  if (const Json *tower = model.find("vision_cfg"))
    readSize(JsonObject(*tower, "model_cfg.vision_cfg"), "image_size", size);
  setSize(p, size);
  static const Json none = Json::object();
  JsonObject settings(given ? *given : none, "preprocess_cfg");
  std::string filter = settings.readString("interpolation", "bicubic");
  // "random" is for training and bicubic otherwise.
  if (filter != "bicubic" && filter != "bilinear" && filter != "random")
    unsupported(settings.nameOf("interpolation") + " is \"" + filter +
                "\": known are bicubic, bilinear and random");
  p.interpolation = filter == "bilinear" ? Bilinear : Bicubic;
  std::string mode = settings.readString("resize_mode", "shortest");
  if (mode != "shortest" && mode != "longest" && mode != "squash")
    unsupported(settings.nameOf("resize_mode") + " is \"" + mode +
                "\": known are shortest, longest and squash");
  if (mode == "longest" && settings.readNumber("fill_color", 0) != 0)
    unsupported(settings.nameOf("fill_color") +
                " is not 0: what a picture lacks is filled with zeros");
  bool isSquare = size.height == size.width;
  p.resize_height = mode == "longest" ? -size.height : size.height;
  p.resize_width = mode == "squash"                 ? size.width
                   : mode == "shortest" && isSquare ? -1
                                                    : -size.width;
  p.center_crop = mode == "squash" ? CropNone : CropTorchvision;
  readPerChannel(settings, "mean", p.channels, p.mean);
  readPerChannel(settings, "std", p.channels, p.std);
  return p;
}

static vit_preprocessing readModelConfig(const JsonObject &config) {
  if (const Json *pretrained = config.find("pretrained_cfg"))
    return readTimm(config, JsonObject(*pretrained, "pretrained_cfg"));
  if (config.has("architecture"))
    return readTimm(config, config); // As timm wrote it before 2023.
  if (const Json *model = config.find("model_cfg"))
    return readOpenClip(JsonObject(*model, "model_cfg"),
                        config.find("preprocess_cfg"));
  std::string library = config.readString("library", "");
  if (library.empty())
    return readTransformersModel(config);
  static const Json none = Json::object();
  const Json *value = config.find("args");
  JsonObject arguments(value ? *value : none, "args");
  if (library == "torchvision")
    return readTorchvision(arguments);
  vit_preprocessing p = makeDefaults();
  Size size = {224, 224};
  if (!value)
    corrupt("args is missing");
  if (!readSize(arguments, "image_size", size))
    corrupt("args.image_size is missing");
  p.channels = toChannels(arguments.readNumber("channels", 3), "args.channels");
  setSize(p, size);
  p.resize_height = size.height;
  p.resize_width = size.width;
  return p;
}

static vit_preprocessing
readTexts(const std::optional<std::string> &processorText,
          const std::optional<std::string> &configText,
          const std::string &processorName, const std::string &configName) {
  const std::string *current = &configName;
  try {
    Json configJson, processorJson;
    std::unique_ptr<JsonObject> config;
    if (configText) {
      configJson = parseObject(*configText);
      config = std::make_unique<JsonObject>(configJson);
    }
    vit_preprocessing p;
    if (processorText) {
      current = &processorName;
      processorJson = parseObject(*processorText);
      JsonObject whole(processorJson);
      // processor_config.json has a part for each kind of input.
      const Json *part = whole.find("image_processor");
      JsonObject processor = part && part->is_object()
                                 ? JsonObject(*part, "image_processor")
                                 : whole;
      p = processor.has("pretrained_cfg")
              ? readModelConfig(processor)
              : readTransformers(processor, config.get());
    } else {
      p = readModelConfig(*config);
    }
    for (int32_t c = p.channels; c < 4; ++c) { // Unused: always the same.
      p.mean[c] = 0;
      p.std[c] = 1;
    }
    try {
      checkPreprocessing(&p);
    } catch (const Failure &failure) {
      corrupt(failure.message);
    }
    return p;
  } catch (const Failure &failure) {
    fail(failure.status, *current + ": " + failure.message);
  }
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

static void checkOutput(const vit_preprocessing *out) {
  if (!out)
    invalid("reading the preprocessing needs somewhere to put it");
  if (out->struct_size < sizeof(vit_preprocessing))
    invalid("set struct_size to sizeof(vit_preprocessing)");
}

/// The first of `names` that is a file in `folder`, or empty.
static std::string findFile(const std::string &folder,
                            std::initializer_list<const char *> names) {
  for (const char *name : names)
    if (std::string path = joinPath(folder, name); isFile(path))
      return path;
  return "";
}

static std::string findConfigFile(const std::string &folder) {
  return findFile(folder, {"config.json", "open_clip_config.json"});
}

/// transformers 5 writes a processor_config.json for models of pictures and
/// text; one without a part for pictures says nothing about them.
static std::string findProcessorFile(const std::string &folder) {
  std::string path = findFile(folder, {"processor_config.json"});
  if (!path.empty()) {
    Json json = parseObject(readTextFile(path));
    if (JsonObject(json).has("image_processor"))
      return path;
  }
  return findFile(folder, {"preprocessor_config.json"});
}

extern "C" vit_status vit_preprocessing_from_folder(const char *path,
                                                    vit_preprocessing *out,
                                                    vit_error *error) {
  return guarded(error, [&] {
    checkOutput(out);
    if (!path)
      invalid("the path of the model folder is NULL");
    if (!isFolder(path))
      fail(VIT_NOT_FOUND, std::string("no folder ") + path);
    std::string processorPath = findProcessorFile(path);
    std::string configPath = findConfigFile(path);
    std::optional<std::string> processor, config;
    if (!processorPath.empty())
      processor = readTextFile(processorPath);
    if (!configPath.empty())
      config = readTextFile(configPath);
    if (!processor && !config)
      fail(VIT_NOT_FOUND, std::string("the folder ") + path +
                              " holds neither preprocessor_config.json nor "
                              "config.json");
    *out = readTexts(processor, config, processorPath, configPath);
  });
}

/// The same for a folder that only config.json describes.
static std::string describeSource(const std::string &folder, bool &isDefault) {
  std::string path = findConfigFile(folder);
  if (path.empty())
    path = joinPath(folder, "config.json");
  const Json json = parseObject(readTextFile(path));
  JsonObject config(json);
  if (config.has("pretrained_cfg") || config.has("architecture") ||
      config.has("preprocess_cfg"))
    return path.substr(path.rfind('/') + 1) + " of " + folder;
  isDefault = true;
  if (config.readString("library", "") == "vit-pytorch")
    return "config.json of " + folder +
           ", for a model of vit-pytorch, does not say how pictures are "
           "prepared: scaling to its image_size and mean and std 0.5 are "
           "assumed";
  if (config.has("library"))
    return "config.json of " + folder +
           ", for a model of torchvision, does not say how pictures are "
           "prepared: that of its weights IMAGENET1K_V1 is assumed";
  if (config.has("model_cfg"))
    return "open_clip_config.json of " + folder +
           " has no preprocess_cfg: open_clip's default is assumed";
  std::string text = folder +
                     " has no preprocessor_config.json: the default of "
                     "transformers' " +
                     findProcessorOf(config).name + " is assumed";
  for (const char *above : {"..", "../.."}) {
    std::string other =
        joinPath(joinPath(folder, above), "preprocessor_config.json");
    if (isFile(other)) {
      text += "; if ";
      text += other;
      text += " belongs to this model, copy it here";
      break;
    }
  }
  return text;
}

extern "C" vit_status vit_preprocessing_source(const char *path,
                                               int32_t *is_default,
                                               char *buffer, size_t size,
                                               vit_error *error) {
  return guarded(error, [&] {
    if (!path || !buffer || size == 0)
      invalid("vit_preprocessing_source needs a path and a buffer");
    bool isDefault = false;
    std::string file = findProcessorFile(path);
    std::string text = file.empty()
                           ? describeSource(path, isDefault)
                           : file.substr(file.rfind('/') + 1) + " of " + path;
    std::snprintf(buffer, size, "%s", text.c_str());
    if (is_default)
      *is_default = isDefault;
  });
}

extern "C" vit_status
vit_preprocessing_from_json(const char *preprocessor_config, const char *config,
                            vit_preprocessing *out, vit_error *error) {
  return guarded(error, [&] {
    checkOutput(out);
    if (!preprocessor_config && !config)
      invalid("vit_preprocessing_from_json needs at least one text");
    std::optional<std::string> processorText, configText;
    if (preprocessor_config)
      processorText = preprocessor_config;
    if (config)
      configText = config;
    *out = readTexts(processorText, configText, "preprocessor_config.json",
                     "config.json");
  });
}
