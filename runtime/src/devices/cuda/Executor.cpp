//===- Executor.cpp - Calls on a CUDA device ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/Executor.h"

#include "Plan.h"
#include "format/Extent.h"

#include <algorithm>
#include <cstdio>

namespace vit::runtime::cuda {

/// Larger inputs and outputs are copied directly from and to the caller's
/// memory; the driver does that through pinned memory of its own.
static constexpr uint64_t kMaxStaging = uint64_t(32) << 20;

//===----------------------------------------------------------------------===//
// Creating
//===----------------------------------------------------------------------===//

int CudaExecutor::rank(const schema::Schedule &schedule) const {
  const format::Level *level = levelOf(schedule);
  bool runs = level && (!forced || level == forced) &&
              count(schedule.features()) == 0 &&
              format::runsOnCapability(*level, adapter.capability);
  return runs ? level->rank : 0;
}

vit_status CudaExecutor::requireSchedule(uint32_t entry,
                                         vit_error *error) const {
  if (schedules[entry])
    return VIT_OK;
  bool isTooOld = !bestLevel(adapter);
  char offers[512];
  std::snprintf(
      offers, sizeof offers, "'%s' takes Cuda sm_%d%s%s%s", adapter.name,
      adapter.capability, isTooOld ? " (vit needs " : "",
      isTooOld ? format::levelsOf(format::Target::Cuda).back().name : "",
      isTooOld ? " or newer)" : "");
  return noSchedule(context.module, entry, schema::Target::Cuda, offers,
                    !isTooOld, error);
}

vit_status CudaExecutor::build(const char *selector, vit_error *error) {
  const vit_module &module = context.module;
  if (const char *name = context.options.level) {
    forced = format::findLevel(format::Target::Cuda, name);
    if (!forced)
      return unknownLevel("the option level", format::Target::Cuda, error);
  }
  VIT_TRY(driver.open(error));
  VIT_TRY(selectAdapter(driver, selector, adapter, error));
  VIT_TRY(chooseSchedules(schema::Target::Cuda, error));
  uint32_t inputs = 0, outputs = 0, commands = 0;
  for (uint32_t i = 0; i < schedules.size(); ++i) {
    inputs = std::max(inputs, module.entry(i).inputs()->size());
    outputs = std::max(outputs, module.entry(i).outputs()->size());
    if (schedules[i])
      commands = std::max(commands, count(schedules[i]->commands()));
  }
  if (!inputPlaces.allocate(module.allocator, inputs) ||
      !outputPlaces.allocate(module.allocator, outputs))
    return outOfMemory(error, outputs * 8ull, "the session");

  VIT_TRY(driver.check(
      driver.cuDevicePrimaryCtxRetain(&cudaContext, adapter.device),
      "open the device", error));
  ContextScope scope(driver, cudaContext);
  VIT_TRY(scope.check(error));
  resources = create<Resources>(module.allocator, driver);
  if (!resources)
    return outOfMemory(error, sizeof(Resources), "the session");
  VIT_TRY(driver.check(
      driver.cuStreamCreate(&resources->stream, kStreamNonBlocking),
      "make a stream", error));
  VIT_TRY(resources->kernels.load(module, schedules, adapter, error));
  VIT_TRY(resources->weights.allocate(context.parameters, schedules, adapter,
                                      error));
  // One mark at the start and one after the upload, each command, the download.
  if (context.options.on_event)
    VIT_TRY(resources->timer.reserve(module.allocator, size_t(commands) + 3,
                                     error));
  return VIT_OK;
}

CudaExecutor::~CudaExecutor() {
  if (!cudaContext)
    return;
  if (resources) {
    ContextScope scope(driver, cudaContext);
    Stream stream = resources->stream;
    if (stream)
      driver.cuStreamSynchronize(stream);
    destroy(context.module.allocator, resources);
    if (stream)
      driver.cuStreamDestroy_v2(stream);
  }
  driver.cuDevicePrimaryCtxRelease_v2(adapter.device);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

bool CudaExecutor::workspaceBytes(uint32_t entry, int64_t batch,
                                  uint64_t slotBytes, void *const *,
                                  uint64_t &bytes) const {
  if (!allBindingBytes(context.module.entry(entry), batch, kDeviceAlignment,
                       bytes))
    return false;
  bytes += alignUp(slotBytes, kDeviceAlignment);
  return bytes <= kMaxExtent;
}

/// Grows the arena if this call needs more and places slots, inputs and outputs
/// in it, in this order. The offsets depend on the call alone, so that a
/// recorded graph stays valid.
vit_status CudaExecutor::makeRoom(const Call &call, vit_error *error) {
  uint64_t total = 0;
  workspaceBytes(call.entry, call.batch, call.slotBytes, call.outputs, total);
  if (total > resources->arena.size()) {
    resources->graphs.clear();
    VIT_TRY(resources->arena.allocate(adapter, total, "the workspace", error));
  }
  const schema::Entry &entry = context.module.entry(call.entry);
  uint64_t begin = alignUp(call.slotBytes, kDeviceAlignment), next = begin;
  auto place = [&](const auto &bindings, Array<uint64_t> &places) {
    for (uint32_t i = 0; i < bindings.size(); ++i) {
      uint64_t bytes = 0;
      bindingBytes(*bindings.Get(i), call.batch, bytes);
      places[i] = next;
      next += alignUp(bytes, kDeviceAlignment);
    }
  };
  place(*entry.inputs(), inputPlaces);
  place(*entry.outputs(), outputPlaces);
  isStaged =
      next - begin <= kMaxStaging && resources->staging.reserve(next - begin);
  return VIT_OK;
}

DevicePointer CudaExecutor::resolve(const Call &call,
                                    const schema::Argument &argument) const {
  uint32_t index = argument.index();
  switch (argument.kind()) {
  case schema::ArgumentKind::Input:
    return resources->arena.at(inputPlaces[index]);
  case schema::ArgumentKind::Output:
    return resources->arena.at(outputPlaces[index]);
  case schema::ArgumentKind::Slot:
    return resources->arena.at(call.slotOffsets[index] + argument.offset());
  case schema::ArgumentKind::Derived:
  case schema::ArgumentKind::Constant:
  case schema::ArgumentKind::Arena:
    return resources->weights.find(argument.kind(), index) + argument.offset();
  }
  return 0;
}

/// The pinned memory that corresponds to this offset of the arena.
static unsigned char *staged(PinnedMemory &staging, const Call &call,
                             uint64_t place) {
  return staging.data() + (place - alignUp(call.slotBytes, kDeviceAlignment));
}

static DevicePointer deviceAddress(const void *data) {
  return reinterpret_cast<uintptr_t>(data);
}

vit_status CudaExecutor::copyOnDevice(DevicePointer target,
                                      DevicePointer source, uint64_t bytes,
                                      vit_error *error) {
  return driver.check(
      driver.cuMemcpyDtoDAsync_v2(target, source, bytes, resources->stream),
      "copy memory", error);
}

vit_status CudaExecutor::upload(const Call &call, vit_error *error) {
  const auto &bindings = *context.module.entry(call.entry).inputs();
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    uint64_t bytes = 0;
    bindingBytes(*bindings.Get(i), call.batch, bytes);
    const void *source = call.inputs[i];
    if (call.inputMemory[i] == VIT_DEVICE) {
      VIT_TRY(copyOnDevice(resources->arena.at(inputPlaces[i]),
                           deviceAddress(source), bytes, error));
      continue;
    }
    if (isStaged) {
      void *copy = staged(resources->staging, call, inputPlaces[i]);
      std::memcpy(copy, source, bytes);
      source = copy;
    }
    VIT_TRY(driver.check(
        driver.cuMemcpyHtoDAsync_v2(resources->arena.at(inputPlaces[i]), source,
                                    bytes, resources->stream),
        "copy inputs to the device", error));
  }
  return VIT_OK;
}

vit_status CudaExecutor::download(const Call &call, vit_error *error) {
  const auto &bindings = *context.module.entry(call.entry).outputs();
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    if (!call.outputs[i])
      continue;
    uint64_t bytes = 0;
    bindingBytes(*bindings.Get(i), call.batch, bytes);
    if (call.outputMemory[i] == VIT_DEVICE) {
      VIT_TRY(copyOnDevice(deviceAddress(call.outputs[i]),
                           resources->arena.at(outputPlaces[i]), bytes, error));
      continue;
    }
    void *target = isStaged ? staged(resources->staging, call, outputPlaces[i])
                            : call.outputs[i];
    VIT_TRY(driver.check(driver.cuMemcpyDtoHAsync_v2(
                             target, resources->arena.at(outputPlaces[i]),
                             bytes, resources->stream),
                         "copy outputs from the device", error));
  }
  return VIT_OK;
}

/// Copies the outputs from the pinned memory to the caller.
void CudaExecutor::handOver(const Call &call) {
  const auto &bindings = *context.module.entry(call.entry).outputs();
  for (uint32_t i = 0; isStaged && i < bindings.size(); ++i) {
    uint64_t bytes = 0;
    bindingBytes(*bindings.Get(i), call.batch, bytes);
    if (call.outputs[i] && call.outputMemory[i] == VIT_HOST)
      std::memcpy(call.outputs[i],
                  staged(resources->staging, call, outputPlaces[i]), bytes);
  }
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

vit_status CudaExecutor::submitCommand(const Call &call,
                                       const schema::Command &command,
                                       vit_error *error) {
  Stream stream = resources->stream;
  uint64_t size = 0;
  switch (command.kind()) {
  case schema::CommandKind::Dispatch: {
    const schema::Kernel &kernel =
        *schedules[call.entry]->kernels()->Get(command.kernel());
    DevicePointer pointers[kMaxGpuArguments];
    void *parameters[kMaxGpuArguments + 2];
    uint32_t arguments = kernel.argument_count();
    for (uint32_t i = 0; i < arguments; ++i) {
      pointers[i] = resolve(call, *command.arguments()->Get(i));
      parameters[i] = &pointers[i];
    }
    auto batch = int32_t(call.batch);
    int32_t first = 0;
    parameters[arguments] = &batch;
    parameters[arguments + 1] = &first;
    evaluate(*command.units(), call.batch, size);
    if (size == 0) // An empty grid is an error.
      return VIT_OK;
    return driver.check(
        driver.cuLaunchKernel(
            resources->kernels.function(call.entry, command.kernel()),
            unsigned(size), 1, 1, kernel.threads(), 1, 1, dynamicShared(kernel),
            stream, parameters, nullptr),
        "launch a kernel", error);
  }
  case schema::CommandKind::Barrier:
    return VIT_OK;
  case schema::CommandKind::Copy:
  case schema::CommandKind::Fill:
    break;
  }
  const auto &arguments = *command.arguments();
  const schema::Argument &last = *arguments.Get(arguments.size() - 1);
  evaluate(last.bytes(), call.batch, size);
  if (size == 0)
    return VIT_OK;
  DevicePointer target = resolve(call, last);
  if (command.kind() == schema::CommandKind::Fill)
    return driver.check(driver.cuMemsetD8Async(target, 0, size, stream),
                        "fill memory", error);
  return copyOnDevice(target, resolve(call, *arguments.Get(0)), size, error);
}

vit_status CudaExecutor::submit(const Call &call, vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  GraphExec graph = resources->graphs.find(call.entry, call.batch);
  if (!graph) {
    auto record = [&] {
      for (uint32_t i = 0; i < count(schedule.commands()); ++i)
        VIT_TRY(submitCommand(call, *schedule.commands()->Get(i), error));
      return VIT_OK;
    };
    VIT_TRY(resources->graphs.capture(call.entry, call.batch, resources->stream,
                                      record, graph, error));
  }
  isSubmitted = true;
  return driver.check(driver.cuGraphLaunch(graph, resources->stream),
                      "launch a call", error);
}

/// Submits the commands one by one, with a mark after each.
vit_status CudaExecutor::submitTimed(const Call &call, vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  isSubmitted = true;
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (command.kind() == schema::CommandKind::Barrier)
      continue;
    VIT_TRY(submitCommand(call, command, error));
    VIT_TRY(resources->timer.mark(resources->stream, error));
  }
  return VIT_OK;
}

vit_status CudaExecutor::reportTimes(const Call &call, vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  size_t mark = 0;
  uint64_t before = 0;
  VIT_TRY(resources->timer.time(0, before, error));
  auto report = [&](const char *name, const char *kernel, double flop) {
    vit_event event = {name, kernel, before, 0, flop};
    VIT_TRY(resources->timer.time(++mark, event.end_ns, error));
    before = event.end_ns;
    context.options.on_event(context.options.event_context, &event);
    return VIT_OK;
  };
  VIT_TRY(report("upload", "copy", 0));
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (command.kind() != schema::CommandKind::Barrier)
      VIT_TRY(report(commandName(command), kernelName(schedule, command),
                     commandFlop(command, call.batch)));
  }
  return report("download", "copy", 0);
}

bool CudaExecutor::changesVariables(const Call &call) const {
  return call.firstChange < count(schedules[call.entry]->commands());
}

vit_status CudaExecutor::runInContext(const Call &call, vit_error *error) {
  Timer &timer = resources->timer;
  Stream stream = resources->stream;
  bool isTimed = context.options.on_event != nullptr;
  isSubmitted = false;
  VIT_TRY(makeRoom(call, error));
  VIT_TRY(resources->weights.update(stream, error));
  if (isTimed)
    VIT_TRY(timer.start(stream, error));
  VIT_TRY(upload(call, error));
  if (isTimed) {
    VIT_TRY(timer.mark(stream, error));
    VIT_TRY(submitTimed(call, error));
  } else {
    VIT_TRY(submit(call, error));
  }
  VIT_TRY(download(call, error));
  if (isTimed)
    VIT_TRY(timer.mark(stream, error));
  VIT_TRY(
      driver.check(driver.cuStreamSynchronize(stream), "run a call", error));
  handOver(call);
  if (changesVariables(call)) {
    context.parameters.trained(this);
    resources->weights.keepArenas();
  }
  return isTimed ? reportTimes(call, error) : VIT_OK;
}

vit_status CudaExecutor::lostBefore(vit_error *error) const {
  return fail(error, VIT_DEVICE_LOST,
              "the CUDA device was lost in an earlier call of this session: "
              "start the program again");
}

vit_status CudaExecutor::run(const Call &call, vit_error *error) {
  if (isLost)
    return lostBefore(error);
  const vit_session_options &options = context.options;
  if (options.is_cancelled && options.is_cancelled(options.cancel_context))
    return fail(error, VIT_CANCELLED,
                "the call was cancelled before it was submitted");
  ContextScope scope(driver, cudaContext);
  vit_status status = scope.check(error);
  if (status == VIT_OK) {
    status = runInContext(call, error);
    // No copy may still read or write the caller's memory.
    if (status != VIT_OK)
      driver.cuStreamSynchronize(resources->stream);
    // The call may have changed some of the variables.
    if (status != VIT_OK && isSubmitted && changesVariables(call))
      context.parameters.training.arenas.lose();
  }
  isLost = status == VIT_DEVICE_LOST;
  return status;
}

vit_status CudaExecutor::fetchArenas(unsigned char *const *targets,
                                     vit_error *error) {
  if (isLost)
    return lostBefore(error);
  ContextScope scope(driver, cudaContext);
  VIT_TRY(scope.check(error));
  Stream stream = resources->stream;
  vit_status status = resources->weights.fetchArenas(targets, stream, error);
  Result result = driver.cuStreamSynchronize(stream);
  if (status == VIT_OK)
    status = driver.check(result, "copy variables from the device", error);
  isLost = status == VIT_DEVICE_LOST;
  return status;
}

} // namespace vit::runtime::cuda

namespace vit::runtime {

vit_status createCudaExecutor(const SessionContext &context,
                              const char *selector, Executor *&executor,
                              vit_error *error) {
  return buildExecutor<cuda::CudaExecutor>(context, executor, error, selector);
}

} // namespace vit::runtime
