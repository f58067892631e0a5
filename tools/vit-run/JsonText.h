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

} // namespace vit::tools

#endif // VIT_TOOLS_JSONTEXT_H
