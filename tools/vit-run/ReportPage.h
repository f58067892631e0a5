//===- ReportPage.h - The page of vit-run report ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_REPORTPAGE_H
#define VIT_TOOLS_REPORTPAGE_H

#include <nlohmann/json.hpp>

#include <string>

namespace vit::tools {

/// JSON that can be the content of a script element: without `<`.
std::string scriptData(const nlohmann::ordered_json &data);

/// An HTML page with the files of report/, D3 and `data` in it. Nothing in
/// `data` can be code or markup: it is JSON without `<`, and the page shows its
/// strings as text.
std::string makeReportPage(const nlohmann::ordered_json &data);

} // namespace vit::tools

#endif // VIT_TOOLS_REPORTPAGE_H
