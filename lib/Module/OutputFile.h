//===- OutputFile.h - A file that appears whole or not at all ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_MODULE_OUTPUTFILE_H
#define VIT_MODULE_OUTPUTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace mlir::vit {

/// Writes beside `path`; `commit` syncs and renames. Without it the destructor
/// leaves no trace. Every method returns false and sets `error` on failure.
class OutputFile {
public:
  OutputFile(llvm::StringRef path, std::string &error)
      : path(path.str()), error(error) {}
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  bool open();
  /// Writes `bytes` at `offset`; what lies between is zero.
  bool write(uint64_t offset, llvm::ArrayRef<char> bytes);
  bool commit(uint64_t size);

private:
  bool fail(const char *what);

  std::string path, temporary;
  std::string &error;
  int file = -1;
};

} // namespace mlir::vit

#endif // VIT_MODULE_OUTPUTFILE_H
