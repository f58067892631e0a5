//===- device.h - What runs a session's calls -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session binds the caller's tensors, checks each command against the plan at
// the call's batch and keeps to the memory budget; its executor, of which there
// is one kind per target, runs the commands. An executor that returned
// VIT_DEVICE_LOST once returns it ever after.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_DEVICE_H
#define VIT_RUNTIME_DEVICES_DEVICE_H

#include "module.h"
#include "parameters.h"
#include "text.h"

namespace vit::runtime {

/// What an executor is made for. Module, parameters and options outlive it.
struct SessionContext {
  const vit_module &module;
  /// The values of derived forms and arenas; their `version` says whether they
  /// changed.
  vit_parameters &parameters;
  /// Callbacks and threads. `device`, `parameters` and `memory_budget` are the
  /// session's business.
  const vit_session_options &options;
  int threads; ///< at least 1; for the CPU alone
};

/// One call. Everything was checked: the entry has a schedule, at this batch
/// no command goes beyond the memory of its arguments, and where the target is
/// a GPU `fitsGpu` holds.
struct Call {
  uint32_t entry;
  int64_t batch;
  /// Host memory for each input of the entry, row-major and aligned to the
  /// element.
  const void *const *inputs;
  /// The same for each output. NULL: left out, computed but not handed back.
  void *const *outputs;
  /// Bytes of each slot of the schedule at this batch, its offset in an arena
  /// (a multiple of 64), and the arena's bytes: planSlots.
  const uint64_t *slotSizes;
  const uint64_t *slotOffsets;
  uint64_t slotBytes;
  /// The first command that changes variables (firstChange of plan.h).
  uint32_t firstChange;
};

/// The arenas that a schedule uses are there when it is run, and hold the
/// newest values where the executor does not hold them itself.
class Executor : public ArenaHolder {
public:
  Executor(const Executor &) = delete;
  Executor &operator=(const Executor &) = delete;
  virtual ~Executor();

  /// The code that runs `entry` on this device, NULL where there is none.
  const schema::Schedule *schedule(uint32_t entry) const {
    return schedules[entry];
  }
  /// VIT_UNSUPPORTED, saying what code the module has and what the device
  /// takes, where there is none (see noSchedule).
  virtual vit_status requireSchedule(uint32_t entry,
                                     vit_error *error) const = 0;

  /// Bytes of memory that a call takes beside the weights, as the session
  /// compares them with its budget: the slots (`slotBytes`: of planSlots at
  /// this batch) and what the device needs for those `outputs` that are NULL
  /// (as in Call; NULL itself: none is), on a GPU for all inputs and outputs.
  /// False where they exceed kMaxExtent.
  virtual bool workspaceBytes(uint32_t entry, int64_t batch, uint64_t slotBytes,
                              void *const *outputs, uint64_t &bytes) const = 0;

  /// Runs one call to its end and writes the outputs; for one thread at a time,
  /// not always the same. Grows what memory it keeps to the largest call;
  /// after a failure it is as it was before, but where the device is lost.
  ///
  ///  - `options.on_event` non-NULL: hands over an event per command that does
  ///    something (no barriers) in their order, from the calling thread, times
  ///    in nanoseconds of CLOCK_MONOTONIC onto which a device's timestamps are
  ///    mapped; a GPU may do so at the end of the call. NULL: takes no times.
  ///  - asks `options.is_cancelled` before each command or submission, at least
  ///    once, and returns VIT_CANCELLED with no work under way. Not any more
  ///    when `call.firstChange` has begun: variables change in whole calls.
  ///  - reads parameters as they are when it is called.
  ///  - calls `parameters.trained` after a call that changes variables.
  virtual vit_status run(const Call &call, vit_error *error) = 0;

  /// Runs all commands but those that change variables and sets `name` to what
  /// the first is called whose results hold a NaN or infinity, NULL where none
  /// do. Writes no outputs and takes no times.
  virtual vit_status findNotFinite(const Call &call, const char *&name,
                                   vit_error *error);

  vit_status fetchArenas(unsigned char *const *targets,
                         vit_error *error) override;

protected:
  explicit Executor(const SessionContext &context) : context(context) {}

  /// How well this device runs such code; the entry's highest is taken.
  /// 0: not at all.
  virtual int rank(const schema::Schedule &schedule) const = 0;

  /// Fills `schedules` by `rank`, and fails as `requireSchedule` does where
  /// none of the entries has one. To be called by who makes the executor.
  vit_status chooseSchedules(vit_error *error);

  const SessionContext context;
  Array<const schema::Schedule *> schedules; ///< per entry
};

//===----------------------------------------------------------------------===//
// Making one
//===----------------------------------------------------------------------===//
//
// Each returns VIT_OK with an executor to be given to `destroy` with the
// module's allocator, or fails with a message that says what is missing: the
// driver, such a device, memory. It fails too where the module has no code for
// the device in any of its entries. `selector` is what follows "vulkan" or
// "cuda" in the options: "", ":1", ":llvmpipe".

vit_status createCpuExecutor(const SessionContext &context, Executor *&executor,
                             vit_error *error);
vit_status createVulkanExecutor(const SessionContext &context,
                                const char *selector, Executor *&executor,
                                vit_error *error);
vit_status createCudaExecutor(const SessionContext &context,
                              const char *selector, Executor *&executor,
                              vit_error *error);

/// What can be told before weights are read and drivers opened: fails where
/// `device` (NULL: "cpu") of vit_session_options names no kind of device, or
/// one that the module has no code for.
vit_status checkDevice(const vit_module &module, const char *device,
                       vit_error *error);

/// Makes what `device` names.
vit_status createExecutor(const SessionContext &context, const char *device,
                          Executor *&executor, vit_error *error);

/// Each appends an object per device to an array, as vit_devices_describe
/// promises, or one with "unavailable" where there is none.
void describeCpuDevices(Text &json);
void describeVulkanDevices(Text &json);
void describeCudaDevices(Text &json);

/// {"device": device, "unavailable": reason}
void describeUnavailable(Text &json, const char *device, const char *reason);

//===----------------------------------------------------------------------===//
// For executors
//===----------------------------------------------------------------------===//

/// Nanoseconds of CLOCK_MONOTONIC.
uint64_t monotonicTime();

/// What an event of this command is called.
const char *commandName(const schema::Command &command);
const char *kernelName(const schema::Schedule &schedule,
                       const schema::Command &command);
/// Floating-point operations of a command at this batch.
double commandFlop(const schema::Command &command, int64_t batch);

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_DEVICE_H
