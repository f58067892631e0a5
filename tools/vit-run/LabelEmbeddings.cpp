//===- LabelEmbeddings.cpp - Zero-shot classification ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LabelEmbeddings.h"

#include "JsonText.h"
#include "StoredTensors.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace fs = std::filesystem;

namespace vit::tools {

static constexpr const char *kScale = "logit_scale", *kBias = "logit_bias";

/// Whether `name` is `end` or ends in a dot and `end`.
static bool isNamed(const std::string &name, const std::string &end) {
  return name == end || (name.size() > end.size() &&
                         name.compare(name.size() - end.size() - 1,
                                      std::string::npos, "." + end) == 0);
}

static std::vector<double> readValues(const vit_weights *weights,
                                      int64_t index) {
  vit_error error;
  std::vector<double> values(product(shapeIn(weights, index)));
  check(vit_weights_read_f64(weights, index, 0,
                             static_cast<int64_t>(values.size()), values.data(),
                             &error),
        error);
  return values;
}

/// The only value of the tensor called `end`; nothing if there is none.
static std::optional<double> findNumber(const vit_weights *weights,
                                        const std::string &where,
                                        const std::string &end) {
  for (int64_t i = 0; i < vit_weights_count(weights); ++i) {
    vit_error error;
    vit_weight_info info = {};
    check(vit_weights_info(weights, i, &info, &error), error);
    if (!isNamed(info.name, end))
      continue;
    if (product(dimsOf(info)) != 1)
      throw Error(where + ": " + info.name + " is " +
                  storedShapeText(dimsOf(info)) + ", not one number");
    double value = readValues(weights, i).front();
    if (!std::isfinite(value))
      throw Error(where + ": " + info.name + " is not finite");
    return value;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

static std::vector<std::string> parseNames(std::string text,
                                           const std::string &where) {
  size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '[') {
    nlohmann::json list = nlohmann::json::parse(text, nullptr, false);
    if (!list.is_array() ||
        !std::all_of(list.begin(), list.end(),
                     [](const auto &name) { return name.is_string(); }))
      throw Error(where + " is no list of names, [\"cat\", \"dog\", ...]");
    return list.get<std::vector<std::string>>();
  }
  if (text.rfind("\xef\xbb\xbf", 0) == 0)
    text.erase(0, 3);
  text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());
  return split(text, '\n');
}

/// Sets the names of an array of `rows` rows. `inside`: those in the file
/// itself, or null.
static void setNames(LabelEmbeddings &labels, const char *inside,
                     int64_t rows) {
  std::string where = "the names in " + labels.path;
  if (inside) {
    labels.names = parseNames(inside, where);
  } else {
    fs::path text = fs::path(labels.path).replace_extension(".txt"),
             json = fs::path(labels.path).replace_extension(".json");
    std::error_code ignored;
    bool isText = fs::exists(text, ignored);
    if (!isText && !fs::exists(json, ignored))
      throw Error(labels.path + " does not name its labels: write them to " +
                  text.string() + ", one per line in the order of its rows");
    where = (isText ? text : json).string();
    labels.names = parseNames(readFile(where), where);
  }
  if (static_cast<int64_t>(labels.names.size()) != rows)
    throw Error(where + ": " + std::to_string(labels.names.size()) +
                " names, and " + labels.path + " has " + std::to_string(rows) +
                " rows");
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

static void setArray(LabelEmbeddings &labels, const std::vector<int64_t> &dims,
                     const std::string &name) {
  if (dims.size() != 2 || dims[0] == 0 || dims[1] == 0)
    throw Error(labels.path + " holds " + name + " " + storedShapeText(dims) +
                "; embeddings of labels are [labels, width]");
  labels.width = dims[1];
}

/// Takes each tensor of `indices` as the label that it is called.
static void readTensorPerLabel(LabelEmbeddings &labels,
                               const vit_weights *weights,
                               const std::vector<int64_t> &indices) {
  for (int64_t index : indices) {
    vit_error error;
    vit_weight_info info = {};
    check(vit_weights_info(weights, index, &info, &error), error);
    int64_t width = product(dimsOf(info));
    bool isVector =
        width > 0 && (info.rank == 1 || (info.rank == 2 && info.dims[0] == 1));
    if (!isVector || (labels.width > 0 && width != labels.width))
      throw Error(labels.path + ": " + info.name + " is " +
                  storedShapeText(dimsOf(info)) +
                  "; it should hold one array [labels, width], or a vector of "
                  "the same width for each label");
    labels.width = width;
    labels.names.push_back(info.name);
    std::vector<double> row = readValues(weights, index);
    labels.rows.insert(labels.rows.end(), row.begin(), row.end());
  }
}

static void readTensors(LabelEmbeddings &labels) {
  WeightsHandle weights = openWeights(labels.path);
  labels.logScale = findNumber(weights.get(), labels.path, kScale);
  labels.bias = findNumber(weights.get(), labels.path, kBias);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < vit_weights_count(weights.get()); ++i) {
    vit_error error;
    vit_weight_info info = {};
    check(vit_weights_info(weights.get(), i, &info, &error), error);
    if (!isNamed(info.name, kScale) && !isNamed(info.name, kBias))
      indices.push_back(i);
  }
  if (indices.empty())
    throw Error(labels.path + " holds no embeddings");
  const char *inside = nullptr;
  for (const char *key : {"labels", "names", "classes"})
    if (!inside)
      inside = vit_weights_metadata(weights.get(), key);
  std::vector<int64_t> dims = shapeIn(weights.get(), indices.front());
  // One row may be an array of one label, whose name is elsewhere.
  bool isArray = indices.size() == 1 && (dims.size() != 1 || inside);
  if (!isArray)
    return readTensorPerLabel(labels, weights.get(), indices);
  setArray(labels, dims, "an array");
  setNames(labels, inside, dims[0]);
  labels.rows = readValues(weights.get(), indices.front());
}

static double lengthOf(const double *row, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i)
    sum += row[i] * row[i];
  return std::sqrt(sum);
}

LabelEmbeddings readLabelEmbeddings(const std::string &path) {
  LabelEmbeddings labels;
  labels.path = path;
  if (fs::path(path).extension() == ".npy") {
    Tensor array = readNpy(path);
    setArray(labels, array.dims, "an array");
    setNames(labels, nullptr, array.dims[0]);
    for (int64_t i = 0; i < array.count(); ++i)
      labels.rows.push_back(array.at(i));
  } else {
    readTensors(labels);
  }
  for (size_t l = 0; l < labels.names.size(); ++l) {
    double *row = labels.rows.data() + l * labels.width;
    double length = lengthOf(row, labels.width);
    if (!std::isfinite(length) || length == 0)
      throw Error(path + ": row " + std::to_string(l) + " (" + labels.names[l] +
                  ")" +
                  (length == 0 ? " holds zeros alone"
                               : " holds a value that is not finite"));
    for (int64_t i = 0; i < labels.width; ++i)
      row[i] /= length;
  }
  return labels;
}

//===----------------------------------------------------------------------===//
// Similarity
//===----------------------------------------------------------------------===//

/// Reads what the checkpoint at MODEL holds into `logScale` and `bias`.
static void readCheckpoint(Model &model, std::optional<double> &logScale,
                           std::optional<double> &bias) {
  const CommonOptions &options = model.getOptions();
  std::error_code ignored;
  std::string path = options.weights;
  if (path.empty() && fs::is_directory(options.model, ignored))
    path = options.model;
  vit_weights *opened = nullptr;
  vit_error error;
  // A folder without weights is one whose values are random.
  if (path.empty() || vit_weights_open(path.c_str(), &opened, &error) != VIT_OK)
    return;
  WeightsHandle weights(opened);
  logScale = findNumber(opened, path, kScale);
  bias = findNumber(opened, path, kBias);
}

/// config.json of a transformers model, or an empty object.
static nlohmann::json readConfig(Model &model) {
  fs::path path = fs::path(model.getOptions().model) / "config.json";
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored))
    return nlohmann::json::object();
  nlohmann::json config =
      nlohmann::json::parse(readFile(path.string()), nullptr, false);
  return config.is_object() ? config : nlohmann::json::object();
}

Similarity findSimilarity(Model &model, const LabelEmbeddings &labels) {
  std::optional<double> logScale, bias;
  readCheckpoint(model, logScale, bias);
  if (!logScale)
    logScale = labels.logScale;
  if (!bias)
    bias = labels.bias;
  nlohmann::json config = readConfig(model);
  std::string family;
  if (auto type = config.find("model_type");
      type != config.end() && type->is_string())
    family = type->get<std::string>();
  // Aimv2Model limits the scale.
  if (logScale && family == "aimv2") {
    auto most = config.find("max_logit_scale");
    double limit =
        most != config.end() && most->is_number() ? most->get<double>() : 100.0;
    logScale = std::clamp(*logScale, 0.0, std::max(0.0, std::log(limit)));
  }
  Similarity result;
  result.bias = bias.value_or(0);
  if (bias || family.rfind("siglip", 0) == 0)
    result.function = VIT_SIGMOID;
  if (!logScale)
    std::fprintf(stderr,
                 "note: neither %s nor %s holds a logit_scale: the "
                 "probabilities are those of the cosines themselves\n",
                 model.getOptions().model.c_str(), labels.path.c_str());
  else
    result.scale = std::exp(*logScale);
  if (!std::isfinite(static_cast<float>(result.scale)))
    throw Error("logit_scale is " + std::to_string(*logScale) +
                ", too large for a logarithm");
  return result;
}

Tensor compareToLabels(const Tensor &embeddings, const LabelEmbeddings &labels,
                       const Similarity &similarity) {
  if (embeddings.dims.size() != 2 || embeddings.dims[1] != labels.width)
    throw Error(labels.path + " has rows of " + std::to_string(labels.width) +
                " values, and the output " + embeddings.name +
                " of the model is " + shapeText(embeddings.dims) +
                ": the embeddings are of another model");
  auto count = static_cast<int64_t>(labels.names.size());
  Tensor logits;
  logits.name = "logits";
  logits.allocate(VIT_F32, {embeddings.dims[0], count});
  std::vector<double> row(labels.width);
  for (int64_t n = 0; n < embeddings.dims[0]; ++n) {
    for (int64_t i = 0; i < labels.width; ++i)
      row[i] = embeddings.at(n * labels.width + i);
    double length = std::max(lengthOf(row.data(), labels.width), 1e-12);
    for (int64_t l = 0; l < count; ++l) {
      const double *label = labels.rows.data() + l * labels.width;
      double sum = 0;
      for (int64_t i = 0; i < labels.width; ++i)
        sum += row[i] * label[i];
      logits.floats()[n * count + l] =
          static_cast<float>(similarity.scale * sum / length + similarity.bias);
    }
  }
  return logits;
}

} // namespace vit::tools
