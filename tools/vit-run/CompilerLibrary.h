//===- CompilerLibrary.h - Opens libvit-compiler.so on demand ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_COMPILERLIBRARY_H
#define VIT_TOOLS_COMPILERLIBRARY_H

#include "CompilerOptions.h"
#include "Support.h"

#include <string>

namespace vit::tools {

/// The path of `file` in the folder of the runtime library.
std::string besideRuntime(const std::string &file);

/// The file that `runCompiler` opens: VIT_COMPILER_LIBRARY in the environment,
/// else what useCompilerLibrary named, else libvit-compiler.so beside the
/// runtime library. Throws Error if it is not installed.
std::string findCompilerLibrary();

/// Names the compiler library and what installs it ("pip install NAME"), of
/// which an error speaks. `path` empty: none is installed elsewhere. To be
/// called before other threads use the compiler.
void useCompilerLibrary(const std::string &path, const std::string &remedy);

/// Opens the compiler (once) and runs `request`. Prints its notes about the
/// model unless `quiet`. Does not call `on_phase`, `on_note` and `on_error`; on
/// failure throws Error with the whole message.
void runCompiler(const vit_compiler_request &request, bool quiet = false);

/// The compiler could not read or write a file (VIT_IO_ERROR).
struct CompilerFileError : Error {
  explicit CompilerFileError(const std::string &message)
      : Error(message, VIT_IO_ERROR) {}
};

/// The same for a request that only writes files, in a child process: none of
/// the memory of the compiler remains in this process. Throws CompilerFileError
/// for VIT_IO_ERROR.
void runCompilerApart(const vit_compiler_request &request, bool quiet = false);

} // namespace vit::tools

#endif // VIT_TOOLS_COMPILERLIBRARY_H
