//===- ExecutorCommands.cpp - The commands of a call on a CUDA device -----===//
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

namespace vit::runtime::cuda {

//===----------------------------------------------------------------------===//
// One command
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
        &launch.maps[i], kTensorMap16Bits, map.rows() ? 3 : 2,
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
  if (kernel.is_resident()) {
    // Whole clusters, of which there are units for as many.
    uint64_t cluster = std::max(kernel.cluster(), 1u);
    uint64_t most = adapter.multiprocessors / cluster * cluster;
    size = std::min(size, std::max(most, cluster));
  }
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

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

/// The end of the part of a schedule from `begin`, which is submitted as a
/// whole. An AllReduce ends a part, a Wait begins one: there the host does
/// something.
static uint32_t partEnd(const schema::Schedule &schedule, uint32_t begin) {
  uint32_t total = count(schedule.commands()), wait = findWait(schedule);
  if (begin >= wait)
    return total;
  for (uint32_t i = begin; i < wait; ++i)
    if (schedule.commands()->Get(i)->kind() == schema::CommandKind::AllReduce)
      return i + 1;
  return wait;
}

vit_status CudaExecutor::makeParts(const schema::Schedule &schedule,
                                   RecordedCall &recorded, vit_error *error) {
  uint32_t commands = count(schedule.commands()), parts = 0;
  for (uint32_t begin = 0; begin < commands; begin = partEnd(schedule, begin))
    ++parts;
  const Allocator &allocator = context.module.allocator;
  if (!recorded.parts.allocate(allocator, parts) ||
      !recorded.nodes.allocate(allocator, commands) ||
      !recorded.bindings.allocate(allocator, bindings.size()))
    return outOfMemory(error, commands * 16ull, "a call's commands");
  std::copy(bindings.begin(), bindings.end(), recorded.bindings.begin());
  uint32_t begin = 0;
  for (RecordedPart &part : recorded.parts) {
    part = {begin, partEnd(schedule, begin), nullptr, nullptr};
    begin = part.end;
  }
  return VIT_OK;
}

/// Whether a command is work of the device. What ranks do together is not.
static bool isWork(const schema::Command &command, int64_t batch) {
  return command.kind() != schema::CommandKind::AllReduce &&
         command.kind() != schema::CommandKind::Wait &&
         workSize(command, batch) != 0;
}

/// Adds a node for each command with work, after those of its part that it
/// depends on.
vit_status CudaExecutor::record(const Call &call, RecordedCall &recorded,
                                vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  const Allocator &allocator = context.module.allocator;
  Dependencies dependencies;
  Array<GraphNode> before;
  VIT_TRY(dependencies.find(allocator, schedule, call.batch, error));
  VIT_TRY(makeParts(schedule, recorded, error));
  if (!before.allocate(allocator, recorded.nodes.size()))
    return outOfMemory(error, recorded.nodes.size() * 8ull,
                       "a call's commands");
  for (RecordedPart &part : recorded.parts)
    for (uint32_t i = part.begin; i < part.end; ++i) {
      const schema::Command &command = *schedule.commands()->Get(i);
      if (!isWork(command, call.batch))
        continue;
      if (!part.graph)
        VIT_TRY(driver.check(driver.cuGraphCreate(&part.graph, 0),
                             "record a call", error));
      size_t size = 0;
      // Earlier parts end before this one, and a Wait that begins it.
      for (uint32_t d = 0; d < dependencies.size(i); ++d)
        if (uint32_t earlier = dependencies.of(i)[d];
            earlier >= part.begin && recorded.nodes[earlier])
          before[size++] = recorded.nodes[earlier];
      VIT_TRY(driver.check(addNode(call, command, part.graph, before.data(),
                                   size, recorded.nodes[i]),
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
  for (const RecordedPart &part : recorded.parts)
    for (uint32_t i = part.begin; i < part.end; ++i) {
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
      if (fill(call, command, launch) != kSuccess ||
          driver.cuGraphExecKernelNodeSetParams(
              part.executable, recorded.nodes[i], &launch.node) != kSuccess)
        return false;
    }
  std::copy(bindings.begin(), bindings.end(), recorded.bindings.begin());
  return true;
}

/// Finds or makes the graphs of a call.
vit_status CudaExecutor::prepareGraphs(const Call &call,
                                       RecordedCall *&recorded,
                                       vit_error *error) {
  Graphs &graphs = resources->graphs;
  recorded = graphs.find(call.entry, call.batch);
  if (recorded && (std::equal(bindings.begin(), bindings.end(),
                              recorded->bindings.begin()) ||
                   rebind(call, *recorded)))
    return VIT_OK;
  return graphs.record(
      call.entry, call.batch,
      [&](RecordedCall &made) { return record(call, made, error); }, recorded,
      error);
}

//===----------------------------------------------------------------------===//
// All commands
//===----------------------------------------------------------------------===//

/// Submits commands [begin, end) one by one, with a mark after each.
vit_status CudaExecutor::submitEach(const Call &call, uint32_t begin,
                                    uint32_t end, vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  for (uint32_t i = begin; i < end; ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (command.kind() == schema::CommandKind::Barrier)
      continue;
    VIT_TRY(submitCommand(call, command, error));
    VIT_TRY(resources->timer.mark(resources->stream, error));
  }
  return VIT_OK;
}

/// Begins the exchange of a bucket that the commands before it have computed.
vit_status CudaExecutor::startReduction(const Call &call,
                                        const schema::Command &command,
                                        vit_error *error) {
  DeviceReduction &ranks = resources->ranks;
  VIT_TRY(ranks.begin(commandName(command), resources->stream, error));
  const auto &arguments = *command.arguments();
  for (uint32_t i = 0; i < arguments.size(); i += 2)
    VIT_TRY(ranks.reduce(
        resolve(call, *arguments.Get(i)), resolve(call, *arguments.Get(i + 1)),
        arguments.Get(i)->bytes().times() / sizeof(float), error));
  return ranks.end(error);
}

/// What ranks do together before the part of the schedule that a Wait begins.
vit_status CudaExecutor::waitForRanks(const Call &call, uint32_t wait,
                                      bool &isFinite, vit_error *error) {
  // The results are there: the stream waits for no other rank yet.
  VIT_TRY(driver.check(driver.cuStreamSynchronize(resources->stream),
                       "compute gradients", error));
  if (!resources->ranks.isOpen())
    return reduceOnHost(call, wait, isFinite, error);
  VIT_TRY(exchangeResults(call, *schedules[call.entry]->commands()->Get(wait),
                          isFinite, error));
  return resources->ranks.finish(resources->stream, error);
}

/// Submits the commands. `isFinite` is false if it ended at a Wait because the
/// loss of a rank is not finite.
vit_status CudaExecutor::submitAll(const Call &call, bool &isFinite,
                                   vit_error *error) {
  const schema::Schedule &schedule = *schedules[call.entry];
  uint32_t total = count(schedule.commands()), wait = findWait(schedule);
  bool isTimed = context.options.on_event != nullptr;
  RecordedCall *recorded = nullptr;
  if (!isTimed)
    VIT_TRY(prepareGraphs(call, recorded, error));
  resources->ranks.restart();
  isFinite = true;
  uint32_t number = 0;
  for (uint32_t begin = 0, end; begin < total; begin = end) {
    end = partEnd(schedule, begin);
    if (begin == wait)
      VIT_TRY(waitForRanks(call, wait, isFinite, error));
    if (!isFinite)
      return VIT_OK;
    isSubmitted = isSubmitted || call.firstChange < end;
    if (isTimed)
      VIT_TRY(submitEach(call, begin, end, error));
    else if (GraphExec executable = recorded->parts[number++].executable)
      VIT_TRY(driver.check(driver.cuGraphLaunch(executable, resources->stream),
                           "launch a call", error));
    const schema::Command &last = *schedule.commands()->Get(end - 1);
    if (resources->ranks.isOpen() &&
        last.kind() == schema::CommandKind::AllReduce)
      VIT_TRY(startReduction(call, last, error));
  }
  return VIT_OK;
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

} // namespace vit::runtime::cuda
