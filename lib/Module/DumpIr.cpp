//===- DumpIr.cpp - The text after each pass, in files --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DumpIr.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::vit;

namespace {

class DumpAfterPass : public PassInstrumentation {
public:
  explicit DumpAfterPass(std::string folder) : folder(std::move(folder)) {}

  void runBeforePass(Pass *, Operation *op) override {
    if (number == 0)
      write("input", op);
  }
  void runAfterPass(Pass *pass, Operation *op) override {
    StringRef name = pass->getArgument();
    // Pass adaptors only contain other passes.
    if (!name.empty())
      write(name, op);
  }
  void runAfterPassFailed(Pass *pass, Operation *op) override {
    write(pass->getArgument().str() + "-failed", op);
  }

private:
  /// Writes the whole module that contains `op`. Passes run one at a time.
  void write(const Twine &name, Operation *op) {
    while (op->getParentOp())
      op = op->getParentOp();
    std::error_code code;
    llvm::raw_fd_ostream stream(
        llvm::formatv("{0}/{1,0+2}-{2}.mlir", folder, number++, name.str())
            .str(),
        code);
    if (code)
      return;
    OpPrintingFlags flags;
    flags.enableDebugInfo(/*enable=*/true, /*prettyForm=*/false);
    op->print(stream, flags);
    stream << '\n';
  }

  std::string folder;
  unsigned number = 0;
};

} // namespace

std::unique_ptr<PassInstrumentation> IrDumper::forLevel(StringRef level) {
  std::string path = folder + "/" + level.str();
  llvm::sys::fs::create_directories(path);
  return std::make_unique<DumpAfterPass>(path);
}

std::string IrDumper::codeFolder(StringRef level) {
  std::string path = folder + "/" + level.str() + "/code";
  llvm::sys::fs::create_directories(path);
  return path;
}
