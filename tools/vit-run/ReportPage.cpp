//===- ReportPage.cpp - The page of vit-run report ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReportPage.h"

#include "JsonText.h"
#include "ReportFiles.h"
#include "Support.h"

namespace vit::tools {

std::string scriptData(const nlohmann::ordered_json &data) {
  // `<` occurs in strings alone, where \u003c is the same.
  std::string result;
  for (char c : jsonText(data))
    if (c == '<')
      result += "\\u003c";
    else
      result += c;
  return result;
}

std::string makeReportPage(const nlohmann::ordered_json &data) {
  std::string page;
  const std::string text(*report_files::find("page.html"));
  // "{{style.css}}" stands for a file, "{{data}}" for the data.
  for (size_t at = 0; at < text.size();) {
    size_t open = text.find("{{", at), close = text.find("}}", open);
    page.append(text, at, open - at);
    if (open == std::string::npos || close == std::string::npos)
      break;
    std::string name = text.substr(open + 2, close - open - 2);
    if (name == "data")
      page += scriptData(data);
    else if (const std::string_view *file = report_files::find(name))
      page += *file;
    else
      throw Error("the page has no file " + name);
    at = close + 2;
  }
  return page;
}

} // namespace vit::tools
