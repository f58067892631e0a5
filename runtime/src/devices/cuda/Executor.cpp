//===- Executor.cpp - Calls on a CUDA device ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/Executor.h"

#include "Dependencies.h"
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
// Running
//===----------------------------------------------------------------------===//

/// Makes the maps of the kernel of `command`, whose arguments `launch` has.
static Result encodeMaps(const Driver &driver, const schema::Kernel &kernel,
                         const schema::Command &command, Launch &launch) {
  for (uint32_t i = 0; i < count(kernel.maps()); ++i) {
    const schema::TensorMap &map = *kernel.maps()->Get(i);
    uint64_t bytes = 0, rowBytes = uint64_t(map.columns()) * 2;
    evaluate(command.arguments()->Get(map.argument())->bytes(), launch.batch,
             bytes);
    uint64_t rows = bytes / rowBytes, each = map.rows() ? map.rows() : rows;
    if (each == 0)
      return kInvalidValue;
    uint64_t extents[] = {map.columns(), each, rows / each};
    uint64_t strides[] = {rowBytes, rowBytes * each};
    uint32_t box[] = {kTensorMapColumns, map.box_rows(), 1};
    uint32_t elementStrides[] = {1, 1, 1};
    Result result = driver.cuTensorMapEncodeTiled(
        &launch.maps[i], kTensorMapBf16, map.rows() ? 3 : 2,
        launch.pointers[map.argument()], extents, strides, box, elementStrides,
        /*interleave=*/0, kTensorMapSwizzle128, kTensorMapPromotion256,
        /*fill=*/0);
    if (result != kSuccess)
      return result;
    launch.parameters[kernel.argument_count() + 2 + i] = &launch.maps[i];
  }
  return kSuccess;
}

Result CudaExecutor::fill(const Call &call, const schema::Command &command,
                          Launch &launch) const {
  const schema::Kernel &kernel =
      *schedules[call.entry]->kernels()->Get(command.kernel());
  uint32_t arguments = kernel.argument_count();
  for (uint32_t i = 0; i < arguments; ++i) {
    launch.pointers[i] = resolve(call, *command.arguments()->Get(i));
    launch.parameters[i] = &launch.pointers[i];
  }
  launch.batch = int32_t(call.batch);
  launch.firstUnit = 0;
  launch.parameters[arguments] = &launch.batch;
  launch.parameters[arguments + 1] = &launch.firstUnit;
  uint64_t size = workSize(command, call.batch);
  if (kernel.is_resident())
    size = std::min(size, uint64_t(adapter.multiprocessors));
  launch.node = {resources->kernels.function(call.entry, command.kernel()),
                 unsigned(size),
                 1,
                 1,
                 kernel.threads(),
                 1,
                 1,
                 dynamicShared(kernel),
                 launch.parameters,
                 nullptr};
  return encodeMaps(driver, kernel, command, launch);
}

vit_status CudaExecutor::submitCommand(const Call &call,
                                       const schema::Command &command,
                                       vit_error *error) {
  Stream stream = resources->stream;
  uint64_t size = workSize(command, call.batch);
  if (size == 0) // An empty grid is an error.
    return VIT_OK;
  switch (command.kind()) {
  case schema::CommandKind::Dispatch: {
    Launch launch;
    VIT_TRY(driver.check(fill(call, command, launch),
                         "describe matrices to a kernel", error));
    const KernelNode &node = launch.node;
    return driver.check(
        driver.cuLaunchKernel(node.function, node.gridX, node.gridY, node.gridZ,
                              node.blockX, node.blockY, node.blockZ,
                              node.shared, stream, node.parameters, node.extra),
        "launch a kernel", error);
  }
  case schema::CommandKind::Barrier:
  case schema::CommandKind::AllReduce: // See `submitAll`.
  case schema::CommandKind::Wait:
    return VIT_OK;
  case schema::CommandKind::Copy:
    return copyOnDevice(resolve(call, *command.arguments()->Get(1)),
                        resolve(call, *command.arguments()->Get(0)), size,
                        error);
  case schema::CommandKind::Fill:
    return driver.check(
        driver.cuMemsetD8Async(resolve(call, *command.arguments()->Get(0)), 0,
                               size, stream),
        "fill memory", error);
  }
  return VIT_OK;
}

Result CudaExecutor::addNode(const Call &call, const schema::Command &command,
                             Graph graph, const GraphNode *dependencies,
                             size_t count, GraphNode &node) const {
  uint64_t size = workSize(command, call.batch);
  switch (command.kind()) {
  case schema::CommandKind::Dispatch: {
    Launch launch;
    if (Result result = fill(call, command, launch))
      return result;
    return driver.cuGraphAddKernelNode(&node, graph, dependencies, count,
                                       &launch.node);
  }
  case schema::CommandKind::Barrier:
  case schema::CommandKind::AllReduce:
  case schema::CommandKind::Wait:
    return kSuccess;
  case schema::CommandKind::Copy: {
    CopyNode copy = {};
    copy.source.memoryType = copy.target.memoryType = kMemoryOfDevice;
    copy.source.device = resolve(call, *command.arguments()->Get(0));
    copy.target.device = resolve(call, *command.arguments()->Get(1));
    copy.source.pitch = copy.target.pitch = copy.bytes = size;
    copy.height = copy.depth = 1;
    return driver.cuGraphAddMemcpyNode(&node, graph, dependencies, count, &copy,
                                       cudaContext);
  }
  case schema::CommandKind::Fill: {
    DevicePointer target = resolve(call, *command.arguments()->Get(0));
    FillNode filling = {target, 0, 0, 1, size, 1};
    return driver.cuGraphAddMemsetNode(&node, graph, dependencies, count,
                                       &filling, cudaContext);
  }
  }
  return kSuccess;
}

/// Adds a node for each command with work, after those that it depends on.
vit_status CudaExecutor::record(const Call &call, RecordedCall &recorded,
                                vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  const Allocator &allocator = context.module.allocator;
  uint32_t commands = count(schedule.commands());
  Dependencies dependencies;
  VIT_TRY(dependencies.find(allocator, schedule, call.batch, error));
  Array<GraphNode> before;
  if (!recorded.nodes.allocate(allocator, commands) ||
      !recorded.bindings.allocate(allocator, bindings.size()) ||
      !before.allocate(allocator, commands))
    return outOfMemory(error, commands * 16ull, "a call's commands");
  std::copy(bindings.begin(), bindings.end(), recorded.bindings.begin());
  for (uint32_t i = 0; i < commands; ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (workSize(command, call.batch) == 0)
      continue;
    // What a command with work waits for has work, too.
    for (uint32_t d = 0; d < dependencies.size(i); ++d)
      before[d] = recorded.nodes[dependencies.of(i)[d]];
    VIT_TRY(driver.check(addNode(call, command, recorded.graph, before.data(),
                                 dependencies.size(i), recorded.nodes[i]),
                         "record a call", error));
  }
  return VIT_OK;
}

/// Gives the nodes of a recorded call the addresses of this one. False if that
/// is not possible; then the recorded call cannot be used.
bool CudaExecutor::rebind(const Call &call, RecordedCall &recorded) const {
  const schema::Schedule &schedule = *schedules[call.entry];
  auto isOther = [&](const schema::Argument &argument) {
    uint32_t binding = argument.index();
    if (argument.kind() == schema::ArgumentKind::Output)
      binding += inputCount;
    else if (argument.kind() != schema::ArgumentKind::Input)
      return false;
    return recorded.bindings[binding] != bindings[binding];
  };
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    bool isChanged = false;
    for (uint32_t a = 0; a < count(command.arguments()); ++a)
      isChanged = isChanged || isOther(*command.arguments()->Get(a));
    if (!isChanged || !recorded.nodes[i])
      continue;
    // A copy in an executable may not go to memory of any other kind.
    if (command.kind() != schema::CommandKind::Dispatch)
      return false;
    Launch launch;
    if (fill(call, command, launch) != kSuccess)
      return false;
    if (driver.cuGraphExecKernelNodeSetParams(
            recorded.executable, recorded.nodes[i], &launch.node) != kSuccess)
      return false;
  }
  std::copy(bindings.begin(), bindings.end(), recorded.bindings.begin());
  return true;
}

vit_status CudaExecutor::submit(const Call &call, vit_error *error) {
  Graphs &graphs = resources->graphs;
  RecordedCall *recorded = graphs.find(call.entry, call.batch);
  bool isReady = recorded && (std::equal(bindings.begin(), bindings.end(),
                                         recorded->bindings.begin()) ||
                              rebind(call, *recorded));
  if (!isReady)
    VIT_TRY(graphs.record(
        call.entry, call.batch,
        [&](RecordedCall &made) { return record(call, made, error); }, recorded,
        error));
  isSubmitted = true;
  return driver.check(
      driver.cuGraphLaunch(recorded->executable, resources->stream),
      "launch a call", error);
}

/// Submits commands [begin, end) one by one, with a mark after each if times
/// are wanted.
vit_status CudaExecutor::submitEach(const Call &call, uint32_t begin,
                                    uint32_t end, vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  for (uint32_t i = begin; i < end; ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (command.kind() == schema::CommandKind::Barrier)
      continue;
    isSubmitted = isSubmitted || call.firstChange <= i;
    VIT_TRY(submitCommand(call, command, error));
    if (context.options.on_event)
      VIT_TRY(resources->timer.mark(resources->stream, error));
  }
  return VIT_OK;
}

/// Submits the commands. `isFinite` is false if it ended at a Wait because the
/// loss of a rank is not finite.
vit_status CudaExecutor::submitAll(const Call &call, bool &isFinite,
                                   vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  uint32_t total = count(schedule.commands()), wait = findWait(schedule);
  isFinite = true;
  if (wait == total)
    return context.options.on_event ? submitEach(call, 0, total, error)
                                    : submit(call, error);
  // The host reduces gradients in the middle, which no graph contains.
  VIT_TRY(submitEach(call, 0, wait, error));
  VIT_TRY(driver.check(driver.cuStreamSynchronize(resources->stream),
                       "compute gradients", error));
  VIT_TRY(reduceOnHost(call, wait, isFinite, error));
  return isFinite ? submitEach(call, wait, total, error) : VIT_OK;
}

vit_status CudaExecutor::readBack(const Call &call,
                                  const schema::Argument &argument,
                                  void *target, uint64_t bytes,
                                  vit_error *error) {
  VIT_TRY(
      driver.check(driver.cuMemcpyDtoHAsync_v2(target, resolve(call, argument),
                                               bytes, resources->stream),
                   "copy gradients from the device", error));
  return driver.check(driver.cuStreamSynchronize(resources->stream),
                      "copy gradients from the device", error);
}

vit_status CudaExecutor::writeTo(const Call &call,
                                 const schema::Argument &argument,
                                 const void *source, uint64_t bytes,
                                 vit_error *error) {
  VIT_TRY(
      driver.check(driver.cuMemcpyHtoDAsync_v2(resolve(call, argument), source,
                                               bytes, resources->stream),
                   "copy gradients to the device", error));
  return driver.check(driver.cuStreamSynchronize(resources->stream),
                      "copy gradients to the device", error);
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
  VIT_TRY(report("download", "copy", 0));
  context.reduction.report(context.options);
  return VIT_OK;
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
