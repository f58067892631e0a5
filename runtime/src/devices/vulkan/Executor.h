//===- Executor.h - Calls on a Vulkan device --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_EXECUTOR_H
#define VIT_RUNTIME_DEVICES_VULKAN_EXECUTOR_H

#include "devices/vulkan/Level.h"
#include "devices/vulkan/Recording.h"

namespace vit::runtime::vulkan {

class VulkanExecutor final : public Executor {
public:
  explicit VulkanExecutor(const SessionContext &context) : Executor(context) {}
  ~VulkanExecutor() override;

  vit_status build(const char *selector, vit_error *error);

  vit_status requireSchedule(uint32_t entry, vit_error *error) const override;
  bool workspaceBytes(uint32_t entry, int64_t batch, uint64_t slotBytes,
                      void *const *outputs, uint64_t &bytes) const override;
  uint64_t workspaceRoom(uint64_t bytes) override;
  const char *deviceName() const override {
    return device->adapter->properties.deviceName;
  }
  vit_status run(const Call &call, vit_error *error) override;
  vit_status fetchArenas(unsigned char *const *targets,
                         vit_error *error) override;

protected:
  int rank(const schema::Schedule &schedule) const override;

private:
  /// A recorded call; the last few are kept.
  struct Prepared {
    Recording recording;
    CallMemory memory;
    uint32_t entry = 0;
    int64_t batch = 0; ///< 0: none
    uint64_t used = 0; ///< when it was last run
  };
  static constexpr size_t kPrepared = 8;

  vit_status readSettings(vit_error *error);
  vit_status prepare(const Call &call, Prepared *&prepared, vit_error *error);
  vit_status lostBefore(vit_error *error) const;
  vit_status makeRoom(const CallMemory &memory, uint32_t inputs,
                      uint32_t outputs, vit_error *error);
  vit_status tooLarge(uint32_t entry, int64_t batch, CallMemory &memory,
                      vit_error *error) const;
  vit_status submit(const Call &call, const Prepared &prepared,
                    vit_error *error);
  std::pair<VkBuffer, uint64_t> find(const schema::Argument &argument) const;
  vit_status readBack(const Call &call, const schema::Argument &argument,
                      void *target, uint64_t bytes, vit_error *error) override;
  vit_status writeTo(const Call &call, const schema::Argument &argument,
                     const void *source, uint64_t bytes,
                     vit_error *error) override;
  bool changesVariables(const Call &call) const {
    return call.firstChange < count(schedules[call.entry]->commands());
  }
  void upload(const Call &call, const Prepared &prepared);
  void download(const Call &call, const Prepared &prepared);
  bool findTimes(const Prepared &prepared, uint64_t finished);
  void tellEvents(const Call &call);

  // Each member uses those before it; they are destroyed in reverse order.
  Shared<Context> device;
  Submissions work;
  Pipelines pipelines;
  DeviceParameters weights;
  Buffer workspace, staged, fetched;
  Buffer stagedGradients, fetchedGradients;
  Prepared prepared[kPrepared];

  SplitLimits limits = {};
  bool timed = false; ///< events are wanted, and the device has a clock
  /// The level that the options or VIT_VULKAN_LEVEL name; NULL: the best.
  const format::Level *forced = nullptr;
  uint64_t calls = 0;
  bool isChanging = false; ///< the present call may have changed variables
  bool isFinite = true;    ///< so are the losses of all ranks in that call
  const Prepared *reducing = nullptr; ///< that call, in reduceOnHost

  // Times of the current call in nanoseconds of CLOCK_MONOTONIC.
  Array<uint64_t> begin, end;                     ///< per command
  Array<uint64_t> submissionBegin, submissionEnd; ///< where not `timed`
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_EXECUTOR_H
