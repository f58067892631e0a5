//===- CallMemory.h - A call's memory on a Vulkan device --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_CALLMEMORY_H
#define VIT_RUNTIME_DEVICES_VULKAN_CALLMEMORY_H

#include "Module.h"
#include "devices/vulkan/Context.h"

namespace vit::runtime::vulkan {

/// The range of the workspace that one binding covers, in bytes.
struct Window {
  uint64_t offset;
  uint64_t size;
};

/// The offsets of a call's inputs, outputs and slots in the workspace, which is
/// one buffer; each is a multiple of 64 bytes. A kernel's binding covers the
/// whole workspace if the device allows that, else only what the kernel uses;
/// for that reason values are placed in order of first use.
class CallMemory {
public:
  vit_status create(const Allocator &allocator, const schema::Entry &entry,
                    const schema::Schedule &schedule, vit_error *error);

  /// Computes offsets and sizes for a batch. False if they overflow.
  bool plan(const schema::Entry &entry, const schema::Schedule &schedule,
            const Adapter &adapter, int64_t batch);

  /// The limit of the device that the planned call exceeds, such as "bytes in
  /// one piece", and by how much; `what` is NULL if it fits. `kernel` is the
  /// one with too many iterations, or NULL.
  struct Excess {
    const char *what;
    uint64_t needed, allowed;
    const char *kernel;
  };
  Excess findExcess(const Adapter &adapter) const;

  /// The region of an argument of kind Input, Output or Slot.
  const Window &region(const schema::Argument &argument) const;
  /// Its offset in the workspace.
  uint64_t offsetOf(const schema::Argument &argument) const {
    return region(argument).offset + argument.offset();
  }
  const Window &input(uint32_t index) const { return regions[index]; }
  const Window &output(uint32_t index) const { return regions[inputs + index]; }
  /// The range that the binding of this dispatch covers.
  Window window(const schema::Command &command, const Adapter &adapter) const;

  uint64_t total = 0; ///< bytes of the workspace

private:
  uint32_t inputs = 0, outputs = 0;
  uint64_t widest = 0;                ///< bytes of the largest window
  uint64_t mostUnits = 0;             ///< of any dispatch
  uint64_t mostIterations = 0;        ///< of a thread of any dispatch
  const char *mostIterated = nullptr; ///< that dispatch's kernel
  Array<Window> regions;              ///< inputs, outputs, slots
  Array<uint8_t> placed;
  Array<uint64_t> sizes; ///< of slots
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_CALLMEMORY_H
