//===- DumpIr.h - The text after each pass, in files ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_MODULE_DUMPIR_H
#define VIT_MODULE_DUMPIR_H

#include "mlir/Pass/PassInstrumentation.h"

#include <memory>
#include <string>

namespace mlir::vit {

/// Writes `FOLDER/LEVEL/NN-PASS.mlir`, and makes `FOLDER/LEVEL/code` for what
/// code generation writes.
class IrDumper {
public:
  explicit IrDumper(StringRef folder) : folder(folder.str()) {}

  std::unique_ptr<PassInstrumentation> forLevel(StringRef level);
  std::string codeFolder(StringRef level);

private:
  std::string folder;
};

} // namespace mlir::vit

#endif // VIT_MODULE_DUMPIR_H
