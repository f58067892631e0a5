//===- Json.h - JSON from untrusted files -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_DATA_JSON_H
#define VIT_DATA_JSON_H

#include "Support.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace vit::data {

using Json = nlohmann::json;

/// Parses text whose outermost value must be an object.
Json parseObject(const std::string &text);

/// An object whose members are read with their type checked. Messages name the
/// member; a member that is null counts as absent.
class JsonObject {
public:
  /// `name` stands before a dot in messages; empty for the outermost object.
  explicit JsonObject(const Json &object, std::string name = "");

  /// The member, or NULL.
  const Json *find(const char *key) const;
  bool has(const char *key) const { return find(key) != nullptr; }
  bool readBool(const char *key, bool otherwise) const {
    return read<bool>(key, otherwise, &Json::is_boolean, "true or false");
  }
  double readNumber(const char *key, double otherwise) const {
    return read<double>(key, otherwise, &Json::is_number, "a number");
  }
  std::string readString(const char *key, const char *otherwise) const {
    return read<std::string>(key, otherwise, &Json::is_string, "a string");
  }
  /// A number or a list of numbers; empty where absent.
  std::vector<double> readNumbers(const char *key) const;
  /// Fails: "KEY must be EXPECTED".
  [[noreturn]] void refuse(const char *key, const char *expected) const;
  std::string nameOf(const char *key) const;

private:
  template <typename Value, typename Otherwise>
  Value read(const char *key, Otherwise otherwise,
             bool (Json::*isRight)() const noexcept,
             const char *expected) const {
    const Json *value = find(key);
    if (!value)
      return otherwise;
    if (!(value->*isRight)())
      refuse(key, expected);
    return value->get<Value>();
  }

  const Json &object;
  std::string name;
};

/// A size in pixels, or a VIT_CORRUPT failure that names `what`.
int32_t toPixels(double value, const std::string &what);

} // namespace vit::data

#endif // VIT_DATA_JSON_H
