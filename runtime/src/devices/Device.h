//===- Device.h - What runs a session's calls -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session binds the caller's tensors, checks each command against the plan at
// the call's batch and enforces the memory budget. Its executor, one class per
// target, runs the commands. An executor that has returned VIT_DEVICE_LOST
// returns it from every later call.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_DEVICE_H
#define VIT_RUNTIME_DEVICES_DEVICE_H

#include "Module.h"
#include "Parameters.h"
#include "Reduction.h"
#include "Text.h"

namespace vit::runtime {

/// What an executor works with. Module, parameters and options outlive it.
struct SessionContext {
  const vit_module &module;
  /// The values of derived forms and arenas; `version` changes with them.
  vit_parameters &parameters;
  /// Callbacks and threads. The session handles `device`, `parameters` and
  /// `memory_budget`.
  const vit_session_options &options;
  int threads; ///< at least 1; for the CPU alone
  /// Sums gradients over ranks, in schedules that reduce.
  Reduction &reduction;
};

/// One call, already checked: the entry has a schedule, no command accesses
/// memory outside its arguments at this batch, and on a GPU `fitsGpu` holds.
struct Call {
  uint32_t entry;
  int64_t batch;
  /// Memory for each input of the entry, row-major and aligned to the element.
  const void *const *inputs;
  /// The same for each output. NULL: computed but not returned.
  void *const *outputs;
  /// Where those are: VIT_HOST unless the executor takes device memory.
  const vit_memory *inputMemory;
  const vit_memory *outputMemory;
  /// Bytes of each slot of the schedule at this batch, its offset in the slots'
  /// memory (a multiple of 64), and the bytes of that memory; see planSlots.
  const uint64_t *slotSizes;
  const uint64_t *slotOffsets;
  uint64_t slotBytes;
  /// The first command that changes variables (firstChange of Plan.h).
  uint32_t firstChange;
};

/// Before a schedule runs, the arenas that it uses exist and hold the newest
/// values, unless the executor holds those itself.
class Executor : public ArenaHolder {
public:
  Executor(const Executor &) = delete;
  Executor &operator=(const Executor &) = delete;
  virtual ~Executor();

  /// The schedule that runs `entry` on this device; NULL if there is none.
  const schema::Schedule *schedule(uint32_t entry) const {
    return schedules[entry];
  }
  /// Fails with VIT_UNSUPPORTED if there is none; the message lists what code
  /// the module has and what the device runs (see noSchedule).
  virtual vit_status requireSchedule(uint32_t entry,
                                     vit_error *error) const = 0;

  /// Why `schedule(entry)` is NULL: fails as requireSchedule, or says in which
  /// precisions there is code.
  vit_status explainMissing(uint32_t entry, vit_error *error) const;

  /// Bytes of memory that a call takes in addition to the weights; the session
  /// compares them with its budget. They are the slots (`slotBytes`, from
  /// planSlots at this batch) and the memory for those `outputs` that are NULL
  /// (as in Call; NULL itself: none is), on a GPU for all inputs and outputs.
  /// False if they exceed kMaxExtent.
  virtual bool workspaceBytes(uint32_t entry, int64_t batch, uint64_t slotBytes,
                              void *const *outputs, uint64_t &bytes) const = 0;

  /// How many bytes such a workspace can have at most, of the memory that the
  /// device has left for it; UINT64_MAX: at least `bytes`, or it is not known.
  virtual uint64_t workspaceRoom(uint64_t bytes) {
    (void)bytes;
    return UINT64_MAX;
  }
  /// What has that memory, for messages.
  virtual const char *deviceName() const { return "the CPU"; }

  /// Whether inputs and outputs may be in the memory of the device.
  virtual bool takesDeviceMemory() const { return false; }

  /// Runs one call and writes the outputs. One thread at a time may call this,
  /// not always the same one. The memory that is kept grows to the largest
  /// call. A failure leaves the executor unchanged, unless the device is lost.
  ///
  ///  - If `options.on_event` is set, calls it for each command except
  ///  barriers,
  ///    in order and on the calling thread, with times in nanoseconds of
  ///    CLOCK_MONOTONIC, to which a device's timestamps are converted. A GPU
  ///    may do so at the end of the call. Otherwise takes no times.
  ///  - Calls `options.is_cancelled` before each command or submission, at
  ///  least
  ///    once, and returns VIT_CANCELLED when no work is running any more. It
  ///    does not ask after `call.firstChange` has begun, so that a call changes
  ///    all of its variables or none.
  ///  - Reads the parameters as they are when it is called.
  ///  - Calls `parameters.trained` after a call that changes variables.
  ///  - On several ranks, a Wait ends the call with VIT_OK and without changes
  ///    where the loss of a rank is not finite. After it the call is not
  ///    cancelled. The output of the loss is then that of `RankResult`.
  virtual vit_status run(const Call &call, vit_error *error) = 0;

  /// Runs all commands except those that change variables and sets `name` to
  /// the name of the first command whose results contain a NaN or infinity,
  /// NULL if there is none. Writes no outputs and takes no times.
  virtual vit_status findNotFinite(const Call &call, const char *&name,
                                   vit_error *error);

  vit_status fetchArenas(unsigned char *const *targets,
                         vit_error *error) override;

  /// Whether it can reduce with a `vit_device_collective`.
  virtual bool reducesOnDevice() const { return false; }
  /// Opens that of `context.reduction`, which has one, for ranges of at most
  /// `mostElements`. To be called once, before a call.
  virtual vit_status joinRanks(uint64_t mostElements, vit_error *error);

protected:
  explicit Executor(const SessionContext &context) : context(context) {}

  /// How well this device runs the schedule, which is for its target; the
  /// highest rank of an entry is used. 0: it cannot run it.
  virtual int rank(const schema::Schedule &schedule) const = 0;

  /// Fills `schedules` by `rank` from the code of `target` in the precision of
  /// the options, and makes the forms that they read. Fails like
  /// `requireSchedule` if no entry has one. To be called when the executor is
  /// created.
  vit_status chooseSchedules(schema::Target target, vit_error *error);

  const SessionContext context;
  Array<const schema::Schedule *> schedules; ///< per entry

  /// For devices whose memory the host copies. Runs the Wait that is command
  /// `wait` and the AllReduces before it, which have not run: copies gradients
  /// and sums to the host, reduces them there, and copies the result back. All
  /// other commands before `wait` have ended. `isFinite`: whether the losses of
  /// all ranks are, so that the call goes on.
  vit_status reduceOnHost(const Call &call, uint32_t wait, bool &isFinite,
                          vit_error *error);
  /// Exchanges the results of the ranks at a Wait: those of this rank are
  /// copied from the arguments of `wait`, those of the step to them.
  /// `isFinite`: as for reduceOnHost.
  vit_status exchangeResults(const Call &call, const schema::Command &wait,
                             bool &isFinite, vit_error *error);
  /// Copy from and to the memory of an argument of the call.
  virtual vit_status readBack(const Call &call,
                              const schema::Argument &argument, void *target,
                              uint64_t bytes, vit_error *error);
  virtual vit_status writeTo(const Call &call, const schema::Argument &argument,
                             const void *source, uint64_t bytes,
                             vit_error *error);

private:
  vit_status checkRounded(vit_error *error) const;
  vit_status startOnHost(const Call &call, const schema::Command &command,
                         uint64_t &used, vit_error *error);

  schema::Target target = schema::Target::Cpu;
  Array<float> reduced; ///< gradients, each range with its sums behind it
};

/// The number of the Wait of a schedule; the number of commands if it has none.
uint32_t findWait(const schema::Schedule &schedule);

//===----------------------------------------------------------------------===//
// Creating executors
//===----------------------------------------------------------------------===//
//
// Each returns VIT_OK with an executor that is released by `destroy` with the
// module's allocator, or fails with a message that says what is missing: the
// driver, the device or memory. It also fails if no entry of the module has
// code for the device. `selector` is what follows "vulkan" or "cuda" in the
// options:
// "", ":1", ":llvmpipe".

/// Creates an executor of class `Made` that is built with `arguments`.
template <typename Made, typename... Arguments>
vit_status buildExecutor(const SessionContext &context, Executor *&executor,
                         vit_error *error, Arguments... arguments) {
  const Allocator &allocator = context.module.allocator;
  auto *made = create<Made>(allocator, context);
  if (!made)
    return outOfMemory(error, sizeof(Made), "the session");
  if (vit_status status = made->build(arguments..., error)) {
    destroy(allocator, made);
    return status;
  }
  executor = made;
  return VIT_OK;
}

vit_status createCpuExecutor(const SessionContext &context, Executor *&executor,
                             vit_error *error);
vit_status createVulkanExecutor(const SessionContext &context,
                                const char *selector, Executor *&executor,
                                vit_error *error);
vit_status createCudaExecutor(const SessionContext &context,
                              const char *selector, Executor *&executor,
                              vit_error *error);

/// Checks what can be checked before weights are read and drivers opened: fails
/// if `device` (NULL: "cpu") or `precision` of the options is none, or one that
/// the module has no code for.
vit_status checkDevice(const vit_module &module,
                       const vit_session_options &options, vit_error *error);

/// Creates the executor for `device`.
vit_status createExecutor(const SessionContext &context, const char *device,
                          Executor *&executor, vit_error *error);

/// Each appends an object per device to an array, as documented at
/// vit_devices_describe, or one with "unavailable" if there is no device.
void describeCpuDevices(Text &json);
void describeVulkanDevices(Text &json);
void describeCudaDevices(Text &json);
/// Adds the array "precisions": those that `level` has code of its own for.
void describePrecisions(Text &json, const format::Level &level);

/// {"device": device, "unavailable": reason}
void describeUnavailable(Text &json, const char *device, const char *reason);

//===----------------------------------------------------------------------===//
// For executors
//===----------------------------------------------------------------------===//

/// Nanoseconds of CLOCK_MONOTONIC.
uint64_t monotonicTime();

/// The name of an event of this command.
const char *commandName(const schema::Command &command);
const char *kernelName(const schema::Schedule &schedule,
                       const schema::Command &command);
/// Floating-point operations of a command at this batch.
double commandFlop(const schema::Command &command, int64_t batch);

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_DEVICE_H
