//===- Functions.h - Vulkan's entry points ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime does not link Vulkan: it opens the loader's library at run time
// and looks up the functions by name.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_FUNCTIONS_H
#define VIT_RUNTIME_DEVICES_VULKAN_FUNCTIONS_H

#include "devices/vulkan/Extensions.h"

namespace vit::runtime::vulkan {

#define VIT_VULKAN_INSTANCE_FUNCTIONS(X)                                       \
  X(CreateDevice)                                                              \
  X(DestroyInstance)                                                           \
  X(EnumerateDeviceExtensionProperties)                                        \
  X(EnumeratePhysicalDevices)                                                  \
  X(GetDeviceProcAddr)                                                         \
  X(GetPhysicalDeviceFeatures)                                                 \
  X(GetPhysicalDeviceFeatures2)                                                \
  X(GetPhysicalDeviceMemoryProperties)                                         \
  X(GetPhysicalDeviceProperties)                                               \
  X(GetPhysicalDeviceProperties2)                                              \
  X(GetPhysicalDeviceQueueFamilyProperties)

#define VIT_VULKAN_DEVICE_FUNCTIONS(X)                                         \
  X(AllocateCommandBuffers)                                                    \
  X(AllocateDescriptorSets)                                                    \
  X(AllocateMemory)                                                            \
  X(BeginCommandBuffer)                                                        \
  X(BindBufferMemory)                                                          \
  X(CmdBindDescriptorSets)                                                     \
  X(CmdBindPipeline)                                                           \
  X(CmdCopyBuffer)                                                             \
  X(CmdDispatch)                                                               \
  X(CmdFillBuffer)                                                             \
  X(CmdPipelineBarrier)                                                        \
  X(CmdPushConstants)                                                          \
  X(CmdResetQueryPool)                                                         \
  X(CmdWriteTimestamp)                                                         \
  X(CreateBuffer)                                                              \
  X(CreateCommandPool)                                                         \
  X(CreateComputePipelines)                                                    \
  X(CreateDescriptorPool)                                                      \
  X(CreateDescriptorSetLayout)                                                 \
  X(CreateFence)                                                               \
  X(CreatePipelineCache)                                                       \
  X(CreatePipelineLayout)                                                      \
  X(CreateQueryPool)                                                           \
  X(CreateShaderModule)                                                        \
  X(DestroyBuffer)                                                             \
  X(DestroyCommandPool)                                                        \
  X(DestroyDescriptorPool)                                                     \
  X(DestroyDescriptorSetLayout)                                                \
  X(DestroyDevice)                                                             \
  X(DestroyFence)                                                              \
  X(DestroyPipeline)                                                           \
  X(DestroyPipelineCache)                                                      \
  X(DestroyPipelineLayout)                                                     \
  X(DestroyQueryPool)                                                          \
  X(DestroyShaderModule)                                                       \
  X(DeviceWaitIdle)                                                            \
  X(EndCommandBuffer)                                                          \
  X(FreeMemory)                                                                \
  X(GetBufferMemoryRequirements)                                               \
  X(GetDeviceQueue)                                                            \
  X(GetPipelineCacheData)                                                      \
  X(GetQueryPoolResults)                                                       \
  X(MapMemory)                                                                 \
  X(QueueSubmit)                                                               \
  X(ResetFences)                                                               \
  X(UpdateDescriptorSets)                                                      \
  X(WaitForFences)

/// Functions of an instance, named without "vk".
struct InstanceFunctions {
#define VIT_VULKAN_MEMBER(name) PFN_vk##name name = nullptr;
  VIT_VULKAN_INSTANCE_FUNCTIONS(VIT_VULKAN_MEMBER)
};

/// Functions of a device, without the loader's indirection.
struct DeviceFunctions {
  VIT_VULKAN_DEVICE_FUNCTIONS(VIT_VULKAN_MEMBER)
#undef VIT_VULKAN_MEMBER
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_FUNCTIONS_H
