//===- OutputNames.h - Which outputs a message offers -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Needs the standard library alone, so that tools without LLVM have it too.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_GRAPH_OUTPUTNAMES_H
#define VIT_GRAPH_OUTPUTNAMES_H

#include <string>
#include <vector>

namespace mlir::vit {

/// "attention_" of "attention_12"; empty if `name` does not end in a number.
inline std::string findNumberedStem(const std::string &name) {
  size_t end = name.find_last_not_of("0123456789");
  return end == std::string::npos || end + 1 == name.size() || name[end] != '_'
             ? ""
             : name.substr(0, end + 1);
}

/// Lists `names` where `unknown` is none of them: those of its kind alone,
/// "attention_0 to attention_11", if there are any.
inline std::string listOutputs(const std::vector<std::string> &names,
                               const std::string &unknown) {
  std::string all, first, last, stem = findNumberedStem(unknown);
  for (const std::string &name : names) {
    all += (all.empty() ? "" : ", ") + name;
    if (stem.empty() || findNumberedStem(name) != stem)
      continue;
    if (first.empty())
      first = name;
    last = name;
  }
  if (first.empty())
    return all;
  return first == last ? first : first + " to " + last;
}

} // namespace mlir::vit

#endif // VIT_GRAPH_OUTPUTNAMES_H
