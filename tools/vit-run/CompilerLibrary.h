//===- CompilerLibrary.h - Opens libvit-compiler.so on demand ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_COMPILERLIBRARY_H
#define VIT_TOOLS_COMPILERLIBRARY_H

#include "vit/Compiler.h"

#include <cstdint>
#include <optional>
#include <string>

namespace vit::tools {

/// Options for compiling a training step.
struct TrainingRequest {
  std::string options; ///< Of vit-generate-backward.
  uint64_t memory = 0; ///< Bytes for a step's activations; 0: no limit.
  int64_t batch = 0;   ///< Of a step.
};

/// Options of the compiler. An empty string means the default.
struct CompilerOptions {
  std::string model, weights;
  bool allowUnused = false;
  uint64_t seed = 0;
  std::string outputs, skipPasses; ///< Separated by commas.
  std::string dumpIr;
  std::string target, level, precision;
  std::optional<TrainingRequest> training;

  /// The request does not store parameters in the module. It points into these
  /// options.
  vit_compiler_request createRequest(vit_compiler_action action) const;
};

/// The file that `runCompiler` opens: libvit-compiler.so beside the runtime
/// library. Throws Error if it is not installed.
std::string findCompilerLibrary();

/// Opens the compiler (once) and runs `request`. Does not call `on_phase` and
/// `on_error`; on failure throws Error with the whole message.
void runCompiler(const vit_compiler_request &request);

/// The same for a request that only writes files, in a child process: none of
/// the memory of the compiler remains in this process.
void runCompilerApart(const vit_compiler_request &request);

} // namespace vit::tools

#endif // VIT_TOOLS_COMPILERLIBRARY_H
