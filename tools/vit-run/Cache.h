//===- Cache.h - The cache of compiled models -------------------*- C++ -*-===//
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

/// The cache file of the module that `options` compile to, in
/// $XDG_CACHE_HOME/vit or ~/.cache/vit. Its name is a hash of everything that
/// decides its content: the contents of the model's small files, the paths,
/// sizes and times of its weights, the options, and the compiler. Creates the
/// folder. Empty if there is no place to write to.
std::string cachePath(const CompilerOptions &options);

} // namespace vit::tools

#endif // VIT_TOOLS_CACHE_H
