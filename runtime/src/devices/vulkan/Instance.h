//===- Instance.h - The Vulkan loader and its devices -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_INSTANCE_H
#define VIT_RUNTIME_DEVICES_VULKAN_INSTANCE_H

#include "Error.h"
#include "devices/vulkan/Functions.h"
#include "format/Level.h"
#include "format/Memory.h"

#include <cstring>

namespace vit::runtime::vulkan {

/// Fails with a message; `what` is what was tried, such as "create a buffer".
/// VIT_OUT_OF_MEMORY for lack of memory, VIT_DEVICE_LOST for a lost device.
vit_status failed(vit_error *error, VkResult result, const char *what);

/// What VIT_VULKAN_DISABLE, a comma-separated list, can switch off.
enum class Option {
  Subgroup,          ///< "subgroup": kernels with subgroup arithmetic
  CooperativeMatrix, ///< "cooperative-matrix": kernels with such matrices
  IntegerDotProduct, ///< "integer-dot-product": kernels with such products
  PipelineCache,     ///< "pipeline-cache": compiled shaders kept on disk
  Timestamps,        ///< "timestamps": the device's own clock in events
  HostVisible        ///< "host-visible": device memory that the host can write
};
inline constexpr int kOptions = 6;
const char *optionName(Option option);

/// One physical device and those of its properties that are used.
struct Adapter {
  VkPhysicalDevice handle;
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceMemoryProperties memory;
  char driver[VK_MAX_DRIVER_NAME_SIZE + VK_MAX_DRIVER_INFO_SIZE];
  uint64_t maxAllocation; ///< bytes of one allocation and one buffer
  uint64_t maxRange;      ///< bytes of one binding, and of one buffer too
  /// Loop iterations after which the driver ends a thread without an error;
  /// UINT64_MAX: never.
  uint64_t maxIterations;
  uint32_t queueFamily;   ///< the one that compute goes to
  uint32_t timestampBits; ///< of that queue's clock, 0: it has none
  uint32_t subgroupSize;
  format::FeatureSet features; ///< of kernels, that the device lists
  uint8_t uuid[VK_UUID_SIZE];  ///< of the device, the same in every instance
  const char *unusable;        ///< NULL, or why it cannot be used

  bool isCpu() const {
    return properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
  }
};

/// "discrete GPU", "CPU", ...
const char *typeName(const Adapter &adapter);

/// The opened loader and an instance.
class Instance {
public:
  Instance() = default;
  Instance(const Instance &) = delete;
  Instance &operator=(const Instance &) = delete;
  ~Instance();

  /// Opens libvulkan.so.1, or the library that VIT_VULKAN_LIBRARY names, and
  /// lists the devices: discrete, integrated and virtual ones, then CPUs.
  /// VIT_UNSUPPORTED if there is no Vulkan.
  vit_status open(const Allocator &allocator, vit_error *error);

  /// Finds the adapter that `selector`, the text after "vulkan", names: ":1"
  /// (an index of `adapters`) or ":radeon" (part of a name, ignoring case). ""
  /// is the first usable device.
  vit_status select(const char *selector, const Adapter *&adapter,
                    vit_error *error) const;

  bool isDisabled(Option option) const { return disabled[int(option)]; }

  /// Whether `other` was opened through the same library with the same options
  /// and limits.
  bool hasSettingsOf(const Instance &other) const {
    return library == other.library &&
           std::memcmp(disabled, other.disabled, sizeof disabled) == 0 &&
           mostBinding == other.mostBinding &&
           mostAllocation == other.mostAllocation;
  }

  VkInstance handle = VK_NULL_HANDLE;
  InstanceFunctions vk;
  /// NULL: the loader does not know the extension.
  PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR getMatrixProperties =
      nullptr;
  Array<Adapter> adapters;

private:
  vit_status readOptions(vit_error *error);
  vit_status create(vit_error *error);
  vit_status enumerate(const Allocator &allocator, vit_error *error);
  void describe(VkPhysicalDevice device, const Allocator &allocator,
                Adapter &adapter) const;

  void *library = nullptr;
  PFN_vkGetInstanceProcAddr getProcAddr = nullptr;
  bool disabled[kOptions] = {};
  uint64_t mostBinding = UINT64_MAX, mostAllocation = UINT64_MAX;
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_INSTANCE_H
