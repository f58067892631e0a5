//===- Writer.h - From compiled levels to a .vitm file ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The last step of the compiler. docs/module-format.md describes the file.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_MODULE_WRITER_H
#define VIT_MODULE_WRITER_H

#include "vit/Import/Weights.h"
#include "vit/Target/CPU.h"
#include "vit/Target/CUDA.h"
#include "vit/Target/Vulkan.h"

#include <string>
#include <variant>

namespace mlir::vit {

/// One level of a target: the graph after buildTargetPipeline and its code.
struct CompiledLevel {
  std::string level;
  ::vit::format::ElementType precision = ::vit::format::ElementType::F32;
  ModuleOp lowered;
  std::variant<CodeImage, VulkanCode, CudaCode> code;
};

/// Where the weights of a module are stored.
enum class ParameterStorage {
  /// In the module: in the form that kernels read, or, if no kernel reads them,
  /// as logical tensors. Each weight is stored once, for all levels.
  Inline,
  /// In the files of the checkpoint; or they are drawn from their initialisers
  /// when the module is loaded.
  Reference
};

struct WriterOptions {
  ParameterStorage parameters = ParameterStorage::Inline;
};

/// Writes one module with a schedule per level, in the given order. The file is
/// written beside `path` and then renamed, so that `path` is complete or
/// unchanged. All levels must come from the same graph. Weights are read, laid
/// out and written one at a time. The same arguments give the same bytes. On
/// failure `error` is one line.
LogicalResult writeModule(ArrayRef<CompiledLevel> levels,
                          const Weights &weights, const WriterOptions &options,
                          StringRef path, std::string &error);

} // namespace mlir::vit

#endif // VIT_MODULE_WRITER_H
