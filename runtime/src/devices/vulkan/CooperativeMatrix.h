//===- CooperativeMatrix.h - Cooperative matrices of a device ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What kernels of cooperative matrices need beyond Vulkan 1.1: the extension
// VK_KHR_cooperative_matrix, the Vulkan memory model, full subgroups of a fixed
// size, and for operands of bf16 VK_KHR_shader_bfloat16, for those of f16
// shaderFloat16.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_COOPERATIVEMATRIX_H
#define VIT_RUNTIME_DEVICES_VULKAN_COOPERATIVEMATRIX_H

#include "devices/vulkan/Instance.h"
#include "format/Level.h"

namespace vit::runtime::vulkan {

/// The features that a device is asked for or opened with, a chain of
/// structures.
class MatrixFeatures {
public:
  /// `withBf16`: the device has VK_KHR_shader_bfloat16, of which one structure
  /// is.
  explicit MatrixFeatures(bool withBf16);
  MatrixFeatures(const MatrixFeatures &) = delete;
  MatrixFeatures &operator=(const MatrixFeatures &) = delete;

  /// Whether those are on that matrices with these operands need.
  bool areOn(format::ElementType operand) const;
  /// Turns on exactly those that matrices with these operands need.
  void turnOn(bool withF16, bool withBf16);
  void *chain() { return &matrix; }

private:
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {};
  VkPhysicalDeviceVulkanMemoryModelFeatures memory = {};
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroups = {};
  VkPhysicalDeviceShaderFloat16Int8Features f16 = {};
  VkPhysicalDeviceShaderBfloat16FeaturesKHR bf16 = {};
};

/// The extension of all matrices, then that of those of bf16.
inline constexpr const char *kMatrixExtensions[] = {
    VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
    VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME};

/// The kinds of matrices whose shape the device lists, with f32 sums and for
/// subgroups, with everything else that their kernels need.
format::FeatureSet listMatrices(const Instance &instance,
                                VkPhysicalDevice device, uint32_t version,
                                const Allocator &allocator);

/// Whether `features` has kinds of matrices with these operands.
bool hasMatrices(format::FeatureSet features, format::ElementType operand);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_COOPERATIVEMATRIX_H
