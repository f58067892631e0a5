//===- JsonText.h - Parses untrusted JSON -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_JSONTEXT_H
#define VIT_TOOLS_JSONTEXT_H

#include <nlohmann/json.hpp>

#include <string>

namespace vit::tools {

/// Parses a JSON object, keeping the order of members. Throws Error, beginning
/// with `where`, if the text is not an object or nests deeper than a
/// configuration does (printing is recursive).
nlohmann::ordered_json parseJsonObject(const std::string &text,
                                       const std::string &where);

/// JSON as text. Bytes that are not UTF-8 are replaced.
inline std::string jsonText(const nlohmann::ordered_json &json,
                            int indent = -1) {
  return json.dump(indent, ' ', false,
                   nlohmann::json::error_handler_t::replace);
}

} // namespace vit::tools

#endif // VIT_TOOLS_JSONTEXT_H
