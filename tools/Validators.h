//===- Validators.h - Checks of options that tools share --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_VALIDATORS_H
#define VIT_TOOLS_VALIDATORS_H

#include "format/WeightNames.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
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

/// Decimal digits alone, as users write them: CLI11 itself also takes 0x10.
inline CLI::Validator wholeNumberIn(int64_t least, int64_t most) {
  return CLI::Validator(
      [least, most](const std::string &text) {
        size_t begin = least < 0 && text.rfind('-', 0) == 0 ? 1 : 0;
        bool isNumber =
            text.size() > begin && text.size() < 19 &&
            text.find_first_not_of("0123456789", begin) == text.npos;
        int64_t value = isNumber ? std::stoll(text) : 0;
        return isNumber && value >= least && value <= most
                   ? std::string()
                   : "'" + text + "' is not a whole number from " +
                         std::to_string(least) + " to " + std::to_string(most);
      },
      "");
}

/// A decimal number: CLI11 itself also takes nan, inf and 0x10.
inline CLI::Validator numberIn(double least, double most) {
  return CLI::Validator(
      [least, most](const std::string &text) {
        char *end = nullptr;
        bool isNumber = !text.empty() &&
                        text.find_first_not_of("0123456789.e+-") == text.npos;
        double value = isNumber ? std::strtod(text.c_str(), &end) : 0;
        return isNumber && *end == 0 && value >= least && value <= most
                   ? std::string()
                   : "'" + text + "' is not a number from " +
                         CLI::detail::to_string(least) + " to " +
                         CLI::detail::to_string(most);
      },
      "");
}

/// A number of bytes such as 512M or 2G, which becomes digits alone.
inline CLI::Validator sizeInBytes() {
  return CLI::Validator(
      [](std::string &text) {
        // Else -1 becomes the largest number.
        bool isSize = !text.empty() && text[0] >= '0' && text[0] <= '9';
        std::string given = text;
        try {
          isSize =
              isSize && CLI::AsSizeValue(/*kb_is_1000=*/false)(text).empty();
        } catch (const CLI::ValidationError &) { // 0.5K
          isSize = false;
        }
        return isSize ? ""
                      : "'" + given +
                            "' is not a number of bytes such as 512M or 2G";
      },
      "");
}

/// What a variable of the shell that is not set becomes: the default would
/// stand for what the user meant.
inline CLI::Validator notEmpty() {
  return CLI::Validator(
      [](const std::string &text) {
        return std::string(text.empty() ? "the value is empty" : "");
      },
      "");
}

/// Adds --weights-key. The libraries look for its value in the environment, as
/// do the processes that compile.
inline void addWeightsKey(CLI::App &app) {
  app.add_option_function<std::string>(
         "--weights-key",
         [](const std::string &key) {
           setenv(format::kWeightsKey, key.c_str(), /*overwrite=*/1);
         },
         std::string("Which weights to use of a file of torch.save that holds "
                     "several, such as model_ema (default: ") +
             format::kWeightsKey + " in the environment)")
      ->check(notEmpty())
      ->type_name("KEY");
}

} // namespace vit::tools

#endif // VIT_TOOLS_VALIDATORS_H
