//===- StoredTensors.cpp - Parameters as stored in checkpoints ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StoredTensors.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>

namespace vit::tools {

int64_t StoredPart::elements() const { return product(dims); }
int64_t CheckpointTensor::elements() const { return product(shape); }

/// Throws unless the parts are consecutive and cover all rows.
static void checkParts(CheckpointTensor &tensor) {
  std::sort(tensor.parts.begin(), tensor.parts.end(),
            [](const StoredPart &a, const StoredPart &b) {
              return a.begin < b.begin;
            });
  int64_t row = 0, size = tensor.rowElements();
  for (const StoredPart &part : tensor.parts) {
    if (part.begin != row || part.elements() != (part.end - part.begin) * size)
      throw Error("the model's parameters do not fill the stored tensor " +
                  tensor.name + " " + storedShapeText(tensor.shape) +
                  " exactly once (" + part.parameter + " is its rows " +
                  std::to_string(part.begin) + " to " +
                  std::to_string(part.end) +
                  "), so that no checkpoint of it can be written");
    row = part.end;
  }
  if (row * size != tensor.elements())
    throw Error("no parameter of the model is rows " + std::to_string(row) +
                " to " + std::to_string(tensor.elements() / size) +
                " of the stored tensor " + tensor.name +
                ", so that no checkpoint of it can be written");
}

std::vector<CheckpointTensor> storedTensors(vit_module *module) {
  nlohmann::json description =
      nlohmann::json::parse(describeModule(module), nullptr, false);
  std::vector<CheckpointTensor> tensors;
  std::unordered_map<std::string, size_t> indices;
  for (const nlohmann::json &parameter : description.at("parameters")) {
    std::string name = parameter.at("stored_name");
    auto [found, isNew] = indices.emplace(name, tensors.size());
    if (isNew)
      tensors.push_back({name, parameter.at("stored_dims"), {}});
    CheckpointTensor &tensor = tensors[found->second];
    if (tensor.shape != parameter.at("stored_dims"))
      throw Error("two parameters of the model store " + name +
                  " in different shapes");
    tensor.parts.push_back({parameter.at("name"), parameter.at("dims"),
                            parameter.at("stored_begin"),
                            parameter.at("stored_end")});
  }
  for (CheckpointTensor &tensor : tensors)
    checkParts(tensor);
  return tensors;
}

void readStored(const CheckpointTensor &tensor,
                const vit_parameters *parameters, float *values) {
  vit_error error;
  for (const StoredPart &part : tensor.parts)
    check(vit_parameters_read(parameters, part.parameter.c_str(),
                              values + part.begin * tensor.rowElements(),
                              part.elements() * sizeof(float), &error),
          error);
}

void writeStored(const CheckpointTensor &tensor, const float *values,
                 vit_parameters *parameters) {
  vit_error error;
  for (const StoredPart &part : tensor.parts)
    check(vit_parameters_write(parameters, part.parameter.c_str(),
                               values + part.begin * tensor.rowElements(),
                               part.elements() * sizeof(float), &error),
          error);
}

static std::vector<int64_t> dropOnes(std::vector<int64_t> shape) {
  auto first = std::find_if(shape.begin(), shape.end(),
                            [](int64_t dim) { return dim != 1; });
  shape.erase(shape.begin(), first);
  return shape;
}

bool sameStoredShape(const std::vector<int64_t> &a,
                     const std::vector<int64_t> &b) {
  return dropOnes(a) == dropOnes(b);
}

std::string storedShapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t dim : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(dim);
  return "[" + text + "]";
}

std::vector<int64_t> shapeIn(const vit_weights *weights, int64_t index) {
  vit_error error;
  vit_weight_info info = {};
  check(vit_weights_info(weights, index, &info, &error), error);
  return dimsOf(info);
}

std::string listText(const std::vector<std::string> &items, size_t most) {
  std::string text;
  for (size_t i = 0; i < items.size() && i < most; ++i)
    text += (i ? ", " : "") + items[i];
  if (items.size() > most)
    text += " and " + std::to_string(items.size() - most) + " more";
  return text;
}

} // namespace vit::tools
