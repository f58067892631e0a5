//===- JsonText.cpp - Parses untrusted JSON -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "JsonText.h"

#include "Support.h"

#include "format/Diagnose.h"

namespace vit::tools {

static constexpr int kMostNesting = 64;

nlohmann::ordered_json parseJsonObject(const std::string &text,
                                       const std::string &where) {
  using Json = nlohmann::ordered_json;
  Json result;
  try {
    result = Json::parse(text, [&](int depth, Json::parse_event_t, Json &) {
      if (depth > kMostNesting)
        throw Error(where + ": nested too deep");
      return true;
    });
  } catch (const Json::exception &error) {
    if (const char *contents = format::recognise(text.data(), text.size()).text)
      throw Error("cannot read " + where + ": " + contents);
    throw Error(where + ": not valid JSON: " + error.what());
  }
  if (!result.is_object())
    throw Error(where + ": not a JSON object");
  return result;
}

} // namespace vit::tools
