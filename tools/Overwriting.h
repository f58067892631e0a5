//===- Overwriting.h - Outputs that are inputs ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_OVERWRITING_H
#define VIT_TOOLS_OVERWRITING_H

#include "vit/Import/ModelFolder.h"

#include <filesystem>
#include <string>
#include <vector>

namespace vit::tools {

/// Why `output` must not be written: it is one of the files that a command
/// reads. Empty if it is none of them.
inline std::string explainOverwrite(const std::string &output,
                                    const std::vector<std::string> &inputs) {
  std::error_code ignored;
  for (const std::string &input : inputs)
    if (std::filesystem::equivalent(output, input, ignored))
      return "cannot write " + output + ": this command reads that file (" +
             input + ")";
  return "";
}

/// The files of a model: a text or module itself, or those of a folder by
/// which it is known.
inline std::vector<std::string> filesOfModel(const std::string &model) {
  std::error_code ignored;
  std::string folder = mlir::vit::resolveModelFolder(model);
  if (!std::filesystem::is_directory(folder, ignored))
    return {model};
  std::vector<std::string> files;
  for (const std::string &name : mlir::vit::listFolder(folder))
    if (name.size() < 5 || name.compare(name.size() - 5, 5, ".vitm") != 0)
      files.push_back((std::filesystem::path(folder) / name).string());
  return files;
}

} // namespace vit::tools

#endif // VIT_TOOLS_OVERWRITING_H
