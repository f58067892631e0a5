//===- Context.cpp - An opened Vulkan device ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Context.h"

namespace vit::runtime::vulkan {

/// A submission takes a fraction of a second on a slow GPU: one that has not
/// finished by then never will. There is no limit for software devices.
static constexpr uint64_t kTimeout = 60'000'000'000; // ns

Context::~Context() {
  if (!device)
    return;
  finish();
  vk.DestroyCommandPool(device, pool, nullptr);
  for (VkFence fence : fences)
    vk.DestroyFence(device, fence, nullptr);
  vk.DestroyDevice(device, nullptr);
}

void Context::finish() {
  // Waits for a hanging device until its driver gives up, because memory that
  // the device may still write to must not be freed. The fences are waited for
  // one by one: vkDeviceWaitIdle alone does not tell every validation layer
  // that they may be reset.
  for (; device && completed != submitted; ++completed) {
    VkFence &fence = fences[completed % kInFlight];
    if (vk.WaitForFences(device, 1, &fence, VK_TRUE, UINT64_MAX) != VK_SUCCESS)
      vk.DeviceWaitIdle(device);
    vk.ResetFences(device, 1, &fence);
  }
}

vit_status Context::open(const char *selector, vit_error *error) {
  VIT_TRY(instance.open(allocator, error));
  VIT_TRY(instance.select(selector, adapter, error));
  float priority = 1;
  VkDeviceQueueCreateInfo queueInfo = {};
  queueInfo.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queueInfo.queueFamilyIndex = adapter->queueFamily;
  queueInfo.queueCount = 1;
  queueInfo.pQueuePriorities = &priority;
  VkDeviceCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queueInfo;
  VkResult result =
      instance.vk.CreateDevice(adapter->handle, &info, nullptr, &device);
  if (result != VK_SUCCESS) {
    device = VK_NULL_HANDLE;
    return failed(error, result, "open the device");
  }
#define VIT_VULKAN_LOAD(name)                                                  \
  vk.name = reinterpret_cast<PFN_vk##name>(                                    \
      instance.vk.GetDeviceProcAddr(device, "vk" #name));                      \
  if (!vk.name)                                                                \
    missing = "vk" #name;
  const char *missing = nullptr;
  VIT_VULKAN_DEVICE_FUNCTIONS(VIT_VULKAN_LOAD)
#undef VIT_VULKAN_LOAD
  if (missing) {
    if (vk.DestroyDevice)
      vk.DestroyDevice(device, nullptr);
    device = VK_NULL_HANDLE;
    return fail(error, VIT_UNSUPPORTED,
                "the Vulkan driver of '%s' lacks %s: update it",
                adapter->properties.deviceName, missing);
  }
  vk.GetDeviceQueue(device, adapter->queueFamily, 0, &queue);

  VkFenceCreateInfo fenceInfo = {};
  fenceInfo.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  for (VkFence &fence : fences) {
    result = vk.CreateFence(device, &fenceInfo, nullptr, &fence);
    if (result != VK_SUCCESS)
      return failed(error, result, "create a fence");
  }
  VkCommandPoolCreateInfo poolInfo = {};
  poolInfo.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  poolInfo.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT |
                   VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  poolInfo.queueFamilyIndex = adapter->queueFamily;
  result = vk.CreateCommandPool(device, &poolInfo, nullptr, &pool);
  if (result != VK_SUCCESS)
    return failed(error, result, "create a command pool");
  VkCommandBufferAllocateInfo bufferInfo = {};
  bufferInfo.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  bufferInfo.commandPool = pool;
  bufferInfo.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  bufferInfo.commandBufferCount = 1;
  result = vk.AllocateCommandBuffers(device, &bufferInfo, &once);
  if (result != VK_SUCCESS)
    return failed(error, result, "allocate a command buffer");
  return VIT_OK;
}

vit_status Context::submit(const VkCommandBuffer *buffers, uint32_t count,
                           vit_error *error) {
  if (submitted - completed == kInFlight)
    VIT_TRY(waitOldest(error));
  VkSubmitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = count;
  info.pCommandBuffers = buffers;
  VkResult result =
      vk.QueueSubmit(queue, 1, &info, fences[submitted % kInFlight]);
  if (result == VK_SUCCESS) {
    ++submitted;
    return VIT_OK;
  }
  lost = lost || result == VK_ERROR_DEVICE_LOST;
  return failed(error, result, "run a call");
}

vit_status Context::wait(vit_error *error) {
  while (submitted != completed)
    VIT_TRY(waitOldest(error));
  return VIT_OK;
}

vit_status Context::waitOldest(vit_error *error) {
  VkFence &fence = fences[completed % kInFlight];
  uint64_t timeout = adapter->isCpu() ? UINT64_MAX : kTimeout;
  VkResult result = vk.WaitForFences(device, 1, &fence, VK_TRUE, timeout);
  if (result == VK_TIMEOUT) {
    lost = true;
    return fail(error, VIT_DEVICE_LOST,
                "the Vulkan device '%s' does not answer: it did not finish a "
                "part of a call in %llu s",
                adapter->properties.deviceName, llu(kTimeout / 1'000'000'000));
  }
  if (result == VK_SUCCESS) {
    ++completed;
    result = vk.ResetFences(device, 1, &fence);
  }
  lost = lost || result == VK_ERROR_DEVICE_LOST;
  return result == VK_SUCCESS ? VIT_OK : failed(error, result, "run a call");
}

void Context::barrier(VkCommandBuffer commands, const Scope &before,
                      const Scope &after) const {
  VkMemoryBarrier barrier = {};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = before.writes;
  barrier.dstAccessMask = after.reads | after.writes;
  vk.CmdPipelineBarrier(commands, before.stages, after.stages, 0, 1, &barrier,
                        0, nullptr, 0, nullptr);
}

vit_status Context::beginOnce(VkCommandBuffer &buffer, vit_error *error) {
  buffer = once;
  VkCommandBufferBeginInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  info.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  VkResult result = vk.BeginCommandBuffer(buffer, &info);
  return result == VK_SUCCESS ? VIT_OK
                              : failed(error, result, "record commands");
}

vit_status Context::endOnce(VkCommandBuffer buffer, vit_error *error) {
  VkResult result = vk.EndCommandBuffer(buffer);
  if (result != VK_SUCCESS)
    return failed(error, result, "record commands");
  VIT_TRY(submit(&buffer, 1, error));
  vit_status status = wait(error);
  // The caller frees what the commands use.
  if (status != VIT_OK)
    finish();
  return status;
}

} // namespace vit::runtime::vulkan
