//===- pipelines.cpp - Kernels made ready for a Vulkan device -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/pipelines.h"

#include <cstdio>

namespace vit::runtime::vulkan {

static constexpr uint32_t kSpirvMagic = 0x07230203;

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

vit_status createPipeline(Context &context, const uint32_t *words, size_t bytes,
                          const char *name, VkPipelineLayout layout,
                          VkPipelineCache cache, VkPipeline &pipeline,
                          vit_error *error) {
  const DeviceFunctions &vk = context.vk;
  VkShaderModuleCreateInfo shaderInfo = {};
  shaderInfo.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  shaderInfo.codeSize = bytes;
  shaderInfo.pCode = words;
  VkShaderModule shader = VK_NULL_HANDLE;
  VkResult result =
      vk.CreateShaderModule(context.device, &shaderInfo, nullptr, &shader);
  if (result == VK_SUCCESS) {
    VkComputePipelineCreateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
    info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
    info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
    info.stage.module = shader;
    info.stage.pName = name;
    info.layout = layout;
    result = vk.CreateComputePipelines(context.device, cache, 1, &info, nullptr,
                                       &pipeline);
    vk.DestroyShaderModule(context.device, shader, nullptr);
  }
  if (result == VK_SUCCESS)
    return VIT_OK;
  pipeline = VK_NULL_HANDLE;
  context.lost = context.lost || result == VK_ERROR_DEVICE_LOST;
  char what[256];
  std::snprintf(what, sizeof what, "compile the kernel '%s' for '%s'", name,
                context.adapter->properties.deviceName);
  return failed(error, result, what);
}

Pipelines::~Pipelines() {
  if (!context)
    return;
  const DeviceFunctions &vk = context->vk;
  for (Entry &entry : entries) {
    for (uint32_t i = 0; i < entry.count; ++i)
      vk.DestroyPipeline(context->device, entry.pipelines[i], nullptr);
    context->allocator.deallocate(entry.pipelines);
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

vit_status Pipelines::compile(const vit_module &module,
                              const schema::Kernel &kernel,
                              VkPipeline &pipeline, vit_error *error) {
  const schema::Segment &data =
      *module.root->images()->Get(kernel.image())->data();
  // In memory of its own: the module's may be aligned to bytes only.
  Array<uint32_t> words;
  if (data.size() < 20 || data.size() % 4 != 0)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: the kernel '%s' is not SPIR-V",
                module.name.data(), kernel.name()->c_str());
  if (!words.allocateRaw(context->allocator, data.size() / 4))
    return outOfMemory(error, data.size(), "a kernel");
  std::memcpy(words.data(), module.segments + data.offset(), data.size());
  if (words[0] != kSpirvMagic)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: the kernel '%s' is not SPIR-V",
                module.name.data(), kernel.name()->c_str());
  return createPipeline(*context, words.data(), data.size(),
                        kernel.name()->c_str(), layout, cache.handle, pipeline,
                        error);
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
  for (uint32_t i = 0; i < kernels; ++i)
    if (!entry.pipelines[i])
      VIT_TRY(compile(module, *schedule.kernels()->Get(i), entry.pipelines[i],
                      error));
  entry.ready = true;
  cache.store();
  return VIT_OK;
}

} // namespace vit::runtime::vulkan
