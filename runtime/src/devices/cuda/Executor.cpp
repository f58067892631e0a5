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

//===----------------------------------------------------------------------===//
// Creating
//===----------------------------------------------------------------------===//

int CudaExecutor::rank(const schema::Schedule &schedule) const {
  const format::Level *level = levelOf(schedule);
  bool runs = level && (!forced || level == forced) &&
              count(schedule.features()) == 0 &&
              runsLevel(driver, adapter, *level);
  return runs ? level->rank : 0;
}

vit_status CudaExecutor::requireSchedule(uint32_t entry,
                                         vit_error *error) const {
  if (schedules[entry])
    return VIT_OK;
  bool isTooOld = !bestLevel(driver, adapter);
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
  size_t most = size_t(inputs) + outputs;
  if (!places.allocate(module.allocator, most) ||
      !bindings.allocate(module.allocator, most))
    return outOfMemory(error, most * 16ull, "the session");

  VIT_TRY(driver.check(
      driver.cuDevicePrimaryCtxRetain(&cudaContext, adapter.device),
      "open the device", error));
  ContextScope scope(driver, cudaContext);
  VIT_TRY(scope.check(error));
  resources = create<Resources>(module.allocator, driver, context.reduction);
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

static bool isReduction(const schema::Command &command) {
  return command.kind() == schema::CommandKind::AllReduce;
}

vit_status CudaExecutor::joinRanks(uint64_t mostElements, vit_error *error) {
  ContextScope scope(driver, cudaContext);
  VIT_TRY(scope.check(error));
  size_t most = 0;
  for (const schema::Schedule *schedule : schedules) {
    size_t buckets = 0;
    for (uint32_t i = 0; schedule && i < count(schedule->commands()); ++i)
      buckets += isReduction(*schedule->commands()->Get(i));
    most = std::max(most, buckets);
  }
  return resources->ranks.build(context.module.allocator, adapter, mostElements,
                                context.options.on_event ? most : 0, error);
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
// Running
//===----------------------------------------------------------------------===//

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
    if (isReduction(command) && !context.reduction.isAlone())
      VIT_TRY(resources->timer.time(++mark, before, error)); // See below.
    else if (command.kind() != schema::CommandKind::Barrier)
      VIT_TRY(report(commandName(command), kernelName(schedule, command),
                     commandFlop(command, call.batch)));
  }
  VIT_TRY(report("download", "copy", 0));
  context.reduction.report(context.options);
  return resources->ranks.report(context.options, resources->timer, error);
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
  VIT_TRY(bindCaller(call, error));
  VIT_TRY(resources->weights.update(stream, error));
  if (isTimed)
    VIT_TRY(timer.start(stream, error));
  VIT_TRY(upload(call, error));
  if (isTimed)
    VIT_TRY(timer.mark(stream, error));
  bool isFinite = true;
  VIT_TRY(submitAll(call, isFinite, error));
  VIT_TRY(download(call, error));
  if (isTimed)
    VIT_TRY(timer.mark(stream, error));
  if (resources->ranks.isOpen())
    VIT_TRY(resources->ranks.synchronize(stream, error));
  VIT_TRY(
      driver.check(driver.cuStreamSynchronize(stream), "run a call", error));
  handOver(call);
  if (!isFinite)
    return VIT_OK;
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
    if (status != VIT_OK && resources->ranks.isOpen() &&
        reduces(*schedules[call.entry]))
      resources->ranks.abandon();
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
