//===- Context.h - An opened Vulkan device ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H
#define VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H

#include "DeviceCopies.h"
#include "devices/vulkan/Instance.h"

#include <atomic>

namespace vit::runtime::vulkan {

/// One side of a barrier: pipeline stages and their memory accesses.
struct Scope {
  VkPipelineStageFlags stages;
  VkAccessFlags writes;
  VkAccessFlags reads;
};
inline constexpr Scope kCompute = {VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                   VK_ACCESS_SHADER_WRITE_BIT,
                                   VK_ACCESS_SHADER_READ_BIT};
inline constexpr Scope kTransfer = {VK_PIPELINE_STAGE_TRANSFER_BIT,
                                    VK_ACCESS_TRANSFER_WRITE_BIT,
                                    VK_ACCESS_TRANSFER_READ_BIT};
inline constexpr Scope kAnyWork = {kCompute.stages | kTransfer.stages,
                                   kCompute.writes | kTransfer.writes,
                                   kCompute.reads | kTransfer.reads};
inline constexpr Scope kHostReads = {VK_PIPELINE_STAGE_HOST_BIT, 0,
                                     VK_ACCESS_HOST_READ_BIT};

/// A logical device with one queue, which sessions over the same parameters
/// share. Several threads may use it.
class Context : public DeviceCopy {
public:
  static const char kKind;

  explicit Context(const Allocator &allocator)
      : DeviceCopy(&kKind), allocator(allocator) {}
  ~Context();

  /// Opens the loader and finds the device that the selector names (see
  /// Instance::select).
  vit_status find(const char *selector, vit_error *error);
  /// Whether `other` is open, not lost, and the same device with the same
  /// settings of the environment.
  bool isLike(const Context &other) const;
  /// Opens the device that was found.
  vit_status open(vit_error *error);

  /// Submits to the queue after what was submitted before.
  VkResult submit(const VkSubmitInfo &info, VkFence fence);
  /// Waits for all that was submitted, by whichever session.
  void waitIdle();

  /// Records a barrier: `after` sees the writes of `before` and does not
  /// overwrite what that still reads.
  void barrier(VkCommandBuffer commands, const Scope &before,
               const Scope &after) const;

  bool uses(Option option) const { return !instance.isDisabled(option); }
  const VkPhysicalDeviceLimits &limits() const {
    return adapter->properties.limits;
  }

  const Allocator allocator;
  Instance instance;
  const Adapter *adapter = nullptr;
  VkDevice device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  DeviceFunctions vk;
  /// A call failed and the device is unusable or may still be running.
  std::atomic<bool> lost{false};
  void noteLoss(VkResult result) {
    if (result == VK_ERROR_DEVICE_LOST)
      lost = true;
  }

private:
  Mutex queueing;
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H
