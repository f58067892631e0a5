//===- Executor.cpp - Calls on a Vulkan device ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Executor.h"

#include "Plan.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace vit::runtime::vulkan {

/// Work of one submission to a GPU unless VIT_VULKAN_SUBMIT_GFLOP is set: 0.4
/// seconds at 50 GFLOP/s; the timeouts of drivers are two seconds and more. On
/// a fast GPU it takes a few milliseconds, so that splitting costs nothing.
static constexpr double kSubmitFlop = 20e9;

//===----------------------------------------------------------------------===//
// Creating
//===----------------------------------------------------------------------===//

VulkanExecutor::~VulkanExecutor() { work.finish(); }

vit_status VulkanExecutor::readSettings(vit_error *error) {
  VIT_TRY(readForcedLevel(context.options.level, forced, error));
  limits.units = device->limits().maxComputeWorkGroupCount[0];
  limits.work = device->adapter->isCpu() ? 0 : kSubmitFlop;
  if (const char *given = std::getenv("VIT_VULKAN_SUBMIT_GFLOP");
      given && *given) {
    char *rest;
    limits.work = std::strtod(given, &rest) * 1e9;
    if (*rest || !(limits.work >= 0 && limits.work < 1e18))
      return fail(error, VIT_INVALID_ARGUMENT,
                  "VIT_VULKAN_SUBMIT_GFLOP is '%s': the work of one submission "
                  "in GFLOP, or 0 for no limit",
                  given);
  }
  bool clock = device->adapter->timestampBits != 0 &&
               device->limits().timestampPeriod > 0 &&
               device->uses(Option::Timestamps);
  timed = context.options.on_event && clock;
  limits.separate = context.options.on_event && !clock;
  return VIT_OK;
}

vit_status VulkanExecutor::build(const char *selector, vit_error *error) {
  const Allocator &allocator = context.module.allocator;
  auto *found = create<Context>(allocator, allocator);
  if (!found)
    return outOfMemory(error, sizeof(Context), "the session");
  if (vit_status status = found->find(selector, error)) {
    destroy(allocator, found);
    return status;
  }
  VIT_TRY(device.share(context.parameters.copies, allocator, found,
                       [&] { return found->open(error); }));
  VIT_TRY(work.create(*device, error));
  VIT_TRY(readSettings(error));
  VIT_TRY(chooseSchedules(schema::Target::Vulkan, error));
  const schema::Module &module = *context.module.root;
  VIT_TRY(pipelines.create(*device, count(module.entries()), error));
  VIT_TRY(weights.create(work, context.parameters, schedules, error));
  return weights.update(error);
}

int VulkanExecutor::rank(const schema::Schedule &schedule) const {
  if (forced && levelOf(schedule) != forced)
    return 0;
  char reason[256];
  return rankSchedule(*device, schedule, reason, sizeof reason);
}

vit_status VulkanExecutor::requireSchedule(uint32_t entry,
                                           vit_error *error) const {
  if (schedules[entry])
    return VIT_OK;
  // Why the device cannot run a schedule says more than that there is none.
  char reason[256] = "";
  for (const schema::Schedule *s : *context.module.entry(entry).schedules())
    rankSchedule(*device, *s, reason, sizeof reason);
  char offers[1024];
  std::snprintf(offers, sizeof offers, "'%s' runs %s%s%s%s",
                device->adapter->properties.deviceName,
                forced ? "no other than Vulkan " : "Vulkan ",
                forced ? forced->name
                       : format::levelNames(format::Target::Vulkan).text,
                *reason ? "; " : "", reason);
  return noSchedule(context.module, entry, schema::Target::Vulkan, offers, true,
                    error);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

bool VulkanExecutor::workspaceBytes(uint32_t entry, int64_t batch,
                                    uint64_t slotBytes, void *const *,
                                    uint64_t &bytes) const {
  const schema::Entry &e = context.module.entry(entry);
  bytes = slotBytes;
  for (const auto *bindings : {e.inputs(), e.outputs()})
    for (const schema::Binding *binding : *bindings) {
      uint64_t some;
      if (!bindingBytes(*binding, batch, some) || some > kMaxExtent)
        return false;
      bytes += alignUp(some, kAlignment);
      if (bytes > kMaxExtent)
        return false;
    }
  return true;
}

/// What other sessions and processes have is not known without an extension.
uint64_t VulkanExecutor::workspaceRoom(uint64_t bytes) {
  if (bytes <= workspace.size)
    return UINT64_MAX;
  uint64_t heap = largestHeap(*device->adapter, Use::Workspace,
                              device->uses(Option::HostVisible));
  return heap - std::min(heap, weights.size());
}

/// Reports the limit that a planned call exceeds and the largest batch that
/// does not.
vit_status VulkanExecutor::tooLarge(uint32_t entry, int64_t batch,
                                    CallMemory &memory,
                                    vit_error *error) const {
  const Adapter &adapter = *device->adapter;
  CallMemory::Excess excess = memory.findExcess(adapter);
  int64_t fits = 0, tooMuch = batch;
  while (tooMuch - fits > 1) {
    int64_t middle = fits + (tooMuch - fits) / 2;
    bool within = memory.plan(context.module.entry(entry), *schedules[entry],
                              adapter, middle) &&
                  !memory.findExcess(adapter).what;
    (within ? fits : tooMuch) = middle;
  }
  char hint[64] = "even a batch of 1 needs more";
  if (fits > 0)
    std::snprintf(hint, sizeof hint, "a batch of %lld fits", lld(fits));
  char what[256];
  std::snprintf(what, sizeof what, "%s%s%.100s", excess.what,
                excess.kernel ? " in kernel " : "",
                excess.kernel ? excess.kernel : "");
  return fail(error, excess.kernel ? VIT_UNSUPPORTED : VIT_OUT_OF_MEMORY,
              "a batch of %lld needs %llu %s and the Vulkan device '%s' allows "
              "%llu: %s%s",
              lld(batch), llu(excess.needed), what,
              adapter.properties.deviceName, llu(excess.allowed), hint,
              excess.kernel ? "; GPUs and the CPU have no such limit" : "");
}

/// Grows the buffers if this call needs more, and then discards the recordings
/// that use the old ones.
vit_status VulkanExecutor::makeRoom(const CallMemory &memory, uint32_t inputs,
                                    uint32_t outputs, vit_error *error) {
  uint64_t up = 0, down = 0;
  for (uint32_t i = 0; i < inputs; ++i)
    up += memory.input(i).size;
  for (uint32_t i = 0; i < outputs; ++i)
    down += memory.output(i).size;
  bool grows = memory.total > workspace.size;
  bool stages =
      !grows && !workspace.mapped && (up > staged.size || down > fetched.size);
  if (grows || stages)
    for (Prepared &p : prepared) {
      p.recording.clear();
      p.batch = 0;
    }
  if (grows)
    VIT_TRY(workspace.create(*device, memory.total, Use::Workspace,
                             "the workspace", error));
  if (workspace.mapped)
    return VIT_OK;
  if (up > staged.size)
    VIT_TRY(staged.create(*device, up, Use::Upload, "the inputs", error));
  if (down > fetched.size)
    VIT_TRY(fetched.create(*device, down, Use::Download, "the outputs", error));
  return VIT_OK;
}

vit_status VulkanExecutor::prepare(const Call &call, Prepared *&found,
                                   vit_error *error) {
  uint32_t entry = call.entry;
  int64_t batch = call.batch;
  found = &prepared[0];
  for (Prepared &p : prepared) {
    if (p.batch == batch && p.entry == entry) {
      found = &p;
      return VIT_OK;
    }
    // Otherwise replace the least recently used one.
    if (p.used < found->used)
      found = &p;
  }
  const schema::Entry &e = context.module.entry(entry);
  const schema::Schedule &schedule = *schedules[entry];
  uint32_t inputs = e.inputs()->size(), outputs = e.outputs()->size();
  found->recording.clear();
  found->batch = 0;
  VIT_TRY(found->memory.create(device->allocator, e, schedule, error));
  if (!found->memory.plan(e, schedule, *device->adapter, batch))
    return fail(error, VIT_INVALID_ARGUMENT,
                "a batch of %lld needs more memory than there are addresses",
                lld(batch));
  if (found->memory.findExcess(*device->adapter).what)
    return tooLarge(entry, batch, found->memory, error);
  VIT_TRY(pipelines.prepare(context.module, entry, schedule, error));
  VIT_TRY(makeRoom(found->memory, inputs, outputs, error));
  Resources resources = {&weights, &pipelines, &workspace, &staged, &fetched};
  vit_status status = found->recording.record(
      *device, resources, schedule, found->memory, inputs, outputs, entry,
      batch, call.firstChange, limits, timed, error);
  if (status != VIT_OK) {
    found->recording.clear();
    return status;
  }
  found->entry = entry;
  found->batch = batch;
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void VulkanExecutor::upload(const Call &call, const Prepared &p) {
  const auto &inputs = *context.module.entry(call.entry).inputs();
  uint64_t at = 0;
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    uint64_t bytes = 0;
    bindingBytes(*inputs.Get(i), call.batch, bytes);
    unsigned char *target = workspace.mapped
                                ? workspace.mapped + p.memory.input(i).offset
                                : staged.mapped + at;
    std::memcpy(target, call.inputs[i], bytes);
    at += p.memory.input(i).size;
  }
}

void VulkanExecutor::download(const Call &call, const Prepared &p) {
  const auto &outputs = *context.module.entry(call.entry).outputs();
  uint64_t at = 0;
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    uint64_t bytes = 0;
    bindingBytes(*outputs.Get(i), call.batch, bytes);
    const unsigned char *source =
        workspace.mapped ? workspace.mapped + p.memory.output(i).offset
                         : fetched.mapped + at;
    if (call.outputs[i])
      std::memcpy(call.outputs[i], source, bytes);
    at += p.memory.output(i).size;
  }
}

/// Submits everything and waits for it, unless the call is cancelled.
vit_status VulkanExecutor::submit(const Call &call, const Prepared &p,
                                  vit_error *error) {
  const vit_session_options &options = context.options;
  uint32_t total = p.recording.submissions();
  if (limits.separate && (!submissionBegin.allocate(device->allocator, total) ||
                          !submissionEnd.allocate(device->allocator, total)))
    return outOfMemory(error, total * 16ull, "a call's events");
  for (uint32_t i = 0; i < total; ++i) {
    if (i == p.recording.waiting()) {
      VIT_TRY(work.wait(error));
      reducing = &p;
      VIT_TRY(reduceOnHost(call, findWait(*schedules[call.entry]), isFinite,
                           error));
      if (!isFinite)
        break;
    }
    bool isAgreed = i >= p.recording.waiting() && !context.reduction.isAlone();
    if (i <= p.recording.firstChange() && !isAgreed && options.is_cancelled &&
        options.is_cancelled(options.cancel_context)) {
      VIT_TRY(work.wait(error));
      return fail(error, VIT_CANCELLED,
                  "the call was cancelled after %u of %u submissions", i,
                  total);
    }
    if (limits.separate)
      submissionBegin[i] = monotonicTime();
    VIT_TRY(work.submit(p.recording.submission(i), 1, error));
    isChanging = i >= p.recording.firstChange();
    if (limits.separate) {
      VIT_TRY(work.wait(error));
      submissionEnd[i] = monotonicTime();
    }
  }
  if (!workspace.mapped)
    for (uint32_t i = 0; i < context.module.entry(call.entry).outputs()->size();
         ++i) {
      VkCommandBuffer copy = p.recording.download(i);
      if (call.outputs[i])
        VIT_TRY(work.submit(&copy, 1, error));
    }
  return work.wait(error);
}

/// The buffer of an argument of a slot, output or arena, and where it begins.
std::pair<VkBuffer, uint64_t>
VulkanExecutor::find(const schema::Argument &argument) const {
  if (argument.kind() != schema::ArgumentKind::Arena)
    return {workspace.handle, reducing->memory.offsetOf(argument)};
  // The chunk of the arenas.
  return {weights.chunk(0).handle, weights.offsetOf(argument, 0)};
}

vit_status VulkanExecutor::readBack(const Call &,
                                    const schema::Argument &argument,
                                    void *target, uint64_t bytes,
                                    vit_error *error) {
  if (bytes > fetchedGradients.size)
    VIT_TRY(fetchedGradients.create(*device, bytes, Use::Download,
                                    "gradients on the host", error));
  auto [buffer, offset] = find(argument);
  VkBufferCopy region = {offset, 0, bytes};
  VIT_TRY(work.runOnce(
      [&, buffer = buffer](VkCommandBuffer commands) {
        device->barrier(commands, kAnyWork, kTransfer);
        device->vk.CmdCopyBuffer(commands, buffer, fetchedGradients.handle, 1,
                                 &region);
        device->barrier(commands, kTransfer, kHostReads);
      },
      error));
  std::memcpy(target, fetchedGradients.mapped, bytes);
  return VIT_OK;
}

vit_status VulkanExecutor::writeTo(const Call &,
                                   const schema::Argument &argument,
                                   const void *source, uint64_t bytes,
                                   vit_error *error) {
  if (bytes > stagedGradients.size)
    VIT_TRY(stagedGradients.create(*device, bytes, Use::Upload,
                                   "gradients on the host", error));
  std::memcpy(stagedGradients.mapped, source, bytes);
  auto [buffer, offset] = find(argument);
  VkBufferCopy region = {0, offset, bytes};
  return work.runOnce(
      [&, buffer = buffer](VkCommandBuffer commands) {
        device->vk.CmdCopyBuffer(commands, stagedGradients.handle, buffer, 1,
                                 &region);
        device->barrier(commands, kTransfer, kAnyWork);
      },
      error);
}

vit_status VulkanExecutor::lostBefore(vit_error *error) const {
  return fail(error, VIT_DEVICE_LOST,
              "the Vulkan device '%s' was lost in an earlier call: make a "
              "new session",
              device->adapter->properties.deviceName);
}

vit_status VulkanExecutor::fetchArenas(unsigned char *const *targets,
                                       vit_error *error) {
  return device->lost ? lostBefore(error) : weights.fetchArenas(targets, error);
}

vit_status VulkanExecutor::run(const Call &call, vit_error *error) {
  if (device->lost)
    return lostBefore(error);
  Prepared *p = nullptr;
  VIT_TRY(prepare(call, p, error));
  p->used = ++calls;
  VIT_TRY(weights.update(error));
  bool tell = context.options.on_event;
  vit_event copied = {"upload", "copy", tell ? monotonicTime() : 0, 0, 0};
  upload(call, *p);
  copied.end_ns = tell ? monotonicTime() : 0;
  isChanging = false;
  isFinite = true;
  vit_status status = submit(call, *p, error);
  if (status != VIT_OK) {
    // No work may be pending when this returns.
    work.finish();
    // The call may have changed some of the variables.
    if (isChanging)
      context.parameters.training.arenas.lose();
    return status;
  }
  if (changesVariables(call) && isFinite) {
    context.parameters.trained(this);
    weights.keepArenas();
  }
  if (!tell) {
    download(call, *p);
    return VIT_OK;
  }
  uint64_t finished = monotonicTime();
  context.options.on_event(context.options.event_context, &copied);
  if (isFinite && findTimes(*p, finished))
    tellEvents(call);
  context.reduction.report(context.options);
  copied = {"download", "copy", monotonicTime(), 0, 0};
  download(call, *p);
  copied.end_ns = monotonicTime();
  context.options.on_event(context.options.event_context, &copied);
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

/// Fills `begin` and `end`. False if the device returns no timestamps.
bool VulkanExecutor::findTimes(const Prepared &p, uint64_t finished) {
  const schema::Schedule &schedule = *schedules[p.entry];
  if (timed) {
    if (!p.recording.readTimes(schedule, limits, begin, end))
      return false;
    // The last command ended when the host woke up, or slightly before.
    uint64_t last = 0;
    for (uint64_t tick : end)
      last = std::max(last, tick);
    double period = double(device->limits().timestampPeriod);
    for (Array<uint64_t> *times : {&begin, &end})
      for (uint64_t &time : *times)
        time = finished - uint64_t(double(last - time) * period);
    return true;
  }
  size_t commands = count(schedule.commands());
  if (!begin.allocate(device->allocator, commands) ||
      !end.allocate(device->allocator, commands))
    return false;
  forEachPiece(schedule, p.batch, limits, [&](const Piece &piece) {
    if (piece.firstUnit == 0)
      begin[piece.command] = submissionBegin[piece.submission];
    end[piece.command] = submissionEnd[piece.submission];
  });
  return true;
}

void VulkanExecutor::tellEvents(const Call &call) {
  const schema::Schedule &schedule = *schedules[call.entry];
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (command.kind() == schema::CommandKind::Barrier)
      continue;
    vit_event event = {commandName(command), kernelName(schedule, command),
                       begin[i], end[i], commandFlop(command, call.batch)};
    context.options.on_event(context.options.event_context, &event);
  }
}

} // namespace vit::runtime::vulkan

vit_status vit::runtime::createVulkanExecutor(const SessionContext &context,
                                              const char *selector,
                                              Executor *&executor,
                                              vit_error *error) {
  return buildExecutor<vulkan::VulkanExecutor>(context, executor, error,
                                               selector);
}
