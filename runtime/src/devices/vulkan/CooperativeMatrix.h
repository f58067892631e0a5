//===- CooperativeMatrix.h - Cooperative matrices of a device ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What kernels of cooperative matrices need beyond Vulkan 1.1: the extensions
// VK_KHR_cooperative_matrix and VK_KHR_shader_bfloat16, the Vulkan memory model
// and full subgroups of a fixed size.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_COOPERATIVEMATRIX_H
#define VIT_RUNTIME_DEVICES_VULKAN_COOPERATIVEMATRIX_H

#include "devices/vulkan/Instance.h"

namespace vit::runtime::vulkan {

/// Invocations of a subgroup of these kernels, and rows, columns and depth of
/// their matrices: kSubgroup and kMatrix of the compiler's
/// lib/Target/Vulkan/MatrixEmitters.h.
inline constexpr uint32_t kSubgroupThreads = 32, kMatrixSize = 16;

/// The features that a device with cooperative matrices is opened with, a chain
/// of structures for `VkDeviceCreateInfo`.
struct MatrixFeatures {
  MatrixFeatures();
  MatrixFeatures(const MatrixFeatures &) = delete;
  MatrixFeatures &operator=(const MatrixFeatures &) = delete;

  bool areAllOn() const; ///< those that kernels need
  void setAll();         ///< exactly these
  void *chain() { return &matrix; }

  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {};
  VkPhysicalDeviceShaderBfloat16FeaturesKHR bf16 = {};
  VkPhysicalDeviceVulkanMemoryModelFeatures memory = {};
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroups = {};
};
inline constexpr const char *kMatrixExtensions[] = {
    VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
    VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME};

/// Whether the device lists matrices of kMatrixSize of bf16 with f32 sums for
/// subgroups, and everything else that these kernels need.
bool listsMatrices(const Instance &instance, VkPhysicalDevice device,
                   uint32_t version, const Allocator &allocator);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_COOPERATIVEMATRIX_H
