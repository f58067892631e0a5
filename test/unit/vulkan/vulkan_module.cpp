//===- vulkan_module.cpp - Modules with Vulkan code for tests -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vulkan_module.h"

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

static std::unique_ptr<schema::KernelT>
makeKernel(Builder &builder, const char *name, const uint32_t *words,
           size_t bytes, uint32_t threads) {
  auto image = std::make_unique<schema::ImageT>();
  image->format = schema::ImageFormat::SpirV;
  image->data =
      std::make_unique<schema::Segment>(builder.addSegment(words, bytes));
  auto kernel = std::make_unique<schema::KernelT>();
  kernel->name = name;
  kernel->family = "test";
  kernel->image = uint32_t(builder.module.images.size());
  kernel->argument_count = 3;
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
  // Where one command needs what another wrote, a barrier is between them.
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

} // namespace vit::test
