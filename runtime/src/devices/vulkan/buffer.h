//===- buffer.h - Memory of a Vulkan device ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_BUFFER_H
#define VIT_RUNTIME_DEVICES_VULKAN_BUFFER_H

#include "devices/vulkan/context.h"

namespace vit::runtime::vulkan {

/// What a buffer is for, which decides where it lies.
enum class Use {
  Weights,   ///< On the device; mapped where the host can write there.
  Workspace, ///< On the device; mapped where the host reads there quickly too.
  Upload,    ///< Of the host, read by the device. Mapped.
  Download   ///< Of the host, written by the device. Mapped.
};

/// One buffer in one allocation of its own.
class Buffer {
public:
  Buffer() = default;
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer() { clear(); }

  /// `what` it is for goes into messages, as "the workspace". Gives back what
  /// was there first.
  vit_status create(Context &context, uint64_t size, Use use, const char *what,
                    vit_error *error);
  void clear();

  VkBuffer handle = VK_NULL_HANDLE;
  /// Coherent memory of the host's, or NULL where it cannot reach this buffer.
  unsigned char *mapped = nullptr;
  uint64_t size = 0;

private:
  vit_status allocate(Use use, const char *what, vit_error *error);

  Context *context = nullptr;
  VkDeviceMemory memory = VK_NULL_HANDLE;
};

/// The type of memory for `use` that is best among `bits` (as in
/// VkMemoryRequirements) and has `size` bytes, -1 where there is none.
int chooseMemoryType(const Adapter &adapter, Use use, uint64_t size,
                     uint32_t bits, bool hostVisible);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_BUFFER_H
