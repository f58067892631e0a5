//===- Json.cpp - JSON from untrusted files -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Json.h"

using namespace vit::data;

Json vit::data::parseObject(const std::string &text) {
  Json value;
  try {
    value = Json::parse(text);
  } catch (const Json::parse_error &error) {
    misread({reinterpret_cast<const uint8_t *>(text.data()), text.size()},
            "it is not JSON (at byte " + std::to_string(error.byte) + ")");
  } catch (const Json::exception &) {
    corrupt("it is not JSON");
  }
  if (!value.is_object())
    corrupt("it is not a JSON object");
  return value;
}

JsonObject::JsonObject(const Json &object, std::string name)
    : object(object), name(std::move(name)) {
  if (!object.is_object())
    corrupt(this->name + " must be an object");
}

std::string JsonObject::nameOf(const char *key) const {
  return name.empty() ? key : name + "." + key;
}

void JsonObject::refuse(const char *key, const char *expected) const {
  corrupt(nameOf(key) + " must be " + expected);
}

const Json *JsonObject::find(const char *key) const {
  auto member = object.find(key);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

std::vector<double> JsonObject::readNumbers(const char *key) const {
  const Json *value = find(key);
  if (!value)
    return {};
  if (value->is_number())
    return {value->get<double>()};
  std::vector<double> numbers;
  if (!value->is_array())
    refuse(key, "a number or a list of numbers");
  for (const Json &element : *value) {
    if (!element.is_number())
      refuse(key, "a number or a list of numbers");
    numbers.push_back(element.get<double>());
  }
  return numbers;
}

int32_t vit::data::toPixels(double value, const std::string &what) {
  if (!(value >= 1 && value <= 65536) || value != double(int32_t(value)))
    corrupt(what + " must be a number of pixels between 1 and 65536");
  return int32_t(value);
}
