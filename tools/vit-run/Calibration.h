//===- Calibration.h - Statistics of the inputs of products -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CALIBRATION_H
#define VIT_TOOLS_CALIBRATION_H

#include "Options.h"

#include <string>

namespace vit::tools {

/// Runs the model in f32 on pictures and returns the largest magnitude of each
/// channel of the inputs of its products, as the JSON text that
/// `vit_compiler_request::statistics` takes. `limit`: so many pictures, evenly
/// spread over the data; 0: all. Throws as PictureSet and Runner.
std::string observeInputs(const CompilerOptions &compiler,
                          const DataOptions &data, int64_t limit);

} // namespace vit::tools

#endif // VIT_TOOLS_CALIBRATION_H
