//===- Meaning.h - What logits and tokens are -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The names in texts of models. Their positions are the numbers in a module
// file: schema::ProblemType and schema::TokenKind.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_MEANING_H
#define VIT_FORMAT_MEANING_H

#include <optional>
#include <string_view>

namespace vit::format {

/// The values of problem_type in transformers' config.json, after "not stated".
inline constexpr std::string_view kProblemTypes[] = {
    "", "single_label_classification", "multi_label_classification",
    "regression"};

/// The kinds of tokens that are no patches.
inline constexpr std::string_view kTokenKinds[] = {"class", "distillation",
                                                   "register"};

/// The position of `name` in a list of names; nullopt if it is not there, or
/// empty.
template <size_t Count>
std::optional<int> findName(const std::string_view (&names)[Count],
                            std::string_view name) {
  for (size_t i = 0; i < Count; ++i)
    if (!name.empty() && names[i] == name)
      return int(i);
  return std::nullopt;
}

} // namespace vit::format

#endif // VIT_FORMAT_MEANING_H
