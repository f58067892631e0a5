//===- Cache.h - The cache of compiled models -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CACHE_H
#define VIT_TOOLS_CACHE_H

#include "CompilerLibrary.h"

#include <cstdint>
#include <optional>
#include <string>

namespace vit::tools {

/// The cache file of the module that `options` compile to, in
/// $XDG_CACHE_HOME/vit or ~/.cache/vit. Its name is a hash of everything that
/// decides its content: the contents of the model's small files, the paths,
/// sizes and times of its weights, the options, and the compiler. Creates the
/// folder. Empty if there is no place to write to.
std::string cachePath(const CompilerOptions &options);

/// Records which model the file `path` of the cache was compiled from, for
/// `vit-run cache`. Nothing depends on it: no error is reported.
void describeCached(const std::string &path, const CompilerOptions &options);

/// Records that a file of the cache has just been used.
void markUsed(const std::string &path);

/// Removes the least recently used files until the cache is no larger than
/// VIT_CACHE_SIZE (a number of bytes, or with K, M or G; default 2G). Files
/// that other processes have mapped stay valid for them. Throws Error if
/// VIT_CACHE_SIZE is not a size.
void trimCache();

/// Whether a Vulkan driver has kept compiled kernels in the cache.
bool hasDriverKernels();

/// A number of bytes such as 1048576, 512K, 100M or 2G.
std::optional<uint64_t> parseCacheSize(const std::string &text);

} // namespace vit::tools

#endif // VIT_TOOLS_CACHE_H
