//===- Validators.h - Checks of options that tools share --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_VALIDATORS_H
#define VIT_TOOLS_VALIDATORS_H

#include <CLI/CLI.hpp>

#include <string>

namespace vit::tools {

/// An unsigned number of at most 19 digits. (CLI11 itself accepts -1 as the
/// largest uint64_t.)
inline CLI::Validator wholeNumber() {
  return CLI::Validator(
      [](const std::string &text) {
        bool isWhole = !text.empty() && text.size() < 20 &&
                       text.find_first_not_of("0123456789") == text.npos;
        return isWhole ? std::string()
                       : text + " is not a whole number of 1 to 19 digits";
      },
      "");
}

} // namespace vit::tools

#endif // VIT_TOOLS_VALIDATORS_H
