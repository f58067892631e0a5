//===- Numbers.h - Checks of numbers with a fraction ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_NUMBERS_H
#define VIT_TOOLS_NUMBERS_H

#include <cstdlib>
#include <limits>
#include <string>

namespace vit::tools {

/// What is wrong with `text` unless it is a number that satisfies `isGood`.
/// (The validators of CLI11 accept NaN, and their messages are several hundred
/// digits long.)
template <typename Predicate>
std::string findFault(const std::string &text, Predicate isGood,
                      const char *what) {
  char *end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  bool good = !text.empty() && *end == 0 && isGood(value);
  return good ? "" : text + " is not a number " + what;
}

/// Training computes in float.
inline std::string notNegative(const std::string &text) {
  return findFault(
      text,
      [](double value) {
        return value >= 0 && value <= std::numeric_limits<float>::max();
      },
      "of 0 or more");
}

} // namespace vit::tools

#endif // VIT_TOOLS_NUMBERS_H
