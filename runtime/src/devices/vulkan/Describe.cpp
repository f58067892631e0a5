//===- Describe.cpp - What Vulkan devices offer ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/Device.h"
#include "devices/vulkan/Level.h"

#include <algorithm>
#include <cstdio>

using namespace vit::runtime;
using namespace vit::runtime::vulkan;
namespace format = vit::format;

/// Bytes of the largest device-local heap.
static uint64_t memoryOf(const Adapter &adapter) {
  uint64_t most = 0;
  for (uint32_t i = 0; i < adapter.memory.memoryHeapCount; ++i)
    if (adapter.memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      most = std::max<uint64_t>(most, adapter.memory.memoryHeaps[i].size);
  return most;
}

static void writeAdapter(Text &json, const Instance &instance, size_t index) {
  const Adapter &adapter = instance.adapters[index];
  const VkPhysicalDeviceProperties &properties = adapter.properties;
  char text[32];
  json.beginObject(nullptr);
  std::snprintf(text, sizeof text, "vulkan:%zu", index);
  json.field("device", text);
  json.field("name", properties.deviceName);
  json.field("type", typeName(adapter));
  std::snprintf(text, sizeof text, "%u.%u.%u",
                VK_API_VERSION_MAJOR(properties.apiVersion),
                VK_API_VERSION_MINOR(properties.apiVersion),
                VK_API_VERSION_PATCH(properties.apiVersion));
  json.field("api", text);
  if (adapter.unusable) {
    json.field("unavailable", adapter.unusable);
    json.endObject();
    return;
  }
  if (*adapter.driver)
    json.field("driver", static_cast<const char *>(adapter.driver));
  const VkPhysicalDeviceLimits &limits = properties.limits;
  json.field("memory", memoryOf(adapter));
  json.field("max_allocation", adapter.maxAllocation);
  json.field("max_binding", adapter.maxRange);
  json.field("workgroup_threads", limits.maxComputeWorkGroupInvocations);
  json.field("workgroup_memory", limits.maxComputeSharedMemorySize);
  json.field("subgroup_size", adapter.subgroupSize);
  json.beginArray("uses");
  const format::FeatureSet features = bestLevel(instance, adapter).features;
  for (int i = 0; i < format::kFeatures; ++i)
    if (features.has(format::Feature(i)))
      json.item(format::featureName(format::Feature(i)));
  if (adapter.timestampBits && !instance.isDisabled(Option::Timestamps))
    json.item("timestamps");
  if (!instance.isDisabled(Option::PipelineCache))
    json.item("pipeline_cache");
  json.endArray();
  const format::Level *forced = nullptr;
  bool isKnown = readForcedLevel(nullptr, forced, nullptr) == VIT_OK;
  const format::Level &level = forced ? *forced : bestLevel(instance, adapter);
  json.field("level", isKnown ? level.name : "none");
  if (isKnown)
    describePrecisions(json, level);
  json.endObject();
}

void vit::runtime::describeVulkanDevices(Text &json) {
  Instance instance;
  vit_error error = {};
  if (instance.open(Allocator(), &error) != VIT_OK) {
    describeUnavailable(json, "vulkan", error.message);
    return;
  }
  for (size_t i = 0; i < instance.adapters.size(); ++i)
    writeAdapter(json, instance, i);
}
