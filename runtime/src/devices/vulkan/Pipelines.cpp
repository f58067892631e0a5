//===- Pipelines.cpp - Kernels made ready for a Vulkan device -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Pipelines.h"

#include "devices/vulkan/CooperativeMatrix.h"
#include "format/Level.h"
#include "format/Threads.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <pthread.h>

namespace vit::runtime::vulkan {

vit_status createLayout(Context &context, VkDescriptorSetLayout &setLayout,
                        VkPipelineLayout &layout, vit_error *error) {
  const DeviceFunctions &vk = context.vk;
  VkDescriptorSetLayoutBinding bindings[2] = {};
  for (uint32_t i = 0; i < 2; ++i) {
    bindings[i].binding = i;
    bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    bindings[i].descriptorCount = 1;
    bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
  }
  VkDescriptorSetLayoutCreateInfo setInfo = {};
  setInfo.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  setInfo.bindingCount = 2;
  setInfo.pBindings = bindings;
  VkResult result = vk.CreateDescriptorSetLayout(context.device, &setInfo,
                                                 nullptr, &setLayout);
  if (result != VK_SUCCESS) {
    setLayout = VK_NULL_HANDLE;
    return failed(error, result, "create a layout of descriptors");
  }
  VkPushConstantRange words = {VK_SHADER_STAGE_COMPUTE_BIT, 0,
                               kPushWords * sizeof(uint32_t)};
  VkPipelineLayoutCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  info.setLayoutCount = 1;
  info.pSetLayouts = &setLayout;
  info.pushConstantRangeCount = 1;
  info.pPushConstantRanges = &words;
  result = vk.CreatePipelineLayout(context.device, &info, nullptr, &layout);
  if (result != VK_SUCCESS) {
    layout = VK_NULL_HANDLE;
    return failed(error, result, "create a layout of pipelines");
  }
  return VIT_OK;
}

VkResult createPipeline(const Context &context, const uint32_t *words,
                        size_t bytes, const char *name, uint32_t subgroupSize,
                        VkPipelineLayout layout, VkPipelineCache cache,
                        VkPipeline &pipeline) {
  const DeviceFunctions &vk = context.vk;
  VkShaderModuleCreateInfo shaderInfo = {};
  shaderInfo.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  shaderInfo.codeSize = bytes;
  shaderInfo.pCode = words;
  VkShaderModule shader = VK_NULL_HANDLE;
  VkResult result =
      vk.CreateShaderModule(context.device, &shaderInfo, nullptr, &shader);
  if (result == VK_SUCCESS) {
    // NOLINTNEXTLINE(bugprone-invalid-enum-default-initialization): set below
    VkComputePipelineCreateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
    info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
    info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
    info.stage.module = shader;
    info.stage.pName = name;
    info.layout = layout;
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {};
    size.sType =
        VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
    size.requiredSubgroupSize = subgroupSize;
    if (subgroupSize) {
      info.stage.pNext = &size;
      info.stage.flags =
          VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    }
    result = vk.CreateComputePipelines(context.device, cache, 1, &info, nullptr,
                                       &pipeline);
    vk.DestroyShaderModule(context.device, shader, nullptr);
  }
  if (result != VK_SUCCESS)
    pipeline = VK_NULL_HANDLE;
  return result;
}

namespace {

/// Kernels that several threads compile, because drivers take milliseconds or
/// more for each.
class Compilation {
public:
  Compilation(const Context &context, const vit_module &module,
              const schema::Schedule &schedule, VkPipelineLayout layout,
              VkPipelineCache cache, VkPipeline *pipelines)
      : context(context), module(module), schedule(schedule), layout(layout),
        cache(cache), pipelines(pipelines) {
    for (uint32_t i = 0; i < count(schedule.features()); ++i)
      if (const format::MatrixKind *kind = format::findMatrixKind(
              schedule.features()->Get(i)->string_view()))
        subgroup = uint32_t(kind->subgroup);
  }

  void run() {
    constexpr uint32_t most = 8;
    pthread_t threads[most];
    uint32_t started = 0;
    uint32_t helpers =
        std::min({uint32_t(std::max(format::defaultThreads(), 1)),
                  count(schedule.kernels()), most});
    while (started + 1 < helpers &&
           pthread_create(&threads[started], nullptr, enter, this) == 0)
      ++started;
    work();
    while (started > 0)
      pthread_join(threads[--started], nullptr);
  }

  /// The first kernel that failed, and its error.
  uint32_t failed = UINT32_MAX;
  VkResult result = VK_SUCCESS;

private:
  static void *enter(void *self) {
    static_cast<Compilation *>(self)->work();
    return nullptr;
  }

  void work() {
    for (uint32_t i; (i = next.fetch_add(1)) < count(schedule.kernels());) {
      if (pipelines[i])
        continue; // Compiled by an earlier call, which failed later.
      const schema::Kernel &kernel = *schedule.kernels()->Get(i);
      const schema::Segment &data =
          *module.root->images()->Get(kernel.image())->data();
      // Verified to be SPIR-V at a multiple of 64 bytes.
      const auto *words =
          reinterpret_cast<const uint32_t *>(module.segments + data.offset());
      VkResult made = createPipeline(
          context, words, data.size(), kernel.name()->c_str(),
          subgroup && kernel.threads() % subgroup == 0 ? subgroup : 0, layout,
          cache, pipelines[i]);
      if (made == VK_SUCCESS)
        continue;
      pthread_mutex_lock(&mutex);
      if (i < failed) {
        failed = i;
        result = made;
      }
      pthread_mutex_unlock(&mutex);
      return;
    }
  }

  const Context &context;
  const vit_module &module;
  const schema::Schedule &schedule;
  VkPipelineLayout layout;
  VkPipelineCache cache;
  VkPipeline *pipelines;
  uint32_t subgroup = 0; ///< the size that kernels need; 0: any
  std::atomic<uint32_t> next{0};
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
};

} // namespace

Pipelines::~Pipelines() {
  if (!context)
    return;
  const DeviceFunctions &vk = context->vk;
  for (Entry &entry : entries) {
    for (uint32_t i = 0; i < entry.count; ++i)
      vk.DestroyPipeline(context->device, entry.pipelines[i], nullptr);
    context->allocator.deallocate(static_cast<void *>(entry.pipelines));
  }
  vk.DestroyPipelineLayout(context->device, layout, nullptr);
  vk.DestroyDescriptorSetLayout(context->device, setLayout, nullptr);
}

vit_status Pipelines::create(Context &owner, uint32_t entryCount,
                             vit_error *error) {
  context = &owner;
  if (!entries.allocate(owner.allocator, entryCount))
    return outOfMemory(error, entryCount * sizeof(Entry), "pipelines");
  VIT_TRY(createLayout(owner, setLayout, layout, error));
  cache.open(owner);
  return VIT_OK;
}

vit_status Pipelines::prepare(const vit_module &module, uint32_t index,
                              const schema::Schedule &schedule,
                              vit_error *error) {
  Entry &entry = entries[index];
  if (entry.ready)
    return VIT_OK;
  uint32_t kernels = count(schedule.kernels());
  if (!entry.pipelines) {
    entry.pipelines = static_cast<VkPipeline *>(
        context->allocator.allocate(kernels * sizeof(VkPipeline)));
    if (!entry.pipelines)
      return outOfMemory(error, kernels * sizeof(VkPipeline), "pipelines");
    for (; entry.count < kernels; ++entry.count)
      entry.pipelines[entry.count] = VK_NULL_HANDLE;
  }
  Compilation compilation(*context, module, schedule, layout, cache.handle,
                          entry.pipelines);
  compilation.run();
  if (compilation.failed != UINT32_MAX) {
    VkResult result = compilation.result;
    context->noteLoss(result);
    char what[640];
    std::snprintf(what, sizeof what, "compile the kernel '%s' for '%s'",
                  schedule.kernels()->Get(compilation.failed)->name()->c_str(),
                  context->adapter->properties.deviceName);
    return failed(error, result, what);
  }
  entry.ready = true;
  cache.store();
  return VIT_OK;
}

} // namespace vit::runtime::vulkan
