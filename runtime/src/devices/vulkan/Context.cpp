//===- Context.cpp - An opened Vulkan device ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Context.h"

#include "devices/vulkan/CooperativeMatrix.h"

namespace vit::runtime::vulkan {

const char Context::kKind = 0;

Context::~Context() {
  if (device)
    vk.DestroyDevice(device, nullptr);
}

vit_status Context::find(const char *selector, vit_error *error) {
  VIT_TRY(instance.open(allocator, error));
  return instance.select(selector, adapter, error);
}

bool Context::isLike(const Context &other) const {
  return !other.lost && instance.hasSettingsOf(other.instance) &&
         adapter - instance.adapters.begin() ==
             other.adapter - other.instance.adapters.begin() &&
         std::memcmp(adapter->uuid, other.adapter->uuid,
                     sizeof adapter->uuid) == 0;
}

vit_status Context::open(vit_error *error) {
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
  auto usesMatrices = [&](format::ElementType operand) {
    return uses(Option::CooperativeMatrix) &&
           hasMatrices(adapter->features, operand);
  };
  bool withF16 = usesMatrices(format::ElementType::F16),
       withBf16 = usesMatrices(format::ElementType::BF16);
  MatrixFeatures features(withBf16);
  if (withF16 || withBf16) {
    features.turnOn(withF16, withBf16);
    info.pNext = features.chain();
    info.enabledExtensionCount = withBf16 ? 2 : 1;
    info.ppEnabledExtensionNames = kMatrixExtensions;
  }
  VkPhysicalDeviceShaderIntegerDotProductFeatures dots = {};
  dots.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  if (adapter->features.has(format::Feature::IntegerDotProduct) &&
      uses(Option::IntegerDotProduct)) {
    dots.shaderIntegerDotProduct = VK_TRUE;
    dots.pNext = const_cast<void *>(info.pNext);
    info.pNext = &dots;
  }
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
  return VIT_OK;
}

VkResult Context::submit(const VkSubmitInfo &info, VkFence fence) {
  Lock lock(queueing);
  return vk.QueueSubmit(queue, 1, &info, fence);
}

void Context::waitIdle() {
  Lock lock(queueing);
  vk.DeviceWaitIdle(device);
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

} // namespace vit::runtime::vulkan
