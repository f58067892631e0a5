//===- CallMemory.cpp - A call's memory on a Vulkan device ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/CallMemory.h"

#include "Plan.h"
#include "format/Extent.h"

#include <algorithm>

namespace vit::runtime::vulkan {

static bool isActivation(const schema::Argument &argument) {
  return argument.kind() == schema::ArgumentKind::Input ||
         argument.kind() == schema::ArgumentKind::Output ||
         argument.kind() == schema::ArgumentKind::Slot;
}

vit_status CallMemory::create(const Allocator &allocator,
                              const schema::Entry &entry,
                              const schema::Schedule &schedule,
                              vit_error *error) {
  inputs = entry.inputs()->size();
  outputs = entry.outputs()->size();
  uint32_t slots = count(schedule.slots());
  size_t all = size_t(inputs) + outputs + slots;
  if (!regions.allocate(allocator, all) || !placed.allocate(allocator, all) ||
      !sizes.allocate(allocator, slots))
    return outOfMemory(error, all * sizeof(Window), "the session");
  return VIT_OK;
}

const Window &CallMemory::region(const schema::Argument &argument) const {
  uint32_t first = argument.kind() == schema::ArgumentKind::Input ? 0
                   : argument.kind() == schema::ArgumentKind::Output
                       ? inputs
                       : inputs + outputs;
  return regions[first + argument.index()];
}

/// A saturated sum.
static uint64_t iterationsOf(const schema::Kernel &kernel, int64_t batch) {
  uint64_t all = 0;
  const schema::Extent *more = kernel.batch_iterations();
  if ((more && !evaluate(*more, batch, all)) ||
      __builtin_add_overflow(all, kernel.iterations(), &all))
    return UINT64_MAX;
  return all;
}

bool CallMemory::plan(const schema::Entry &entry,
                      const schema::Schedule &schedule, const Adapter &adapter,
                      int64_t batch) {
  uint64_t ignored;
  if (!planSlots(schedule, batch, sizes.data(), nullptr, ignored))
    return false;
  for (uint32_t i = 0; i < regions.size(); ++i) {
    uint64_t bytes = 0;
    if (i < inputs ? !bindingBytes(*entry.inputs()->Get(i), batch, bytes)
                   : i < inputs + outputs &&
                         !bindingBytes(*entry.outputs()->Get(i - inputs), batch,
                                       bytes))
      return false;
    if (i >= inputs + outputs)
      bytes = sizes[i - inputs - outputs];
    if (bytes > kMaxExtent)
      return false;
    regions[i] = {0, alignUp(bytes, kAlignment)};
    placed[i] = 0;
  }
  total = 0;
  auto place = [&](size_t region) {
    if (placed[region])
      return true;
    placed[region] = 1;
    regions[region].offset = total;
    total += regions[region].size;
    return total <= kMaxExtent;
  };
  mostUnits = mostIterations = 0;
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    uint64_t units = 0;
    if (command.kind() == schema::CommandKind::Dispatch &&
        !evaluate(*command.units(), batch, units))
      return false;
    mostUnits = std::max(mostUnits, units);
    if (command.kind() == schema::CommandKind::Dispatch) {
      const schema::Kernel &kernel = *schedule.kernels()->Get(command.kernel());
      uint64_t iterations = iterationsOf(kernel, batch);
      if (iterations > mostIterations) {
        mostIterations = iterations;
        mostIterated = kernel.name()->c_str();
      }
    }
    for (uint32_t a = 0; a < count(command.arguments()); ++a) {
      const schema::Argument &argument = *command.arguments()->Get(a);
      if (isActivation(argument) &&
          !place(size_t(&region(argument) - regions.begin())))
        return false;
    }
  }
  for (size_t i = 0; i < regions.size(); ++i)
    if (!place(i))
      return false;
  total = std::max<uint64_t>(total, kAlignment);
  widest = 0;
  for (uint32_t i = 0; i < count(schedule.commands()); ++i)
    if (schedule.commands()->Get(i)->kind() == schema::CommandKind::Dispatch)
      widest =
          std::max(widest, window(*schedule.commands()->Get(i), adapter).size);
  return true;
}

Window CallMemory::window(const schema::Command &command,
                          const Adapter &adapter) const {
  if (total <= adapter.maxRange)
    return {0, total};
  uint64_t begin = total, end = 0;
  for (uint32_t a = 0; a < count(command.arguments()); ++a) {
    const schema::Argument &argument = *command.arguments()->Get(a);
    if (!isActivation(argument))
      continue;
    const Window &there = region(argument);
    begin = std::min(begin, there.offset);
    end = std::max(end, there.offset + there.size);
  }
  if (begin >= end)
    return {0, kAlignment};
  uint64_t alignment =
      adapter.properties.limits.minStorageBufferOffsetAlignment;
  begin &= ~(std::max<uint64_t>(alignment, 16) - 1);
  return {begin, end - begin};
}

CallMemory::Excess CallMemory::findExcess(const Adapter &adapter) const {
  if (total > adapter.maxAllocation)
    return {"bytes in one piece", total, adapter.maxAllocation, nullptr};
  if (widest > adapter.maxRange)
    return {"bytes in one binding", widest, adapter.maxRange, nullptr};
  if (mostUnits > UINT32_MAX)
    return {"workgroups", mostUnits, UINT32_MAX, nullptr};
  if (mostIterations > adapter.maxIterations)
    return {"loop iterations of one thread", mostIterations,
            adapter.maxIterations, mostIterated};
  return {nullptr, 0, 0, nullptr};
}

} // namespace vit::runtime::vulkan
