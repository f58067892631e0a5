//===- Transformers.cpp - config.json of Hugging Face transformers --------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the family and the class of a model and reads what all families share.
// The families are in files of their own (Family*.cpp).
//
//===----------------------------------------------------------------------===//

#include "Family.h"

#include "vit/Import/RunTimeSize.h"
#include "vit/vit-data.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using llvm::json::Object;

//===----------------------------------------------------------------------===//
// The families
//===----------------------------------------------------------------------===//

static constexpr ModelClass plainClasses[] = {
    {"Model", ModelKind::Tower},
    {"ForImageClassification", ModelKind::Classifier}};
static constexpr ModelClass dinov2Classes[] = {
    {"Model", ModelKind::Tower},
    {"Backbone", ModelKind::Tower},
    {"ForImageClassification", ModelKind::Classifier}};
static constexpr ModelClass deitClasses[] = {
    {"Model", ModelKind::Tower},
    {"ForImageClassification", ModelKind::Classifier},
    {"ForImageClassificationWithTeacher", ModelKind::Teacher}};
static constexpr ModelClass maeClasses[] = {
    {"Model", ModelKind::Tower}, {"ForPreTraining", ModelKind::Tower}};
static constexpr ModelClass clipClasses[] = {
    {"Model", ModelKind::Projection},
    {"VisionModel", ModelKind::Tower},
    {"VisionModelWithProjection", ModelKind::Projection},
    {"ForImageClassification", ModelKind::Classifier}};
static constexpr ModelClass dinov3Classes[] = {{"Model", ModelKind::Tower},
                                               {"Backbone", ModelKind::Tower}};
static constexpr ModelClass beitClasses[] = {
    {"Model", ModelKind::Tower},
    {"ForImageClassification", ModelKind::Classifier},
    {"ForMaskedImageModeling", ModelKind::Tower},
    {"Backbone", ModelKind::Tower}};
static constexpr ModelClass aimClasses[] = {{"Model", ModelKind::Projection},
                                            {"VisionModel", ModelKind::Tower}};
static constexpr ModelClass siglipClasses[] = {
    {"Model", ModelKind::Tower},
    {"VisionModel", ModelKind::Tower},
    {"ForImageClassification", ModelKind::Classifier}};

ArrayRef<Family> vit::listFamilies() {
  static constexpr Family families[] = {
      {"vit", "ViT", plainClasses, "vit.", readVitFamily},
      {"deit", "DeiT", deitClasses, "deit.", readVitFamily},
      {"vit_mae", "ViTMAE", maeClasses, "vit.", readVitFamily},
      {"vit_msn", "ViTMSN", plainClasses, "vit.", readVitFamily},
      {"ijepa", "IJepa", plainClasses, "ijepa.", readVitFamily},
      {"clip", "CLIP", clipClasses, "", readClipFamily},
      {"clip_vision_model", "CLIP", clipClasses, "", readClipFamily},
      {"metaclip_2", "MetaClip2", clipClasses, "", readClipFamily},
      {"metaclip_2_vision_model", "MetaClip2", clipClasses, "", readClipFamily},
      {"chinese_clip", "ChineseCLIP", clipClasses, "", readClipFamily},
      {"chinese_clip_vision_model", "ChineseCLIP", clipClasses, "",
       readClipFamily},
      {"siglip", "Siglip", siglipClasses, "", readSiglipFamily},
      {"siglip_vision_model", "Siglip", siglipClasses, "", readSiglipFamily},
      {"dinov2", "Dinov2", dinov2Classes, "dinov2.", readDinov2Family},
      {"dinov2_with_registers", "Dinov2WithRegisters", dinov2Classes,
       "dinov2_with_registers.", readDinov2Family},
      {"dinov3_vit", "DINOv3ViT", dinov3Classes, "", readDinov3Family},
      {"beit", "Beit", beitClasses, "beit.", readBeitFamily},
      {"data2vec-vision", "Data2VecVision", plainClasses, "data2vec_vision.",
       readBeitFamily},
      {"aimv2", "Aimv2", aimClasses, "", readAimv2Family},
      {"aimv2_vision_model", "Aimv2", aimClasses, "", readAimv2Family},
  };
  return families;
}

/// The one of `names` that differs least from `name`.
static StringRef findNearest(StringRef name, ArrayRef<std::string> names) {
  std::string wanted = name.lower();
  return *llvm::min_element(names, [&](StringRef a, StringRef b) {
    return StringRef(a.lower()).edit_distance(wanted) <
           StringRef(b.lower()).edit_distance(wanted);
  });
}

/// What is supported in place of `name`, as the end of a message.
static std::string suggest(StringRef name, ArrayRef<std::string> names) {
  std::string text = "supported are " + llvm::join(names, ", ");
  if (!name.empty() && names.size() > 1)
    text += "; the nearest is " + findNearest(name, names).str();
  return text;
}

static const Family *findFamily(ConfigReader &reader) {
  std::string type = reader.getString("model_type", "");
  std::vector<std::string> names;
  for (const Family &family : listFamilies()) {
    if (family.modelType == type)
      return &family;
    names.push_back(family.modelType.str());
  }
  reader.failKey("model_type", suggest(type, names));
  return nullptr;
}

/// Which of the family's classes the model is, or null after an error.
static const ModelClass *findClass(const Family &family, ConfigReader &reader,
                                   const Weights *weights) {
  std::string name;
  const llvm::json::Value *value = reader.get("architectures");
  if (const llvm::json::Array *array = value ? value->getAsArray() : nullptr)
    if (array->size() == 1)
      if (std::optional<StringRef> text = (*array)[0].getAsString())
        name = text->str();
  if (value && name.empty()) {
    reader.failKey("architectures", "it should be a list of one name");
    return nullptr;
  }
  std::vector<std::string> names;
  for (const ModelClass &known : family.classes) {
    names.push_back((family.classPrefix + known.ending).str());
    if (names.back() == name)
      return &known;
  }
  if (!name.empty()) {
    reader.failKey("architectures", suggest(name, names));
    return nullptr;
  }
  // Not stated: a checkpoint with a head is a classifier, and without weights
  // the first class with a head is meant.
  bool hasHead = !weights || weights->getShape("classifier.weight");
  bool hasProjection = weights && weights->getShape("visual_projection.weight");
  for (const ModelClass &known : family.classes)
    if (hasHead && known.kind == ModelKind::Classifier)
      return &known;
  for (const ModelClass &known : family.classes)
    if (hasProjection == (known.kind == ModelKind::Projection))
      return &known;
  return &family.classes.front();
}

//===----------------------------------------------------------------------===//
// What families share
//===----------------------------------------------------------------------===//

void FamilyReader::readSizes(const SizeDefaults &defaults) {
  std::tie(config.imageHeight, config.imageWidth) =
      tower.getPair("image_size", defaults.image, 1, maxImageSize);
  std::tie(config.patchHeight, config.patchWidth) =
      tower.getPair("patch_size", defaults.patch, 1, maxImageSize);
  config.channels = tower.getInteger("num_channels", 3, 1, maxChannels);
  config.width = tower.getInteger("hidden_size", defaults.width, 1, maxWidth);
  config.depth =
      tower.getInteger("num_hidden_layers", defaults.depth, 1, maxDepth);
  config.heads =
      tower.getInteger("num_attention_heads", defaults.heads, 1, maxHeads);
  config.mlpWidth =
      tower.getInteger("intermediate_size", defaults.mlpWidth, 1, maxWidth);
  config.headWidth = std::max<int64_t>(1, config.width / config.heads);
  config.epsilon =
      tower.getNumber(defaults.epsilonKey, defaults.epsilon, 1e-30, 1);
  config.activation = tower.getActivation("hidden_act", defaults.activation);
  config.initStyle = InitStyle::Transformers;
  config.initRange = tower.getNumber("initializer_range", 0.02, 0, 1e3);
  config.dropout = config.embeddingDropout =
      tower.getNumber("hidden_dropout_prob", 0, 0, 0.999);
  config.headless = kind == ModelKind::Tower || kind == ModelKind::Projection;
  config.names.head = "classifier";
}

/// `{}` as the first layer.
static std::string ofFirstLayer(StringRef name) {
  auto [before, after] = name.split("{}");
  return before.size() == name.size() ? name.str()
                                      : (before + "0" + after).str();
}

bool FamilyReader::isStored(StringRef name) const {
  return weights && weights->getShape(ofFirstLayer(name)).has_value();
}

std::string FamilyReader::spell(StringRef name, StringRef other,
                                ArrayRef<StringRef> prefixes) const {
  for (StringRef spelling : {name, other})
    for (StringRef prefix : prefixes)
      for (StringRef tensor : {"", ".weight", "_weight", ".lambda1"})
        if (!spelling.empty() && isStored((prefix + spelling + tensor).str()))
          return (prefix + spelling).str();
  return (prefixes.front() + name).str();
}

void FamilyReader::setNames(ArrayRef<NameRow> rows,
                            ArrayRef<StringRef> prefixes) {
  for (const NameRow &row : rows)
    config.names.*row.member = spell(row.name, row.other, prefixes);
}

void FamilyReader::setPoolNames(ArrayRef<PoolNameRow> rows,
                                ArrayRef<StringRef> prefixes) {
  for (const PoolNameRow &row : rows)
    config.names.pool.*row.member = spell(row.name, "", prefixes);
}

SmallVector<StringRef, 2> FamilyReader::listPrefixes() const {
  if (config.headless)
    return {"", family.base};
  return {family.base, ""};
}

void FamilyReader::readProjection(StringRef name, ConfigReader &reader,
                                  StringRef key, int64_t fallback) {
  config.names.projection = name.str();
  config.projectionWidth = reader.getInteger(key, fallback, 1, maxWidth);
  auto shape =
      weights ? weights->getShape((name + ".weight").str()) : std::nullopt;
  if (shape && shape->size() == 2 && shape->front() <= maxWidth)
    config.projectionWidth = std::max<int64_t>(1, shape->front());
}

void FamilyReader::takeSizeOfPictures() {
  if (!preprocessing || !takesSizeOfPictures(family.modelType))
    return;
  config.imageHeight = preprocessing->height;
  config.imageWidth = preprocessing->width;
}

void FamilyReader::resampleToPictures(bool antialias) {
  if (top.failed())
    return;
  int64_t side = config.imageHeight / config.patchHeight;
  takeSizeOfPictures();
  auto shape =
      weights ? weights->getShape(config.names.positions) : std::nullopt;
  if (shape && shape->size() >= 2) {
    int64_t rows = (*shape)[shape->size() - 2] - config.positionPrefix();
    side = std::llround(std::sqrt(double(std::max<int64_t>(rows, 0))));
    if (side < 1 || side * side != rows || rows > maxTokens) {
      top.fail(llvm::formatv("{0} has rows for {1} patches, which is no square "
                             "grid that can be resampled",
                             config.names.positions, rows));
      return;
    }
  }
  config.storedGridHeight = config.storedGridWidth = side;
  config.antialias = antialias;
}

void FamilyReader::ignore(std::initializer_list<StringRef> patterns) {
  for (StringRef pattern : patterns)
    config.unused.push_back(pattern.str());
}

/// Labels and the number of classes.
static void readHead(FamilyReader &r) {
  VitConfig &config = r.config;
  config.labels = readLabels(r.top, "id2label");
  config.classes = r.top.getInteger(
      "num_labels", countLabels(r.top, "id2label").value_or(2), 0, maxClasses);
  // The head decides: labels never keep a model from running.
  int64_t width =
      config.width * (config.pooling == Pooling::TokenAndMean ? 2 : 1);
  auto shape = r.weights ? r.weights->getShape(config.names.head + ".weight")
                         : std::nullopt;
  if (shape && shape->size() == 2 && shape->back() == width &&
      shape->front() <= maxClasses)
    config.classes = shape->front();
}

/// The part of config.json about the image tower.
static const Object *findTower(const Object &object) {
  // transformers keeps the first for old files and lets it win.
  for (StringRef key : {"vision_config_dict", "vision_config"})
    if (const Object *part = object.getObject(key))
      return part;
  return &object;
}

VitConfig vit::readTransformersConfig(const Object &object,
                                      ConfigReader &reader,
                                      const std::string &where,
                                      std::string &error,
                                      const Weights *weights,
                                      const vit_preprocessing *preprocessing) {
  VitConfig config;
  const Family *family = findFamily(reader);
  const ModelClass *known =
      family ? findClass(*family, reader, weights) : nullptr;
  if (!known)
    return config;
  const Object *part = findTower(object);
  ConfigReader tower(*part, part == &object ? where : where + ": vision_config",
                     error);
  FamilyReader r(*family, reader, tower, weights, preprocessing, config);
  r.kind = known->kind;
  family->read(r);
  if (config.headless)
    r.ignore({"classifier.*", "cls_classifier.*", "distillation_classifier.*"});
  else
    readHead(r);
  checkVitConfig(
      config,
      {"image_size", "patch_size", "hidden_size", "num_attention_heads"},
      tower);
  if (!config.storedGridHeight)
    findStoredGrid(config, weights, tower);
  return config;
}
