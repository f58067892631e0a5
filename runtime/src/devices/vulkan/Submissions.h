//===- Submissions.h - Work for a Vulkan device -----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_SUBMISSIONS_H
#define VIT_RUNTIME_DEVICES_VULKAN_SUBMISSIONS_H

#include "devices/vulkan/Context.h"

namespace vit::runtime::vulkan {

/// What a session submits to the queue of a device, which other sessions may
/// use too. One thread at a time may use this object.
class Submissions {
public:
  Submissions() = default;
  Submissions(const Submissions &) = delete;
  Submissions &operator=(const Submissions &) = delete;
  ~Submissions();

  /// `context` is open and outlives this object.
  vit_status create(Context &context, vit_error *error);

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

  Context *context = nullptr;

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

#endif // VIT_RUNTIME_DEVICES_VULKAN_SUBMISSIONS_H
