//===- ConfigReader.cpp - Checked reading of config.json ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConfigReader.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using llvm::formatv;

/// A value as written in the file, shortened so that an error fits on one line.
static std::string print(const llvm::json::Value &value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  if (text.size() > 60)
    text = text.substr(0, 57) + "...";
  return text;
}

static std::string list(ArrayRef<StringRef> names) {
  return llvm::join(names.begin(), names.end(), ", ");
}

void ConfigReader::fail(const Twine &message) {
  if (error.empty())
    error = (where + ": " + message).str();
}

void ConfigReader::failKey(StringRef key, const Twine &expected) {
  if (const llvm::json::Value *value = get(key))
    fail("\"" + key + "\" is " + print(*value) + "; " + expected);
  else
    fail("\"" + key + "\" is missing; " + expected);
}

const llvm::json::Value *ConfigReader::get(StringRef key) const {
  const llvm::json::Value *value = object.get(key);
  return value && value->kind() != llvm::json::Value::Null ? value : nullptr;
}

int64_t ConfigReader::getInteger(StringRef key, std::optional<int64_t> fallback,
                                 int64_t min, int64_t max) {
  const llvm::json::Value *value = get(key);
  if (!value && fallback)
    return *fallback;
  std::optional<int64_t> number = value ? value->getAsInteger() : std::nullopt;
  if (!number || *number < min || *number > max) {
    failKey(key,
            formatv("it should be a whole number from {0} to {1}", min, max));
    return min;
  }
  return *number;
}

double ConfigReader::getNumber(StringRef key, std::optional<double> fallback,
                               double min, double max) {
  const llvm::json::Value *value = get(key);
  if (!value && fallback)
    return *fallback;
  std::optional<double> number = value ? value->getAsNumber() : std::nullopt;
  if (!number || !std::isfinite(*number) || *number < min || *number > max) {
    failKey(key, formatv("it should be a number from {0} to {1}", min, max));
    return min;
  }
  return *number;
}

bool ConfigReader::getBoolean(StringRef key, bool fallback) {
  const llvm::json::Value *value = get(key);
  if (!value)
    return fallback;
  std::optional<bool> boolean = value->getAsBoolean();
  if (!boolean)
    failKey(key, "it should be true or false");
  return boolean.value_or(fallback);
}

std::string ConfigReader::getString(StringRef key, StringRef fallback) {
  const llvm::json::Value *value = get(key);
  if (!value)
    return fallback.str();
  std::optional<StringRef> text = value->getAsString();
  if (!text)
    failKey(key, "it should be a text");
  return text.value_or(fallback).str();
}

std::pair<int64_t, int64_t>
ConfigReader::getPair(StringRef key, std::optional<int64_t> fallback,
                      int64_t min, int64_t max) {
  const llvm::json::Value *value = get(key);
  const llvm::json::Array *array = value ? value->getAsArray() : nullptr;
  if (!array) {
    int64_t both = getInteger(key, fallback, min, max);
    return {both, both};
  }
  std::optional<int64_t> numbers[2];
  if (array->size() == 2)
    for (int i : {0, 1})
      numbers[i] = (*array)[i].getAsInteger();
  for (std::optional<int64_t> number : numbers)
    if (!number || *number < min || *number > max) {
      failKey(key, formatv("it should be one or two whole numbers [height, "
                           "width] from {0} to {1}",
                           min, max));
      return {min, min};
    }
  return {*numbers[0], *numbers[1]};
}

Activation ConfigReader::getActivation(StringRef key, StringRef fallback) {
  std::string name = getString(key, fallback);
  auto found = llvm::StringSwitch<std::optional<Activation>>(name)
                   .Cases({"gelu", "gelu_python"}, Activation::GeluErf)
                   .Cases({"gelu_new", "gelu_pytorch_tanh", "gelu_tanh",
                           "gelu_fast", "gelu_accurate", "gelu_python_tanh"},
                          Activation::GeluTanh)
                   .Case("quick_gelu", Activation::GeluQuick)
                   .Case("relu", Activation::Relu)
                   .Cases({"silu", "swish"}, Activation::Silu)
                   .Case("tanh", Activation::Tanh)
                   .Default(std::nullopt);
  if (!found)
    failKey(key, "supported are gelu, gelu_new, gelu_pytorch_tanh, gelu_tanh, "
                 "quick_gelu, relu, silu, swish and tanh");
  return found.value_or(Activation::GeluErf);
}

void ConfigReader::checkKeys(ArrayRef<StringRef> known) {
  for (const auto &entry : object)
    if (!llvm::is_contained(known, StringRef(entry.first)))
      fail("\"" + StringRef(entry.first) + "\" is not supported; known are " +
           list(known));
}

void ConfigReader::checkOnly(StringRef key, const llvm::json::Value &only) {
  const llvm::json::Value *value = get(key);
  if (value && *value != only)
    failKey(key, "only " + print(only) + " is supported");
}

void vit::checkVitConfig(const VitConfig &config, const KeyNames &keys,
                         ConfigReader &reader) {
  if (reader.failed())
    return;
  // A remainder is dropped, as by the convolution; vit-pytorch has none.
  bool isSmall = config.imageHeight < config.patchHeight ||
                 config.imageWidth < config.patchWidth;
  bool isWhole = config.imageHeight % config.patchHeight == 0 &&
                 config.imageWidth % config.patchWidth == 0;
  if (isSmall || (!isWhole && !config.patchConvolution)) {
    reader.fail(
        formatv("\"{0}\" is {1} x {2} (height x width), {3} of {4} x "
                "{5}; make it a multiple of \"{6}\"",
                keys.image, config.imageHeight, config.imageWidth,
                isSmall ? "less than a patch" : "not a whole number of patches",
                config.patchHeight, config.patchWidth, keys.patch));
    return;
  }
  if (!keys.heads.empty() && config.width % config.heads) {
    int64_t divisor = config.heads;
    while (config.width % divisor)
      divisor -= 1;
    reader.fail(formatv("\"{0}\" is {1}, which does not divide \"{2}\" = {3}; "
                        "use {4} heads or a width that is a multiple of {1}",
                        keys.heads, config.heads, keys.width, config.width,
                        divisor));
    return;
  }
  if (config.rotary && config.headWidth % 4) {
    reader.failKey(keys.heads,
                   formatv("rotary positions need heads of a multiple of 4 "
                           "channels, not {0}",
                           config.headWidth));
    return;
  }
  if (config.tokens() > maxTokens)
    reader.failKey(keys.image,
                   formatv("that makes {0} tokens; at most {1} are supported",
                           config.tokens(), maxTokens));
  if (config.positions == PositionKind::Sincos &&
      (config.width % 4 || config.width < 8))
    reader.failKey(keys.width, "sine-cosine positions need a multiple of 4, "
                               "at least 8");
}

void vit::findStoredGrid(VitConfig &config, const Weights *weights,
                         ConfigReader &reader) {
  if (reader.failed() || !weights || config.positions != PositionKind::Learned)
    return;
  std::optional<SmallVector<int64_t>> shape =
      weights->getShape(config.names.positions);
  if (!shape || shape->size() < 2)
    return;
  int64_t rows = (*shape)[shape->size() - 2];
  int64_t prefix = config.positionPrefix();
  if (rows == prefix + config.patches() || rows <= prefix)
    return; // Matches, or is reported with all other shapes.
  // The height and width of a table follow from its size only if it is square.
  int64_t side = std::llround(std::sqrt(double(rows - prefix)));
  if (side * side != rows - prefix)
    return;
  config.storedGridHeight = config.storedGridWidth = side;
}

void vit::findStoredDistances(VitConfig &config, const Weights *weights) {
  if (!weights ||
      (!config.relativePositions && !config.sharedRelativePositions))
    return;
  std::string name = config.relativePositions
                         ? config.names.relativePositions
                         : config.names.sharedRelativePositions;
  if (size_t number = name.find("{}"); number != std::string::npos)
    name.replace(number, 2, "0");
  std::optional<SmallVector<int64_t>> shape = weights->getShape(name);
  if (!shape || shape->size() != 2)
    return;
  int64_t rows = shape->front() - 3 * config.prefix();
  int64_t side = std::llround(std::sqrt(double(std::max<int64_t>(rows, 0))));
  // Other shapes match the picture, or are reported with all other ones.
  if (side % 2 == 0 || side * side != rows)
    return;
  config.storedDistanceRows = config.storedDistanceColumns = side;
}

std::optional<int64_t> vit::countLabels(ConfigReader &reader, StringRef key) {
  const llvm::json::Value *value = reader.get(key);
  if (const auto *array = value ? value->getAsArray() : nullptr)
    return array->size();
  if (const auto *object = value ? value->getAsObject() : nullptr)
    return object->size();
  return std::nullopt;
}

/// A label is a text, or a number as it is written by hand.
static std::string readLabel(const llvm::json::Value &value, size_t index) {
  if (std::optional<StringRef> text = value.getAsString())
    return text->str();
  if (value.kind() == llvm::json::Value::Null)
    return "LABEL_" + std::to_string(index);
  return print(value);
}

std::vector<std::string> vit::readLabels(ConfigReader &reader, StringRef key,
                                         std::optional<int64_t> classes) {
  std::vector<std::string> labels;
  const llvm::json::Value *value = reader.get(key);
  if (!value || reader.failed())
    return labels;
  if (const llvm::json::Array *array = value->getAsArray()) {
    for (const llvm::json::Value &element : *array)
      labels.push_back(readLabel(element, labels.size()));
    return labels;
  }
  const llvm::json::Object *object = value->getAsObject();
  if (!object)
    return labels;
  // Without weights the map says how many classes there are; it may have gaps.
  size_t most = std::max<size_t>(object->size(), classes.value_or(0)) + 1000;
  size_t count = 0;
  for (const auto &entry : *object) {
    uint64_t index = 0;
    if (StringRef(entry.first).getAsInteger(10, index) || index >= most)
      return {};
    count = std::max<size_t>(count, index + 1);
  }
  for (size_t i = 0; i < count; ++i)
    labels.push_back("LABEL_" + std::to_string(i));
  for (const auto &entry : *object) {
    uint64_t index = 0;
    StringRef(entry.first).getAsInteger(10, index);
    labels[index] = readLabel(entry.second, index);
  }
  return labels;
}
