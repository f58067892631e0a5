//===- VulkanModule.cpp - Modules with Vulkan code for tests --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VulkanModule.h"

namespace vit::test {

static const uint32_t kScale[] = {
#include "kernels/scale.inc"
};
static const uint32_t kLinear[] = {
#include "kernels/linear.inc"
};
static const uint32_t kAdd[] = {
#include "kernels/add.inc"
};

static const uint32_t kUpdate[] = {
#include "kernels/update.inc"
};

static std::unique_ptr<schema::KernelT>
makeKernel(Builder &builder, const char *name, const uint32_t *words,
           size_t bytes, uint32_t threads, uint32_t arguments = 3) {
  auto image = std::make_unique<schema::ImageT>();
  image->format = schema::ImageFormat::SpirV;
  image->data =
      std::make_unique<schema::Segment>(builder.addSegment(words, bytes));
  auto kernel = std::make_unique<schema::KernelT>();
  kernel->name = name;
  kernel->family = "test";
  kernel->image = uint32_t(builder.module.images.size());
  kernel->argument_count = arguments;
  kernel->threads = threads;
  builder.module.images.push_back(std::move(image));
  return kernel;
}

schema::ScheduleT &addVulkanSchedule(Builder &builder, const char *level) {
  const schema::ScheduleT &cpu = builder.schedule();
  auto schedule = std::make_unique<schema::ScheduleT>();
  schedule->target = schema::Target::Vulkan;
  schedule->level = level;
  schedule->kernels.push_back(
      makeKernel(builder, "rows_0", kScale, sizeof kScale, 4));
  schedule->kernels.push_back(
      makeKernel(builder, "gemm_0", kLinear, sizeof kLinear, 3));
  schedule->kernels.push_back(
      makeKernel(builder, "map_0", kAdd, sizeof kAdd, 3));
  for (const auto &slot : cpu.slots)
    schedule->slots.push_back(std::make_unique<schema::SlotT>(*slot));
  // Add a barrier where a command reads what another one wrote.
  for (const auto &command : cpu.commands) {
    if (command->kind == schema::CommandKind::Barrier)
      continue;
    if (!schedule->commands.empty()) {
      auto barrier = std::make_unique<schema::CommandT>();
      barrier->kind = schema::CommandKind::Barrier;
      schedule->commands.push_back(std::move(barrier));
    }
    schedule->commands.push_back(std::make_unique<schema::CommandT>(*command));
  }
  builder.entry().schedules.push_back(std::move(schedule));
  return *builder.entry().schedules.back();
}

schema::ScheduleT &addVulkanTraining(Builder &builder) {
  using Kind = schema::ArgumentKind;
  builder.addTraining();
  auto schedule = std::make_unique<schema::ScheduleT>();
  schedule->target = schema::Target::Vulkan;
  schedule->level = "direct";
  schedule->kernels.push_back(
      makeKernel(builder, "rows_0", kScale, sizeof kScale, 4));
  schedule->kernels.push_back(
      makeKernel(builder, "update_0", kUpdate, sizeof kUpdate, 16, 5));
  auto slot = std::make_unique<schema::SlotT>();
  schema::Extent all(192, 0, 1), row(16, 0, 1), rows(32, 0, 1), one(4, 0, 1);
  slot->values = {all};
  schedule->slots.push_back(std::move(slot));
  auto add = [&](schema::CommandKind kind, const char *name, uint32_t kernel,
                 std::vector<schema::Argument> arguments,
                 schema::Extent units = {}) {
    schedule->commands.push_back(
        makeCommand(kind, name, kernel, std::move(arguments), units));
  };
  auto barrier = [&] { add(schema::CommandKind::Barrier, "", 0, {}); };
  schema::Argument image = makeArgument(Kind::Input, 0, rows);
  schema::Argument loss = makeArgument(Kind::Output, 0, one);
  schema::Argument rate = makeArgument(Kind::Input, 2, one);
  add(schema::CommandKind::Copy, "loss", 0,
      {makeArgument(Kind::Input, 0, one), loss});
  add(schema::CommandKind::Copy, "correct", 0,
      {makeArgument(Kind::Input, 3, one), makeArgument(Kind::Output, 1, one)});
  add(schema::CommandKind::Fill, "clear", 0,
      {makeArgument(Kind::Slot, 0, all)});
  barrier();
  add(schema::CommandKind::Copy, "q.backward", 0,
      {image, makeArgument(Kind::Slot, 0, rows, 64)});
  barrier();
  add(schema::CommandKind::Dispatch, "scale.backward", 0,
      {image, makeArgument(Kind::Arena, 0, row),
       makeArgument(Kind::Slot, 0, row)},
      {1, 0, 1});
  barrier();
  add(schema::CommandKind::Dispatch, "update", 1,
      {makeArgument(Kind::Slot, 0, all), loss, rate,
       makeArgument(Kind::Arena, 0, all), makeArgument(Kind::Arena, 1, all)},
      {3, 0, 1});
  schedule->commands.back()->is_update = true;
  auto &entry = *builder.module.entries[1];
  entry.schedules.push_back(std::move(schedule));
  return *entry.schedules.back();
}

} // namespace vit::test
