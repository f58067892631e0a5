//===- CooperativeMatrix.cpp - Cooperative matrices of a device -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/CooperativeMatrix.h"

#include <cstring>

namespace vit::runtime::vulkan {

MatrixFeatures::MatrixFeatures() {
  matrix.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  matrix.pNext = &bf16;
  bf16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR;
  bf16.pNext = &memory;
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
  memory.pNext = &subgroups;
  subgroups.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
}

bool MatrixFeatures::areAllOn() const {
  return matrix.cooperativeMatrix && bf16.shaderBFloat16Type &&
         bf16.shaderBFloat16CooperativeMatrix && memory.vulkanMemoryModel &&
         subgroups.subgroupSizeControl && subgroups.computeFullSubgroups;
}

void MatrixFeatures::setAll() {
  for (VkBool32 *feature :
       {&matrix.cooperativeMatrix, &bf16.shaderBFloat16Type,
        &bf16.shaderBFloat16CooperativeMatrix, &memory.vulkanMemoryModel,
        &subgroups.subgroupSizeControl, &subgroups.computeFullSubgroups})
    *feature = VK_TRUE;
}

static bool hasExtensions(const Instance &instance, VkPhysicalDevice device,
                          const Allocator &allocator) {
  uint32_t count = 0;
  Array<VkExtensionProperties> listed;
  const InstanceFunctions &vk = instance.vk;
  if (vk.EnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr) !=
          VK_SUCCESS ||
      count == 0 || !listed.allocate(allocator, count) ||
      vk.EnumerateDeviceExtensionProperties(device, nullptr, &count,
                                            listed.data()) != VK_SUCCESS)
    return false;
  for (const char *name : kMatrixExtensions) {
    bool found = false;
    for (uint32_t i = 0; i < count; ++i)
      found |= std::strcmp(listed[i].extensionName, name) == 0;
    if (!found)
      return false;
  }
  return true;
}

/// Whether the driver launches full subgroups of kSubgroupThreads, and
/// cooperative matrices may be used, in compute shaders.
static bool hasProperties(const Instance &instance, VkPhysicalDevice device) {
  VkPhysicalDeviceSubgroupSizeControlProperties sizes = {};
  sizes.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES;
  VkPhysicalDeviceCooperativeMatrixPropertiesKHR matrices = {};
  matrices.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
  matrices.pNext = &sizes;
  VkPhysicalDeviceProperties2 all = {};
  all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  all.pNext = &matrices;
  instance.vk.GetPhysicalDeviceProperties2(device, &all);
  return sizes.minSubgroupSize <= kSubgroupThreads &&
         sizes.maxSubgroupSize >= kSubgroupThreads &&
         (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
         (matrices.cooperativeMatrixSupportedStages &
          VK_SHADER_STAGE_COMPUTE_BIT);
}

static bool hasShape(const Instance &instance, VkPhysicalDevice device,
                     const Allocator &allocator) {
  auto list = instance.getMatrixProperties;
  uint32_t count = 0;
  Array<VkCooperativeMatrixPropertiesKHR> shapes;
  if (!list || list(device, &count, nullptr) != VK_SUCCESS || count == 0 ||
      !shapes.allocate(allocator, count))
    return false;
  for (uint32_t i = 0; i < count; ++i) {
    shapes[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    shapes[i].pNext = nullptr;
  }
  if (list(device, &count, shapes.data()) != VK_SUCCESS)
    return false;
  for (uint32_t i = 0; i < count; ++i) {
    const VkCooperativeMatrixPropertiesKHR &s = shapes[i];
    if (s.MSize == kMatrixSize && s.NSize == kMatrixSize &&
        s.KSize == kMatrixSize && s.AType == VK_COMPONENT_TYPE_BFLOAT16_KHR &&
        s.BType == VK_COMPONENT_TYPE_BFLOAT16_KHR &&
        s.CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
        s.ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
        s.scope == VK_SCOPE_SUBGROUP_KHR)
      return true;
  }
  return false;
}

bool listsMatrices(const Instance &instance, VkPhysicalDevice device,
                   uint32_t version, const Allocator &allocator) {
  // SPIR-V 1.6, the memory model and the size of subgroups are part of 1.3.
  if (version < VK_API_VERSION_1_3 ||
      !hasExtensions(instance, device, allocator))
    return false;
  MatrixFeatures features;
  VkPhysicalDeviceFeatures2 all = {};
  all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  all.pNext = features.chain();
  instance.vk.GetPhysicalDeviceFeatures2(device, &all);
  return features.areAllOn() && hasProperties(instance, device) &&
         hasShape(instance, device, allocator);
}

} // namespace vit::runtime::vulkan
