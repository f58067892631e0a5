//===- Buffer.cpp - Memory of a Vulkan device -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Buffer.h"

#include <algorithm>

namespace vit::runtime::vulkan {

static constexpr VkMemoryPropertyFlags kDevice =
    VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
static constexpr VkMemoryPropertyFlags kHost =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
static constexpr VkMemoryPropertyFlags kCached =
    VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
/// Memory types with any other property have other purposes.
static constexpr VkMemoryPropertyFlags kKnown = kDevice | kHost | kCached;

/// Whether a buffer for this use is mapped if its memory has these flags.
static bool isMapped(Use use, VkMemoryPropertyFlags flags, bool hostVisible) {
  switch (use) {
  case Use::Weights:
    return hostVisible && (flags & kHost) == kHost;
  case Use::Workspace:
    // Reading uncached memory is slower than a copy.
    return hostVisible && (flags & (kHost | kCached)) == (kHost | kCached);
  case Use::Upload:
  case Use::Download:
    return true;
  }
  return false;
}

/// How suitable a memory type is for a use; 0: not suitable.
static uint64_t suits(const Adapter &adapter, Use use, uint32_t type,
                      bool hostVisible) {
  const VkPhysicalDeviceMemoryProperties &memory = adapter.memory;
  VkMemoryPropertyFlags flags = memory.memoryTypes[type].propertyFlags;
  if (flags & ~kKnown)
    return 0;
  bool local = flags & kDevice;
  if (use == Use::Upload || use == Use::Download) {
    if ((flags & kHost) != kHost)
      return 0;
    // The part of a GPU's memory that the host can map may be small.
    bool cached = flags & kCached;
    return 1 + (use == Use::Download) * 4u * cached + 2u * !local;
  }
  // On a GPU with memory of its own, host memory is too slow.
  if (!local &&
      adapter.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU)
    return 0;
  // Prefer the largest heap: the one that the host can map may be small.
  uint64_t heap =
      memory.memoryHeaps[memory.memoryTypes[type].heapIndex].size >> 20;
  uint64_t mapped = isMapped(use, flags, hostVisible);
  uint64_t plain = (flags & kHost) == 0;
  return (uint64_t(local) << 60) + (std::min(heap, ~uint64_t(0) >> 8) << 3) +
         mapped * 4 + plain * 2 + 1;
}

int chooseMemoryType(const Adapter &adapter, Use use, uint64_t size,
                     uint32_t bits, bool hostVisible) {
  int best = -1;
  uint64_t most = 0;
  for (uint32_t i = 0; i < adapter.memory.memoryTypeCount; ++i) {
    uint32_t heap = adapter.memory.memoryTypes[i].heapIndex;
    if (!(bits >> i & 1) || adapter.memory.memoryHeaps[heap].size < size)
      continue;
    uint64_t value = suits(adapter, use, i, hostVisible);
    if (value > most) {
      most = value;
      best = int(i);
    }
  }
  return best;
}

uint64_t largestHeap(const Adapter &adapter, Use use, bool hostVisible) {
  uint64_t most = 0;
  for (uint32_t i = 0; i < adapter.memory.memoryTypeCount; ++i) {
    uint32_t heap = adapter.memory.memoryTypes[i].heapIndex;
    if (suits(adapter, use, i, hostVisible))
      most = std::max<uint64_t>(most, adapter.memory.memoryHeaps[heap].size);
  }
  return most;
}

void Buffer::clear() {
  if (!context)
    return;
  context->vk.DestroyBuffer(context->device, handle, nullptr);
  context->vk.FreeMemory(context->device, memory, nullptr);
  handle = VK_NULL_HANDLE;
  memory = VK_NULL_HANDLE;
  mapped = nullptr;
  size = 0;
  context = nullptr;
}

vit_status Buffer::create(Context &owner, uint64_t bytes, Use use,
                          const char *what, vit_error *error) {
  clear();
  context = &owner;
  size = bytes;
  VkBufferCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = size;
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
               VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
               VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  VkResult result =
      owner.vk.CreateBuffer(owner.device, &info, nullptr, &handle);
  if (result != VK_SUCCESS) {
    handle = VK_NULL_HANDLE;
    clear();
    return failed(error, result, "create a buffer");
  }
  vit_status status = allocate(use, what, error);
  if (status != VIT_OK)
    clear();
  return status;
}

vit_status Buffer::allocate(Use use, const char *what, vit_error *error) {
  const DeviceFunctions &vk = context->vk;
  VkMemoryRequirements needed;
  vk.GetBufferMemoryRequirements(context->device, handle, &needed);
  bool hostVisible = context->uses(Option::HostVisible);
  VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
  int type = -1;
  // If one heap is full, another may have room.
  for (uint32_t bits = needed.memoryTypeBits;; bits &= ~(1u << type)) {
    type = chooseMemoryType(*context->adapter, use, needed.size, bits,
                            hostVisible);
    if (type < 0)
      break;
    VkMemoryAllocateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
    info.allocationSize = needed.size;
    info.memoryTypeIndex = uint32_t(type);
    result = vk.AllocateMemory(context->device, &info, nullptr, &memory);
    if (result == VK_SUCCESS)
      break;
    memory = VK_NULL_HANDLE;
  }
  if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY ||
      result == VK_ERROR_OUT_OF_HOST_MEMORY)
    return fail(error, VIT_OUT_OF_MEMORY,
                "out of memory: the device '%s' has no %llu bytes for %s",
                context->adapter->properties.deviceName, llu(needed.size),
                what);
  if (result != VK_SUCCESS)
    return failed(error, result, "allocate memory");
  result = vk.BindBufferMemory(context->device, handle, memory, 0);
  if (result != VK_SUCCESS)
    return failed(error, result, "bind memory");
  VkMemoryPropertyFlags flags =
      context->adapter->memory.memoryTypes[type].propertyFlags;
  if (!isMapped(use, flags, hostVisible))
    return VIT_OK;
  void *address = nullptr;
  result = vk.MapMemory(context->device, memory, 0, VK_WHOLE_SIZE, 0, &address);
  if (result != VK_SUCCESS)
    return failed(error, result, "map memory");
  mapped = static_cast<unsigned char *>(address);
  return VIT_OK;
}

} // namespace vit::runtime::vulkan
