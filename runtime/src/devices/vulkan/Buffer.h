//===- Buffer.h - Memory of a Vulkan device ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_BUFFER_H
#define VIT_RUNTIME_DEVICES_VULKAN_BUFFER_H

#include "devices/vulkan/Context.h"

namespace vit::runtime::vulkan {

/// What a buffer is used for; decides its memory type.
enum class Use {
  Weights,   ///< On the device; mapped where the host can write there.
  Workspace, ///< On the device; mapped where the host reads there quickly too.
  Upload,    ///< Of the host, read by the device. Mapped.
  Download   ///< Of the host, written by the device. Mapped.
};

/// One buffer with an allocation of its own.
class Buffer {
public:
  Buffer() = default;
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer() { clear(); }

  /// Frees the previous memory first. `what` names the purpose in messages,
  /// such as "the workspace".
  vit_status create(Context &context, uint64_t size, Use use, const char *what,
                    vit_error *error);
  void clear();

  VkBuffer handle = VK_NULL_HANDLE;
  /// The buffer's host-coherent mapping; NULL if the host cannot access it.
  unsigned char *mapped = nullptr;
  uint64_t size = 0;

private:
  vit_status allocate(Use use, const char *what, vit_error *error);

  Context *context = nullptr;
  VkDeviceMemory memory = VK_NULL_HANDLE;
};

/// The memory type among `bits` (as in VkMemoryRequirements) that suits `use`
/// best and whose heap has `size` bytes; -1 if there is none.
int chooseMemoryType(const Adapter &adapter, Use use, uint64_t size,
                     uint32_t bits, bool hostVisible);

/// Bytes of the largest heap that suits `use`.
uint64_t largestHeap(const Adapter &adapter, Use use, bool hostVisible);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_BUFFER_H
