//===- Cache.h - Where compiled models are kept -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CACHE_H
#define VIT_TOOLS_CACHE_H

#include "CompilerLibrary.h"

#include <string>

namespace vit::tools {

/// The file in the cache for what `options` compile to: in $XDG_CACHE_HOME/vit
/// or ~/.cache/vit, named by a hash of what decides its content: the model's
/// small files byte by byte, path, size and time of its weights, the options,
/// and the compiler. Makes the folder. Empty where there is no place to write.
std::string cachePath(const CompilerOptions &options);

} // namespace vit::tools

#endif // VIT_TOOLS_CACHE_H
