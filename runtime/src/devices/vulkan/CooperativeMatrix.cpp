//===- CooperativeMatrix.cpp - Cooperative matrices of a device -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/CooperativeMatrix.h"

#include <cstring>

namespace vit::runtime::vulkan {

using format::ElementType;
using format::FeatureSet;
using format::MatrixKind;

MatrixFeatures::MatrixFeatures(bool withBf16) {
  matrix.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  matrix.pNext = &memory;
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
  memory.pNext = &subgroups;
  subgroups.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
  subgroups.pNext = &f16;
  f16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
  f16.pNext = withBf16 ? &bf16 : nullptr;
  bf16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR;
}

bool MatrixFeatures::areOn(ElementType operand) const {
  return matrix.cooperativeMatrix && memory.vulkanMemoryModel &&
         subgroups.subgroupSizeControl && subgroups.computeFullSubgroups &&
         (operand == ElementType::BF16
              ? bf16.shaderBFloat16Type && bf16.shaderBFloat16CooperativeMatrix
              : f16.shaderFloat16);
}

void MatrixFeatures::turnOn(bool withF16, bool withBf16) {
  for (VkBool32 *feature :
       {&matrix.cooperativeMatrix, &memory.vulkanMemoryModel,
        &subgroups.subgroupSizeControl, &subgroups.computeFullSubgroups})
    *feature = VK_TRUE;
  f16.shaderFloat16 = withF16;
  bf16.shaderBFloat16Type = bf16.shaderBFloat16CooperativeMatrix = withBf16;
}

/// Whether the device lists each of kMatrixExtensions, in `has`.
static void findExtensions(const Instance &instance, VkPhysicalDevice device,
                           const Allocator &allocator, bool (&has)[2]) {
  uint32_t count = 0;
  Array<VkExtensionProperties> listed;
  const InstanceFunctions &vk = instance.vk;
  if (vk.EnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr) !=
          VK_SUCCESS ||
      count == 0 || !listed.allocate(allocator, count) ||
      vk.EnumerateDeviceExtensionProperties(device, nullptr, &count,
                                            listed.data()) != VK_SUCCESS)
    return;
  for (uint32_t i = 0; i < count; ++i)
    for (int extension = 0; extension < 2; ++extension)
      has[extension] |= std::strcmp(listed[i].extensionName,
                                    kMatrixExtensions[extension]) == 0;
}

/// The sizes of full subgroups that compute shaders may ask for; none if they
/// may not, or not use cooperative matrices.
static VkPhysicalDeviceSubgroupSizeControlProperties
getSubgroupSizes(const Instance &instance, VkPhysicalDevice device) {
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
  if (!(sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) ||
      !(matrices.cooperativeMatrixSupportedStages &
        VK_SHADER_STAGE_COMPUTE_BIT))
    sizes.maxSubgroupSize = 0;
  return sizes;
}

/// Whether the driver lists products of this kind.
static bool isListed(const MatrixKind &kind,
                     const VkCooperativeMatrixPropertiesKHR &shape) {
  const format::Product &product = kind.product;
  VkComponentTypeKHR operand = product.a == ElementType::BF16
                                   ? VK_COMPONENT_TYPE_BFLOAT16_KHR
                                   : VK_COMPONENT_TYPE_FLOAT16_KHR;
  return shape.MSize == uint32_t(product.m) &&
         shape.NSize == uint32_t(product.n) &&
         shape.KSize == uint32_t(product.k) && shape.AType == operand &&
         shape.BType == operand &&
         shape.CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
         shape.ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
         shape.scope == VK_SCOPE_SUBGROUP_KHR;
}

/// The kinds whose products the driver lists.
static FeatureSet listShapes(const Instance &instance, VkPhysicalDevice device,
                             const Allocator &allocator) {
  auto list = instance.getMatrixProperties;
  uint32_t count = 0;
  Array<VkCooperativeMatrixPropertiesKHR> shapes;
  if (!list || list(device, &count, nullptr) != VK_SUCCESS || count == 0 ||
      !shapes.allocate(allocator, count))
    return {};
  for (uint32_t i = 0; i < count; ++i) {
    shapes[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    shapes[i].pNext = nullptr;
  }
  if (list(device, &count, shapes.data()) != VK_SUCCESS)
    return {};
  FeatureSet listed;
  for (uint32_t i = 0; i < count; ++i)
    for (const MatrixKind &kind : format::allMatrixKinds())
      if (isListed(kind, shapes[i]))
        listed.add(kind.feature);
  return listed;
}

FeatureSet listMatrices(const Instance &instance, VkPhysicalDevice device,
                        uint32_t version, const Allocator &allocator) {
  // SPIR-V 1.6, the memory model and the size of subgroups are part of 1.3.
  bool hasExtension[2] = {};
  if (version >= VK_API_VERSION_1_3)
    findExtensions(instance, device, allocator, hasExtension);
  auto [hasMatrices, hasBf16] = hasExtension;
  if (!hasMatrices)
    return {};
  MatrixFeatures features(hasBf16);
  VkPhysicalDeviceFeatures2 all = {};
  all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  all.pNext = features.chain();
  instance.vk.GetPhysicalDeviceFeatures2(device, &all);
  VkPhysicalDeviceSubgroupSizeControlProperties sizes =
      getSubgroupSizes(instance, device);
  FeatureSet shapes = listShapes(instance, device, allocator), usable;
  for (const MatrixKind &kind : format::allMatrixKinds())
    if (shapes.has(kind.feature) && features.areOn(kind.product.a) &&
        sizes.minSubgroupSize <= uint32_t(kind.subgroup) &&
        sizes.maxSubgroupSize >= uint32_t(kind.subgroup))
      usable.add(kind.feature);
  return usable;
}

bool hasMatrices(FeatureSet features, ElementType operand) {
  for (const MatrixKind &kind : format::allMatrixKinds())
    if (features.has(kind.feature) && kind.product.a == operand)
      return true;
  return false;
}

} // namespace vit::runtime::vulkan
