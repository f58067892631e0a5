//===- Recording.h - A call's commands for a Vulkan device ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_RECORDING_H
#define VIT_RUNTIME_DEVICES_VULKAN_RECORDING_H

#include "devices/Device.h"
#include "devices/vulkan/CallMemory.h"
#include "devices/vulkan/DeviceParameters.h"
#include "devices/vulkan/Pipelines.h"
#include "devices/vulkan/Split.h"

namespace vit::runtime::vulkan {

/// What a recording refers to. It must outlive the recording and keep its
/// address.
struct Resources {
  const DeviceParameters *weights;
  const Pipelines *pipelines;
  const Buffer *workspace;
  /// Used if the host cannot access the workspace: inputs and outputs in the
  /// order of the entry, each at a multiple of 64 bytes.
  const Buffer *upload;
  const Buffer *download;
};

/// The commands of one entry at one batch, recorded once and submitted by each
/// call: one command buffer per submission, and one per output that copies it
/// to memory that the host can read.
class Recording {
public:
  Recording() = default;
  Recording(const Recording &) = delete;
  Recording &operator=(const Recording &) = delete;
  ~Recording() { clear(); }

  void clear();

  /// `layout` must be planned for this batch. `timed` adds timestamps.
  /// `firstChange` is the first command that changes variables.
  vit_status record(Context &context, const Resources &resources,
                    const schema::Schedule &schedule, const CallMemory &memory,
                    uint32_t inputs, uint32_t outputs, uint32_t entry,
                    int64_t batch, uint32_t firstChange,
                    const SplitLimits &limits, bool timed, vit_error *error);

  uint32_t submissions() const { return submissionCount; }
  /// The first submission that changes variables; the number of submissions if
  /// none does.
  uint32_t firstChange() const { return changingSubmission; }
  /// The submission that begins with a Wait; UINT32_MAX if none does.
  uint32_t waiting() const { return waitingSubmission; }
  const VkCommandBuffer *submission(uint32_t index) const {
    return &commands[index];
  }
  VkCommandBuffer download(uint32_t output) const {
    return commands[submissionCount + output];
  }

  /// Reads the timestamps of a finished call: the beginning and end of each
  /// command of the schedule in ticks of the device, both 0 if it has none.
  /// False if the device has not written them.
  bool readTimes(const schema::Schedule &schedule, const SplitLimits &limits,
                 Array<uint64_t> &begin, Array<uint64_t> &end) const;

private:
  struct Set {
    Window window;
    uint32_t chunk;
  };
  vit_status createPools(uint32_t outputs, bool timed, vit_error *error);
  vit_status createSets(const Resources &resources,
                        const schema::Schedule &schedule,
                        const CallMemory &memory, uint32_t entry,
                        vit_error *error);
  uint32_t setOf(const Window &window, uint32_t chunk) const;
  void recordPiece(const Resources &resources, const schema::Schedule &schedule,
                   const CallMemory &memory, uint32_t entry, const Piece &piece,
                   VkCommandBuffer buffer) const;
  void recordDispatch(const Resources &resources,
                      const schema::Command &command, const CallMemory &memory,
                      uint32_t entry, const Piece &piece,
                      VkCommandBuffer buffer) const;
  vit_status begin(VkCommandBuffer buffer, vit_error *error) const;
  vit_status end(VkCommandBuffer buffer, vit_error *error) const;

  Context *context = nullptr;
  int64_t batch = 0;
  VkDescriptorPool descriptors = VK_NULL_HANDLE;
  VkCommandPool pool = VK_NULL_HANDLE;
  VkQueryPool queries = VK_NULL_HANDLE;
  uint32_t submissionCount = 0;
  uint32_t changingSubmission = 0;
  uint32_t waitingSubmission = UINT32_MAX;
  uint32_t pieceCount = 0;
  uint32_t setCount = 0;
  Array<VkCommandBuffer> commands; ///< submissions, then downloads
  Array<Set> sets;
  Array<VkDescriptorSet> setHandles;
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_RECORDING_H
