//===- PipelineCache.h - Compiled shaders on disk ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keeps compiled shaders for the next process in $XDG_CACHE_HOME/vit (else
// ~/.cache/vit), one file per device and driver version. Nothing here fails:
// without a file, or with a damaged one, the driver compiles again.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_PIPELINE_CACHE_H
#define VIT_RUNTIME_DEVICES_VULKAN_PIPELINE_CACHE_H

#include "devices/vulkan/Context.h"

namespace vit::runtime::vulkan {

class PipelineCache {
public:
  PipelineCache() = default;
  PipelineCache(const PipelineCache &) = delete;
  PipelineCache &operator=(const PipelineCache &) = delete;
  ~PipelineCache();

  /// Creates the cache with the file's data if that is valid for this driver.
  void open(Context &context);
  /// Rewrites the file if the driver has more data than was read.
  void store();

  /// For vkCreateComputePipelines; may be VK_NULL_HANDLE.
  VkPipelineCache handle = VK_NULL_HANDLE;

private:
  bool read(Array<unsigned char> &data) const;

  Context *context = nullptr;
  char path[1024] = ""; ///< empty: nothing is kept
  size_t stored = 0;    ///< bytes of data in the file; 0: it is to be written
  size_t opened = 0;    ///< what the driver had to keep then
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_PIPELINE_CACHE_H
