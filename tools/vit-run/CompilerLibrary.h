//===- CompilerLibrary.h - libvit-compiler.so, when needed ------*- C++ -*-===//
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

/// What a model is compiled with so that it can be trained.
struct TrainingRequest {
  std::string options; ///< of vit-generate-backward
  uint64_t memory = 0; ///< Bytes for a step's activations; 0: no limit.
  int64_t batch = 0;   ///< of a step
};

/// What the compiler is asked for. An empty text stands for its default.
struct CompilerOptions {
  std::string model, weights;
  bool allowUnused = false;
  uint64_t seed = 0;
  std::string outputs, skipPasses; ///< Separated by commas.
  std::string dumpIr;
  std::string target, level, precision;
  std::optional<TrainingRequest> training;

  /// Parameters stay where they are. Points into these options.
  vit_compiler_request createRequest(vit_compiler_action action) const;
};

/// The file that `runCompiler` opens: libvit-compiler.so beside the runtime
/// library. Throws Error where it is not installed.
std::string findCompilerLibrary();

/// Opens the compiler (once) and runs `request`, whose `on_phase` and
/// `on_error` are not called: where it fails its whole message becomes the
/// Error thrown.
void runCompiler(const vit_compiler_request &request);

/// The same for a request that only writes files, in a process of its own: none
/// of the compiler's memory stays beside the model that runs afterwards.
void runCompilerApart(const vit_compiler_request &request);

} // namespace vit::tools

#endif // VIT_TOOLS_COMPILERLIBRARY_H
