//===- context.h - An opened Vulkan device ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H
#define VIT_RUNTIME_DEVICES_VULKAN_CONTEXT_H

#include "devices/vulkan/instance.h"

namespace vit::runtime::vulkan {

/// What a barrier waits for or holds back: stages of the pipeline and how they
/// touch memory.
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

/// A logical device with one queue. For one thread at a time.
class Context {
public:
  explicit Context(const Allocator &allocator) : allocator(allocator) {}
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;
  ~Context();

  /// Opens the loader and the device behind "vulkan" (see Instance::select).
  vit_status open(const char *selector, vit_error *error);

  /// Submits the command buffers to the queue, in order, behind what was
  /// submitted before. At most two submissions are under way: a third waits for
  /// the first.
  vit_status submit(const VkCommandBuffer *buffers, uint32_t count,
                    vit_error *error);
  /// Waits for everything that was submitted.
  vit_status wait(vit_error *error);
  /// The same in a destructor, of whoever owns what the device may be using.
  void finish();

  /// Records commands by `record(VkCommandBuffer)`, runs them and waits.
  template <typename Record>
  vit_status runOnce(Record record, vit_error *error) {
    VkCommandBuffer buffer = VK_NULL_HANDLE;
    VIT_TRY(beginOnce(buffer, error));
    record(buffer);
    return endOnce(buffer, error);
  }

  /// Records that `after` sees what `before` wrote and writes after it read.
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
  /// A call failed in a way that leaves the device unusable, or in use.
  bool lost = false;
  /// What subgroupsWork found.
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
