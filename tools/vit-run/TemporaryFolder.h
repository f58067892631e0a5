//===- TemporaryFolder.h - A folder that is removed -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TEMPORARYFOLDER_H
#define VIT_TOOLS_TEMPORARYFOLDER_H

#include "Support.h"

#include <cstdlib>
#include <filesystem>

namespace vit::tools {

/// A new folder in TMPDIR that is removed with its files.
class TemporaryFolder {
public:
  TemporaryFolder() {
    const char *temporary = std::getenv("TMPDIR");
    path = std::string(temporary && *temporary ? temporary : "/tmp") +
           "/vit-run-XXXXXX";
    if (!mkdtemp(path.data()))
      throw Error("cannot make a folder such as " + path +
                  "; set TMPDIR to a folder that can be written");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string path;
};

} // namespace vit::tools

#endif // VIT_TOOLS_TEMPORARYFOLDER_H
