//===- Recording.cpp - A call's commands for a Vulkan device --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Recording.h"

namespace vit::runtime::vulkan {

void Recording::clear() {
  if (!context)
    return;
  const DeviceFunctions &vk = context->vk;
  // Destroying the pools frees what was allocated from them.
  vk.DestroyCommandPool(context->device, pool, nullptr);
  vk.DestroyDescriptorPool(context->device, descriptors, nullptr);
  vk.DestroyQueryPool(context->device, queries, nullptr);
  pool = VK_NULL_HANDLE;
  descriptors = VK_NULL_HANDLE;
  queries = VK_NULL_HANDLE;
  submissionCount = changingSubmission = pieceCount = setCount = 0;
  context = nullptr;
}

//===----------------------------------------------------------------------===//
// Pools and sets
//===----------------------------------------------------------------------===//

vit_status Recording::createPools(uint32_t outputs, bool timed,
                                  vit_error *error) {
  const DeviceFunctions &vk = context->vk;
  VkCommandPoolCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  info.queueFamilyIndex = context->adapter->queueFamily;
  VkResult result =
      vk.CreateCommandPool(context->device, &info, nullptr, &pool);
  if (result != VK_SUCCESS)
    return failed(error, result, "create a command pool");
  if (!commands.allocate(context->allocator, size_t(submissionCount) + outputs))
    return outOfMemory(error, outputs * 8ull, "a call's commands");
  VkCommandBufferAllocateInfo buffers = {};
  buffers.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  buffers.commandPool = pool;
  buffers.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  buffers.commandBufferCount = uint32_t(commands.size());
  result =
      vk.AllocateCommandBuffers(context->device, &buffers, commands.data());
  if (result != VK_SUCCESS)
    return failed(error, result, "allocate command buffers");
  if (!timed)
    return VIT_OK;
  VkQueryPoolCreateInfo times = {};
  times.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  times.queryType = VK_QUERY_TYPE_TIMESTAMP;
  times.queryCount = pieceCount + submissionCount;
  result = vk.CreateQueryPool(context->device, &times, nullptr, &queries);
  return result == VK_SUCCESS
             ? VIT_OK
             : failed(error, result, "create a pool of timestamps");
}

uint32_t Recording::setOf(const Window &window, uint32_t chunk) const {
  // Consecutive commands mostly share a set.
  for (uint32_t i = setCount; i-- > 0;)
    if (sets[i].chunk == chunk && sets[i].window.offset == window.offset &&
        sets[i].window.size == window.size)
      return i;
  return setCount;
}

/// Creates one descriptor set for each pair of ranges that a dispatch uses.
vit_status Recording::createSets(const Resources &resources,
                                 const schema::Schedule &schedule,
                                 const CallMemory &memory, uint32_t entry,
                                 vit_error *error) {
  uint32_t commandCount = count(schedule.commands());
  if (!sets.allocate(context->allocator, commandCount))
    return outOfMemory(error, commandCount * sizeof(Set), "a call's commands");
  for (uint32_t i = 0; i < commandCount; ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (command.kind() != schema::CommandKind::Dispatch)
      continue;
    Window window = memory.window(command, *context->adapter);
    uint32_t chunk = resources.weights->chunkOf(entry, i);
    if (setOf(window, chunk) == setCount)
      sets[setCount++] = {window, chunk};
  }
  if (setCount == 0)
    return VIT_OK;

  const DeviceFunctions &vk = context->vk;
  VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 * setCount};
  VkDescriptorPoolCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  info.maxSets = setCount;
  info.poolSizeCount = 1;
  info.pPoolSizes = &size;
  VkResult result =
      vk.CreateDescriptorPool(context->device, &info, nullptr, &descriptors);
  if (result != VK_SUCCESS)
    return failed(error, result, "create a pool of descriptors");
  if (!setHandles.allocate(context->allocator, setCount))
    return outOfMemory(error, setCount * 8ull, "a call's commands");
  for (uint32_t i = 0; i < setCount; ++i) {
    VkDescriptorSetAllocateInfo one = {};
    one.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    one.descriptorPool = descriptors;
    one.descriptorSetCount = 1;
    one.pSetLayouts = &resources.pipelines->setLayout;
    result = vk.AllocateDescriptorSets(context->device, &one, &setHandles[i]);
    if (result != VK_SUCCESS)
      return failed(error, result, "allocate descriptors");
    const Buffer &weights = resources.weights->chunk(sets[i].chunk);
    VkDescriptorBufferInfo ranges[2] = {{resources.workspace->handle,
                                         sets[i].window.offset,
                                         sets[i].window.size},
                                        {weights.handle, 0, weights.size}};
    VkWriteDescriptorSet write = {};
    write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    write.dstSet = setHandles[i];
    write.descriptorCount = 2; // goes on with the next binding
    write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    write.pBufferInfo = ranges;
    vk.UpdateDescriptorSets(context->device, 1, &write, 0, nullptr);
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Commands
//===----------------------------------------------------------------------===//

vit_status Recording::begin(VkCommandBuffer buffer, vit_error *error) const {
  VkCommandBufferBeginInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  VkResult result = context->vk.BeginCommandBuffer(buffer, &info);
  return result == VK_SUCCESS ? VIT_OK
                              : failed(error, result, "record commands");
}

vit_status Recording::end(VkCommandBuffer buffer, vit_error *error) const {
  VkResult result = context->vk.EndCommandBuffer(buffer);
  return result == VK_SUCCESS ? VIT_OK
                              : failed(error, result, "record commands");
}

void Recording::recordDispatch(const Resources &resources,
                               const schema::Command &command,
                               const CallMemory &memory, uint32_t entry,
                               const Piece &piece,
                               VkCommandBuffer buffer) const {
  const DeviceFunctions &vk = context->vk;
  const Pipelines &pipelines = *resources.pipelines;
  uint32_t chunk = resources.weights->chunkOf(entry, piece.command);
  Window window = memory.window(command, *context->adapter);
  uint32_t words[kPushWords] = {uint32_t(batch), uint32_t(piece.firstUnit)};
  for (uint32_t i = 0; i < count(command.arguments()); ++i) {
    const schema::Argument &argument = *command.arguments()->Get(i);
    uint64_t at = isWeight(argument)
                      ? resources.weights->offsetOf(argument, chunk)
                      : memory.offsetOf(argument) - window.offset;
    words[kPushArguments + i] = uint32_t(at / 16);
  }
  vk.CmdBindPipeline(buffer, VK_PIPELINE_BIND_POINT_COMPUTE,
                     pipelines.pipeline(entry, command.kernel()));
  vk.CmdBindDescriptorSets(buffer, VK_PIPELINE_BIND_POINT_COMPUTE,
                           pipelines.layout, 0, 1,
                           &setHandles[setOf(window, chunk)], 0, nullptr);
  vk.CmdPushConstants(buffer, pipelines.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                      sizeof words, words);
  vk.CmdDispatch(buffer, uint32_t(piece.units), 1, 1);
}

void Recording::recordPiece(const Resources &resources,
                            const schema::Schedule &schedule,
                            const CallMemory &memory, uint32_t entry,
                            const Piece &piece, VkCommandBuffer buffer) const {
  const schema::Command &command = *schedule.commands()->Get(piece.command);
  const DeviceFunctions &vk = context->vk;
  switch (command.kind()) {
  case schema::CommandKind::Dispatch:
    // A later piece writes other elements, but through the same binding.
    if (piece.firstUnit != 0)
      context->barrier(buffer, kCompute, kCompute);
    recordDispatch(resources, command, memory, entry, piece, buffer);
    return;
  case schema::CommandKind::Barrier:
    context->barrier(buffer, kAnyWork, kAnyWork);
    return;
  case schema::CommandKind::AllReduce: // The host does that.
  case schema::CommandKind::Wait:
    return;
  case schema::CommandKind::Fill: {
    const schema::Argument &target = *command.arguments()->Get(0);
    uint64_t bytes = 0;
    evaluate(target.bytes(), batch, bytes);
    // Fills whole words; a region ends at a multiple of 64.
    vk.CmdFillBuffer(buffer, resources.workspace->handle,
                     memory.offsetOf(target), alignUp(bytes, 4), 0);
    return;
  }
  case schema::CommandKind::Copy: {
    const schema::Argument &source = *command.arguments()->Get(0);
    const schema::Argument &target = *command.arguments()->Get(1);
    VkBufferCopy region = {0, memory.offsetOf(target), 0};
    evaluate(target.bytes(), batch, region.size);
    VkBuffer from = resources.workspace->handle;
    if (isWeight(source)) {
      uint32_t chunk = resources.weights->chunkOf(entry, piece.command);
      from = resources.weights->chunk(chunk).handle;
      region.srcOffset = resources.weights->offsetOf(source, chunk);
    } else {
      region.srcOffset = memory.offsetOf(source);
    }
    if (from != resources.workspace->handle ||
        region.srcOffset != region.dstOffset)
      vk.CmdCopyBuffer(buffer, from, resources.workspace->handle, 1, &region);
    return;
  }
  }
}

vit_status Recording::record(Context &owner, const Resources &resources,
                             const schema::Schedule &schedule,
                             const CallMemory &memory, uint32_t inputs,
                             uint32_t outputs, uint32_t entry, int64_t newBatch,
                             uint32_t firstChange, const SplitLimits &limits,
                             bool timed, vit_error *error) {
  clear();
  context = &owner;
  batch = newBatch;
  submissionCount = 1;
  waitingSubmission = UINT32_MAX;
  forEachPiece(schedule, batch, limits, [&](const Piece &piece) {
    submissionCount = piece.submission + 1;
    ++pieceCount;
    if (schedule.commands()->Get(piece.command)->kind() ==
        schema::CommandKind::Wait)
      waitingSubmission = piece.submission;
    if (piece.command < firstChange)
      changingSubmission = submissionCount;
    else
      changingSubmission = std::min(changingSubmission, piece.submission);
  });
  bool staged = !resources.workspace->mapped;
  VIT_TRY(createPools(staged ? outputs : 0, timed, error));
  VIT_TRY(createSets(resources, schedule, memory, entry, error));

  const DeviceFunctions &vk = context->vk;
  uint32_t query = 0;
  auto stamp = [&](VkCommandBuffer buffer) {
    if (timed)
      vk.CmdWriteTimestamp(buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                           queries, query++);
  };
  for (uint32_t i = 0; i < submissionCount; ++i)
    VIT_TRY(begin(commands[i], error));
  if (timed)
    vk.CmdResetQueryPool(commands[0], queries, 0, pieceCount + submissionCount);
  if (staged) {
    uint64_t from = 0;
    for (uint32_t i = 0; i < inputs; ++i) {
      const Window &target = memory.input(i);
      VkBufferCopy region = {from, target.offset, target.size};
      vk.CmdCopyBuffer(commands[0], resources.upload->handle,
                       resources.workspace->handle, 1, &region);
      from += target.size;
    }
    context->barrier(commands[0], kTransfer, kAnyWork);
  }
  stamp(commands[0]);
  uint32_t submission = 0;
  forEachPiece(schedule, batch, limits, [&](const Piece &piece) {
    VkCommandBuffer buffer = commands[piece.submission];
    if (piece.submission != submission) {
      submission = piece.submission;
      context->barrier(buffer, kAnyWork, kAnyWork);
      stamp(buffer);
    }
    recordPiece(resources, schedule, memory, entry, piece, buffer);
    stamp(buffer);
  });
  context->barrier(commands[submissionCount - 1], kAnyWork,
                   staged ? kTransfer : kHostReads);
  for (uint32_t i = 0; i < submissionCount; ++i)
    VIT_TRY(end(commands[i], error));

  uint64_t to = 0;
  for (uint32_t i = 0; staged && i < outputs; ++i) {
    VkCommandBuffer buffer = download(i);
    const Window &source = memory.output(i);
    VkBufferCopy region = {source.offset, to, source.size};
    VIT_TRY(begin(buffer, error));
    vk.CmdCopyBuffer(buffer, resources.workspace->handle,
                     resources.download->handle, 1, &region);
    context->barrier(buffer, kTransfer, kHostReads);
    VIT_TRY(end(buffer, error));
    to += source.size;
  }
  return VIT_OK;
}

bool Recording::readTimes(const schema::Schedule &schedule,
                          const SplitLimits &limits, Array<uint64_t> &begin,
                          Array<uint64_t> &end) const {
  Array<uint64_t> ticks;
  uint32_t stamps = pieceCount + submissionCount;
  if (!queries || !ticks.allocate(context->allocator, stamps) ||
      !begin.allocate(context->allocator, count(schedule.commands())) ||
      !end.allocate(context->allocator, count(schedule.commands())) ||
      context->vk.GetQueryPoolResults(
          context->device, queries, 0, stamps, stamps * sizeof(uint64_t),
          ticks.data(), sizeof(uint64_t), VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
    return false;
  uint32_t bits = context->adapter->timestampBits;
  uint64_t mask = bits < 64 ? (uint64_t(1) << bits) - 1 : ~uint64_t(0);
  // The counter may have wrapped around: count from the beginning of the call.
  uint64_t origin = ticks[0];
  uint32_t query = 0, submission = 0;
  forEachPiece(schedule, batch, limits, [&](const Piece &piece) {
    if (piece.submission != submission) {
      submission = piece.submission;
      ++query; // The one at its beginning.
    }
    uint64_t before = (ticks[query] - origin) & mask;
    uint64_t after = (ticks[++query] - origin) & mask;
    if (piece.firstUnit == 0)
      begin[piece.command] = before;
    end[piece.command] = after;
  });
  return true;
}

} // namespace vit::runtime::vulkan
