//===- Submissions.cpp - Work for a Vulkan device
//--------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Submissions.h"

namespace vit::runtime::vulkan {

/// A submission takes a fraction of a second on a slow GPU: one that has not
/// finished by then never will. There is no limit for software devices.
static constexpr uint64_t kTimeout = 60'000'000'000; // ns

Submissions::~Submissions() {
  if (!context)
    return;
  finish();
  const DeviceFunctions &vk = context->vk;
  vk.DestroyCommandPool(context->device, pool, nullptr);
  for (VkFence fence : fences)
    vk.DestroyFence(context->device, fence, nullptr);
}

void Submissions::finish() {
  // Waits for a hanging device until its driver gives up, because memory that
  // the device may still write to must not be freed. The fences are waited for
  // one by one: vkDeviceWaitIdle alone does not tell every validation layer
  // that they may be reset.
  for (; context && completed != submitted; ++completed) {
    VkFence &fence = fences[completed % kInFlight];
    if (context->vk.WaitForFences(context->device, 1, &fence, VK_TRUE,
                                  UINT64_MAX) != VK_SUCCESS)
      context->waitIdle();
    context->vk.ResetFences(context->device, 1, &fence);
  }
}

vit_status Submissions::create(Context &owner, vit_error *error) {
  context = &owner;
  const DeviceFunctions &vk = owner.vk;
  VkFenceCreateInfo fenceInfo = {};
  fenceInfo.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  VkResult result = VK_SUCCESS;
  for (VkFence &fence : fences) {
    result = vk.CreateFence(owner.device, &fenceInfo, nullptr, &fence);
    if (result != VK_SUCCESS)
      return failed(error, result, "create a fence");
  }
  VkCommandPoolCreateInfo poolInfo = {};
  poolInfo.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  poolInfo.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT |
                   VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  poolInfo.queueFamilyIndex = owner.adapter->queueFamily;
  result = vk.CreateCommandPool(owner.device, &poolInfo, nullptr, &pool);
  if (result != VK_SUCCESS)
    return failed(error, result, "create a command pool");
  VkCommandBufferAllocateInfo bufferInfo = {};
  bufferInfo.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  bufferInfo.commandPool = pool;
  bufferInfo.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  bufferInfo.commandBufferCount = 1;
  result = vk.AllocateCommandBuffers(owner.device, &bufferInfo, &once);
  if (result != VK_SUCCESS)
    return failed(error, result, "allocate a command buffer");
  return VIT_OK;
}

vit_status Submissions::submit(const VkCommandBuffer *buffers, uint32_t count,
                               vit_error *error) {
  if (submitted - completed == kInFlight)
    VIT_TRY(waitOldest(error));
  VkSubmitInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = count;
  info.pCommandBuffers = buffers;
  VkResult result = context->submit(info, fences[submitted % kInFlight]);
  if (result == VK_SUCCESS) {
    ++submitted;
    return VIT_OK;
  }
  context->noteLoss(result);
  return failed(error, result, "run a call");
}

vit_status Submissions::wait(vit_error *error) {
  while (submitted != completed)
    VIT_TRY(waitOldest(error));
  return VIT_OK;
}

vit_status Submissions::waitOldest(vit_error *error) {
  VkFence &fence = fences[completed % kInFlight];
  const Adapter &adapter = *context->adapter;
  uint64_t timeout = adapter.isCpu() ? UINT64_MAX : kTimeout;
  VkResult result =
      context->vk.WaitForFences(context->device, 1, &fence, VK_TRUE, timeout);
  if (result == VK_TIMEOUT) {
    context->lost = true;
    return fail(error, VIT_DEVICE_LOST,
                "the Vulkan device '%s' does not answer: it did not finish a "
                "part of a call in %llu s",
                adapter.properties.deviceName, llu(kTimeout / 1'000'000'000));
  }
  if (result == VK_SUCCESS) {
    ++completed;
    result = context->vk.ResetFences(context->device, 1, &fence);
  }
  context->noteLoss(result);
  return result == VK_SUCCESS ? VIT_OK : failed(error, result, "run a call");
}

vit_status Submissions::beginOnce(VkCommandBuffer &buffer, vit_error *error) {
  buffer = once;
  VkCommandBufferBeginInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  info.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  VkResult result = context->vk.BeginCommandBuffer(buffer, &info);
  return result == VK_SUCCESS ? VIT_OK
                              : failed(error, result, "record commands");
}

vit_status Submissions::endOnce(VkCommandBuffer buffer, vit_error *error) {
  VkResult result = context->vk.EndCommandBuffer(buffer);
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
