//===- Context.h - An opened Vulkan device ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H
#define VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H

#include "devices/vulkan/Instance.h"

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

/// A logical device with one queue. One thread at a time may use it.
class Context {
public:
  explicit Context(const Allocator &allocator) : allocator(allocator) {}
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;
  ~Context();

  /// Opens the loader and the device that the selector names (see
  /// Instance::select).
  vit_status open(const char *selector, vit_error *error);

  /// Submits the command buffers to the queue, in order, after what was
  /// submitted before. At most two submissions are pending: a third waits for
  /// the first.
  vit_status submit(const VkCommandBuffer *buffers, uint32_t count,
                    vit_error *error);
  /// Waits for all submissions.
  vit_status wait(vit_error *error);
  /// The same, for destructors of objects that the device may be using.
  void finish();

  /// Records commands with `record(VkCommandBuffer)`, runs them and waits.
  template <typename Record>
  vit_status runOnce(Record record, vit_error *error) {
    VkCommandBuffer buffer = VK_NULL_HANDLE;
    VIT_TRY(beginOnce(buffer, error));
    record(buffer);
    return endOnce(buffer, error);
  }

  /// Records a barrier: `after` sees the writes of `before` and does not
  /// overwrite what that still reads.
  void barrier(VkCommandBuffer commands, const Scope &before,
               const Scope &after) const;

  bool uses(Option option) const { return !instance.isDisabled(option); }
  const VkPhysicalDeviceLimits &limits() const {
    return adapter->properties.limits;
  }

  Allocator allocator;
  Instance instance;
  const Adapter *adapter = nullptr;
  VkDevice device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  DeviceFunctions vk;
  /// A call failed and the device is unusable or may still be running.
  bool lost = false;
  /// The result of subgroupsWork.
  enum class Tested { NotYet, Works, Fails } subgroups = Tested::NotYet;

private:
  vit_status beginOnce(VkCommandBuffer &buffer, vit_error *error);
  vit_status endOnce(VkCommandBuffer buffer, vit_error *error);

  vit_status waitOldest(vit_error *error);

  static constexpr uint64_t kInFlight = 2;
  VkFence fences[kInFlight] = {};
  uint64_t submitted = 0, completed = 0;
  VkCommandPool pool = VK_NULL_HANDLE; ///< for runOnce
  VkCommandBuffer once = VK_NULL_HANDLE;
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H
