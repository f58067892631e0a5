//===- ModelFolder.cpp - The folder of a model to be trained --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Init.h"

#include "Classes.h"
#include "JsonText.h"
#include "StoredTensors.h"
#include "vit/Import/ModelFolder.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace vit::tools {

/// The member `key` as a number of classes.
static std::optional<int64_t> countIn(const Json &object, const char *key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer())
    return std::nullopt;
  return found->get<int64_t>();
}

static Json *objectIn(Json &object, const char *key) {
  auto found = object.find(key);
  return found != object.end() && found->is_object() ? &*found : nullptr;
}

/// The number of classes of the stored head, if there is one.
static std::optional<int64_t> countInWeights(const std::string &folder,
                                             const char *name) {
  vit_weights *opened = nullptr;
  if (!mlir::vit::hasWeights(folder) ||
      vit_weights_open(folder.c_str(), &opened, nullptr) != VIT_OK)
    return std::nullopt;
  WeightsHandle weights(opened);
  int64_t index = vit_weights_find(opened, name);
  if (index < 0)
    return std::nullopt;
  std::vector<int64_t> shape = shapeIn(opened, index);
  return shape.size() == 2 ? std::optional(shape.front()) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// One function per library; returns false if nothing changes. `relabel`: also
// replaces the labels of as many classes.
//===----------------------------------------------------------------------===//

namespace {

/// The classifier of transformers for headless classes of a family.
struct Classifier {
  const char *prefix, *endings[3]; ///< Of the headless classes
  const char *name, *modelType;
  /// Its configuration is that of a model of pictures and text, which has that
  /// of the tower as vision_config.
  bool isNested;
  /// Parts of the names of tensors that it has and its graph does not use.
  const char *unused[2];
};

constexpr Classifier kClassifiers[] = {
    {"ViT", {"Model"}, "ViTForImageClassification", "vit", false, {}},
    // Has the encoder's names; there is no ViTMAEForImageClassification.
    {"ViTMAE",
     {"Model", "ForPreTraining"},
     "ViTForImageClassification",
     "vit",
     false,
     {}},
    {"DeiT", {"Model"}, "DeiTForImageClassification", "deit", false, {}},
    {"ViTMSN", {"Model"}, "ViTMSNForImageClassification", "vit_msn", false, {}},
    {"IJepa", {"Model"}, "IJepaForImageClassification", "ijepa", false, {}},
    {"Dinov2",
     {"Model", "Backbone"},
     "Dinov2ForImageClassification",
     "dinov2",
     false,
     {"embeddings.mask_token"}},
    {"Dinov2WithRegisters",
     {"Model", "Backbone"},
     "Dinov2WithRegistersForImageClassification",
     "dinov2_with_registers",
     false,
     {"embeddings.mask_token"}},
    {"Beit",
     {"Model", "ForMaskedImageModeling", "Backbone"},
     "BeitForImageClassification",
     "beit",
     false,
     {"embeddings.mask_token", "relative_position_index"}},
    {"Data2VecVision",
     {"Model"},
     "Data2VecVisionForImageClassification",
     "data2vec-vision",
     false,
     {"embeddings.mask_token", "relative_position_index"}},
    {"CLIP",
     {"Model", "VisionModel", "VisionModelWithProjection"},
     "CLIPForImageClassification",
     "clip",
     true,
     {"vision_model.post_layernorm."}},
    {"MetaClip2",
     {"Model", "VisionModel", "VisionModelWithProjection"},
     "MetaClip2ForImageClassification",
     "metaclip_2",
     true,
     {"vision_model.post_layernorm."}},
    {"Siglip",
     {"Model", "VisionModel"},
     "SiglipForImageClassification",
     "siglip",
     true,
     {"vision_model.head."}}};

} // namespace

/// Makes the class of a model without a head, `name`, that with one. False if
/// there is no such class, or it has a head.
static bool addHead(Json &config, Json &name) {
  for (const Classifier &classifier : kClassifiers)
    for (const char *ending : classifier.endings) {
      if (!ending || name != std::string(classifier.prefix) + ending)
        continue;
      name = classifier.name;
      if (config.value("model_type", "") == classifier.modelType)
        return true;
      if (classifier.isNested) {
        Json part = config;
        part.erase("architectures");
        config = Json{{"architectures", config["architectures"]},
                      {"model_type", ""},
                      {"vision_config", part}};
      }
      config["model_type"] = classifier.modelType;
      return true;
    }
  return false;
}

/// Throws for the class `name` of `path`, which addHead does not know, if it
/// has no head.
static void requireClassifier(const Json &name, const std::string &path) {
  if (!name.is_string() || name.get_ref<const std::string &>().find(
                               "Classification") != std::string::npos)
    return;
  throw Error(path + ": " + name.get<std::string>() +
              " has no head for classes, and no classifier of transformers is "
              "known to vit for it; timm has one of many such models (such as "
              "vit_*_dinov3, aimv2_*, vit_*_clip_*), or use the vectors of "
              "vit-run embed");
}

bool ClassTensors::contain(const std::string &name) const {
  return all ||
         std::any_of(parts.begin(), parts.end(), [&](const std::string &part) {
           return name.find(part) != std::string::npos;
         });
}

/// The configuration in `folder`; an empty object where it has none.
static Json readConfig(const fs::path &folder) {
  std::string path = (folder / "config.json").string();
  std::error_code ignored;
  return fs::exists(path, ignored) ? parseJsonObject(readFile(path), path)
                                   : Json::object();
}

ClassTensors findClassTensors(const std::string &source,
                              const std::string &target) {
  std::error_code ignored;
  bool isFolder = fs::is_directory(source, ignored);
  Json from =
      readConfig(isFolder ? fs::path(source) : fs::path(source).parent_path());
  Json to = readConfig(target);
  ClassTensors result;
  auto classOf = [](const Json &config) {
    Json names;
    for (const char *key : {"architectures", "architecture", "class"})
      if (config.contains(key))
        names[key] = config[key];
    return names;
  };
  result.all = !classOf(to).is_null() && classOf(to) == classOf(from);
  for (const Classifier &classifier : kClassifiers)
    for (const char *part : classifier.unused)
      if (part && classifier.modelType == to.value("model_type", ""))
        result.parts.push_back(part);
  return result;
}

static bool setTransformersClasses(Json &config, const std::string &folder,
                                   const std::vector<std::string> &labels,
                                   bool relabel) {
  bool headless = false;
  Json *names =
      config.contains("architectures") ? &config["architectures"] : nullptr;
  if (names && names->is_array() && names->size() == 1) {
    Json name = names->front();
    headless = addHead(config, names->front());
    if (!headless)
      requireClassifier(name, folder + "/config.json");
  }
  int64_t classes = 2; // transformers' own default
  if (Json *known = objectIn(config, "id2label"))
    classes = static_cast<int64_t>(known->size());
  classes = countIn(config, "num_labels").value_or(classes);
  if (!headless && !relabel && classes == static_cast<int64_t>(labels.size()))
    return false;
  Json byNumber = Json::object(), numbers = Json::object();
  for (size_t i = 0; i < labels.size(); ++i) {
    byNumber[std::to_string(i)] = labels[i];
    numbers[labels[i]] = i;
  }
  config.erase("num_labels"); // It follows from the labels.
  config["id2label"] = byNumber;
  config["label2id"] = numbers;
  return true;
}

static bool setTimmClasses(Json &config, const std::string &folder,
                           const std::vector<std::string> &labels,
                           bool relabel) {
  Json *arguments = objectIn(config, "model_args");
  Json *pretrained = objectIn(config, "pretrained_cfg");
  std::optional<int64_t> classes;
  for (Json *object : {arguments, &config})
    if (object && !classes)
      classes = countIn(*object, "num_classes");
  if (!classes)
    classes = countInWeights(folder, "head.weight");
  if (!classes && pretrained)
    classes = countIn(*pretrained, "num_classes");
  bool isSame =
      !relabel && classes && *classes == static_cast<int64_t>(labels.size());
  if (isSame && config.contains("num_classes"))
    return false;
  // Collect the members first: an ordered object moves them when it changes.
  for (Json *object : {arguments, pretrained})
    if (object && object->contains("num_classes"))
      (*object)["num_classes"] = labels.size();
  const char *const names[] = {"label_names", "label_descriptions"};
  for (const char *key : names)
    if (pretrained && !isSame)
      pretrained->erase(key);
  // At the top level it applies without weights, too.
  config["num_classes"] = labels.size();
  if (isSame)
    return true;
  for (const char *key : names)
    config.erase(key);
  // Of transformers' wrapper of a timm model.
  for (const char *key : {"id2label", "label2id", "num_labels"})
    config.erase(key);
  config["label_names"] = labels;
  return true;
}

static bool setVitPytorchClasses(Json &config, const std::string &,
                                 const std::vector<std::string> &labels,
                                 bool relabel) {
  // torchvision's vit_b_16 and its like need no arguments.
  if (!config.contains("args") && config.value("library", "") == "torchvision")
    config["args"] = {{"num_classes", 1000}};
  Json *arguments = objectIn(config, "args");
  if (!arguments || (!relabel && countIn(*arguments, "num_classes") ==
                                     static_cast<int64_t>(labels.size())))
    return false;
  (*arguments)["num_classes"] = labels.size();
  config["labels"] = labels;
  return true;
}

std::optional<std::vector<int64_t>> emptyClassToken(const std::string &folder) {
  std::string path = folder + "/config.json";
  if (!fs::exists(path))
    return std::nullopt;
  Json config = parseJsonObject(readFile(path), path);
  Json *arguments = objectIn(config, "args");
  if (!arguments || config.value("library", Json()) != "vit-pytorch" ||
      config.value("class", Json()) != "ViT" ||
      arguments->value("pool", Json()) != "mean")
    return std::nullopt;
  std::optional<int64_t> width = countIn(*arguments, "dim");
  return width ? std::optional(std::vector<int64_t>{0, *width}) : std::nullopt;
}

std::vector<std::string> labelsOfConfig(Json config) {
  std::vector<std::string> result;
  Json *pretrained = objectIn(config, "pretrained_cfg");
  for (Json *object : {&config, pretrained})
    for (const char *key : {"id2label", "label_names", "labels"}) {
      if (!object || !result.empty() || !object->contains(key))
        continue;
      const Json &names = (*object)[key];
      for (size_t i = 0; i < names.size(); ++i) {
        const Json *name = nullptr;
        if (names.is_array())
          name = &names[i];
        else if (auto at = names.find(std::to_string(i)); at != names.end())
          name = &*at;
        result.push_back(name && name->is_string() ? name->get<std::string>()
                                                   : std::to_string(i));
      }
    }
  return result;
}

/// Whether `labels` must replace those of a model with as many classes: they
/// are other names, or the model has none.
static bool areOther(const Names &known, const Names &labels) {
  return areWords(labels) &&
         (!areWords(known) || known.size() != labels.size() ||
          !matchClasses(known, labels, static_cast<int64_t>(labels.size()))
               .absent.empty());
}

/// Sets transformers' problem_type to what is trained: one label per picture.
/// Whether it has changed.
static bool setProblemType(Json &config) {
  const char *key = "problem_type", *trained = "single_label_classification";
  auto found = config.find(key);
  if (found == config.end() || found->is_null() || *found == trained)
    return false;
  std::fprintf(stderr,
               "warning: problem_type of config.json is %s; train learns one "
               "label per picture (cross entropy of the softmax), so that of "
               "the trained model is %s\n",
               found->dump().c_str(), trained);
  *found = trained;
  return true;
}

/// Prints a note about dropout rates of the model that training here does not
/// support: the run still learns, but not exactly as with its own library.
static void reportDropout(Json &config) {
  std::vector<std::string> ignored;
  auto look = [&](const Json *object, const char *key, const char *what) {
    auto found = object ? object->find(key) : Json::const_iterator();
    if (object && found != object->end() && found->is_number() &&
        found->get<double>() > 0)
      ignored.push_back(std::string(key) + what);
  };
  for (Json *part :
       {&config, objectIn(config, "vision_config"), objectIn(config, "args")})
    for (const char *key :
         {"attention_probs_dropout_prob", "attention_dropout"})
      look(part, key, "");
  if (config.value("library", "") == "vit-pytorch")
    look(objectIn(config, "args"), "dropout", " (in attention only)");
  for (const char *key : {"patch_drop_rate", "attn_drop_rate"})
    look(objectIn(config, "model_args"), key, "");
  if (!ignored.empty())
    std::fprintf(stderr, "note: config.json's %s has no effect here\n",
                 join(ignored, ", ").c_str());
}

static void writeWhereDifferent(const std::string &path,
                                const std::string &text) {
  if (!fs::exists(path) || readFile(path) != text)
    writeFile(path, text);
}

/// Copies how pictures are prepared; of a processor_config.json, which
/// transformers 5 writes for models of pictures and text, the part of pictures.
static void copyPreprocessor(const std::string &checkpoint,
                             const std::string &target) {
  std::string path = checkpoint + "/processor_config.json";
  Json whole = Json::object();
  if (fs::exists(path))
    whole = parseJsonObject(readFile(path), path);
  if (const Json *pictures = objectIn(whole, "image_processor"))
    return writeWhereDifferent(target, jsonText(*pictures, 2) + "\n");
  path = checkpoint + "/preprocessor_config.json";
  if (fs::exists(path))
    writeWhereDifferent(target, readFile(path));
}

void makeModelFolder(const std::string &checkpoint,
                     const std::vector<std::string> &labels,
                     const std::string &target) {
  std::string path = checkpoint + "/config.json";
  std::string text = readFile(path);
  Json config = parseJsonObject(text, path);
  bool isTransformers =
      config.contains("model_type") && config["model_type"] != "timm_wrapper";
  auto set = isTransformers                    ? setTransformersClasses
             : config.contains("architecture") ? setTimmClasses
                                               : setVitPytorchClasses;
  Names known = labelsOfConfig(config);
  bool relabel = areOther(known, labels);
  bool isOther = set(config, checkpoint, labels, relabel);
  if (setProblemType(config) || isOther)
    text = jsonText(config, 2) + "\n";
  if (relabel && areWords(known))
    std::fprintf(stderr,
                 "note: the classes of the data (%s) take the place of the "
                 "model's (%s)\n",
                 listText(labels).c_str(), listText(known).c_str());
  reportDropout(config);
  std::error_code code;
  fs::create_directories(target, code);
  if (code)
    throw Error("cannot make the folder " + target + ": " + code.message());
  writeWhereDifferent(target + "/config.json", text);
  copyPreprocessor(checkpoint, target + "/preprocessor_config.json");
}

} // namespace vit::tools
