//===- Pipelines.h - Kernels made ready for a Vulkan device -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_PIPELINES_H
#define VIT_RUNTIME_DEVICES_VULKAN_PIPELINES_H

#include "Module.h"
#include "devices/vulkan/PipelineCache.h"

namespace vit::runtime::vulkan {

/// The push constants of a kernel, as 32-bit words: the batch, the first work
/// unit, then the offset of each argument in its binding, in 16-byte vectors.
inline constexpr uint32_t kPushWords = 32;
inline constexpr uint32_t kPushFirstUnit = 1;
inline constexpr uint32_t kPushArguments = 2;

/// The pipelines of the kernels of each entry. All have the same layout:
/// binding 0 is the workspace, binding 1 the weights, and there are push
/// constants.
class Pipelines {
public:
  Pipelines() = default;
  Pipelines(const Pipelines &) = delete;
  Pipelines &operator=(const Pipelines &) = delete;
  ~Pipelines();

  vit_status create(Context &context, uint32_t entries, vit_error *error);

  /// Compiles the kernels of an entry's schedule that are not compiled yet.
  vit_status prepare(const vit_module &module, uint32_t entry,
                     const schema::Schedule &schedule, vit_error *error);

  VkPipeline pipeline(uint32_t entry, uint32_t kernel) const {
    return entries[entry].pipelines[kernel];
  }

  VkDescriptorSetLayout setLayout = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;

private:
  struct Entry {
    VkPipeline *pipelines;
    uint32_t count;
    bool ready;
  };

  Context *context = nullptr;
  PipelineCache cache;
  Array<Entry> entries;
};

/// Creates a pipeline for the entry point `name` of SPIR-V `words`. Several
/// threads may call this at once. `subgroupSize`: what all subgroups must have,
/// 0: any number.
VkResult createPipeline(const Context &context, const uint32_t *words,
                        size_t bytes, const char *name, uint32_t subgroupSize,
                        VkPipelineLayout layout, VkPipelineCache cache,
                        VkPipeline &pipeline);

/// Creates the layout of two storage buffers and kPushWords.
vit_status createLayout(Context &context, VkDescriptorSetLayout &setLayout,
                        VkPipelineLayout &layout, vit_error *error);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_PIPELINES_H
