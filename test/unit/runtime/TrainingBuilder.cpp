//===- TrainingBuilder.cpp - Modules with training for tests --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleBuilder.h"
#include "kernels.h"

namespace vit::test {

using Kind = schema::ArgumentKind;

static constexpr uint64_t kArenaBytes = 192;

static void addArena(schema::ModuleT &module, const char *name,
                     uint64_t bytes) {
  auto arena = std::make_unique<schema::ArenaT>();
  arena->name = name;
  arena->bytes = bytes;
  module.arenas.push_back(std::move(arena));
}

static schema::VariableT &addVariable(schema::ModuleT &module, std::string name,
                                      std::vector<int64_t> dims, uint32_t arena,
                                      uint64_t offset) {
  auto variable = std::make_unique<schema::VariableT>();
  variable->name = std::move(name);
  variable->dims = std::move(dims);
  variable->arena = arena;
  variable->offset = offset;
  module.variables.push_back(std::move(variable));
  return *module.variables.back();
}

/// Kernels and commands that both entries share: the gradient in slot 0, the
/// loss in output 0.
static std::unique_ptr<schema::ScheduleT> makeGradient() {
  auto schedule = std::make_unique<schema::ScheduleT>();
  schedule->level = "avx2";
  schedule->kernels.push_back(
      makeKernel("gradient_0", "weight_gradient",
                 reinterpret_cast<void *>(kernelGradient), 4, 0));
  schedule->kernels.push_back(makeKernel(
      "batch_0", "map", reinterpret_cast<void *>(kernelBatch), 1, 0));
  schedule->kernels.push_back(
      makeKernel("loss_0", "loss", reinterpret_cast<void *>(kernelLoss), 4, 0));
  auto slot = std::make_unique<schema::SlotT>();
  slot->values = {schema::Extent(kArenaBytes, 0, 1)};
  schedule->slots.push_back(std::move(slot));

  schema::Extent images(32, 1, 1), labels(4, 1, 1), scale(16, 0, 1);
  schema::Extent chunk(64, 0, 1), one(1, 0, 1);
  schema::Argument image = makeArgument(Kind::Input, 0, images);
  schema::Argument label = makeArgument(Kind::Input, 1, labels);
  schema::Argument parameter = makeArgument(Kind::Arena, 0, scale);
  auto &commands = schedule->commands;
  commands.push_back(
      makeCommand(schema::CommandKind::Dispatch, "scale.backward", 0,
                  {image, label, parameter, makeArgument(Kind::Slot, 0, chunk)},
                  {16, 0, 1}));
  commands.push_back(
      makeCommand(schema::CommandKind::Dispatch, "head.backward", 1,
                  {makeArgument(Kind::Slot, 0, {128, 0, 1}, 64)}, {32, 0, 1}));
  commands.push_back(makeCommand(
      schema::CommandKind::Dispatch, "loss", 2,
      {image, label, parameter, makeArgument(Kind::Output, 0, {4, 0, 1})},
      one));
  commands.push_back(makeCommand(schema::CommandKind::Barrier, "", 0, {}));
  return schedule;
}

static std::unique_ptr<schema::EntryT>
makeEntry(const char *name, std::unique_ptr<schema::ScheduleT> schedule) {
  auto entry = std::make_unique<schema::EntryT>();
  entry->name = name;
  entry->inputs.push_back(makeBinding("image", "", {-1, 2, 4}));
  entry->inputs.push_back(makeBinding("labels", "", {-1}, schema::DType::I32));
  entry->inputs.back()->role = schema::Role::Targets;
  entry->inputs.back()->classes = 3;
  entry->outputs.push_back(makeBinding("loss", "", {}));
  entry->outputs.back()->role = schema::Role::Loss;
  entry->schedules.push_back(std::move(schedule));
  return entry;
}

void Builder::addTraining() {
  addArena(module, "parameters", kArenaBytes);
  addArena(module, "momentum", kArenaBytes);
  addArena(module, "other", 64);
  const uint64_t places[] = {0, 64, 128};
  for (uint32_t i = 0; i < 3; ++i) {
    const schema::ParameterT &p = *module.parameters[i];
    addVariable(module, p.name, p.dims, 0, places[i]).parameter = i + 1;
    addVariable(module, "momentum." + p.name, p.dims, 1, places[i]).role =
        "momentum";
  }
  schema::VariableT &seed = addVariable(module, "random_seed", {2}, 2, 0);
  seed.dtype = schema::DType::I32;
  seed.role = "random_seed";

  schema::Extent all(kArenaBytes, 0, 1), scalar(4, 0, 1), chunks(3, 0, 1);
  schema::Argument gradient = makeArgument(Kind::Slot, 0, all);
  schema::Argument loss = makeArgument(Kind::Output, 0, scalar);
  auto schedule = makeGradient();
  schedule->kernels.push_back(makeKernel(
      "correct_0", "loss", reinterpret_cast<void *>(kernelCorrect), 3, 0));
  schedule->kernels.push_back(makeKernel(
      "update_0", "update", reinterpret_cast<void *>(kernelUpdate), 5, 0));
  schedule->commands.push_back(
      makeCommand(schema::CommandKind::Dispatch, "accuracy", 3,
                  {makeArgument(Kind::Input, 3, scalar),
                   makeArgument(Kind::Arena, 2, {8, 0, 1}),
                   makeArgument(Kind::Output, 1, scalar)},
                  {1, 0, 1}));
  schedule->commands.push_back(makeCommand(
      schema::CommandKind::Dispatch, "update", 4,
      {gradient, loss, makeArgument(Kind::Input, 2, scalar),
       makeArgument(Kind::Arena, 0, all), makeArgument(Kind::Arena, 1, all)},
      chunks));
  schedule->commands.back()->is_update = true;
  auto step = makeEntry("train_step", std::move(schedule));
  step->inputs.push_back(makeBinding("learning_rate", "", {}));
  step->inputs.back()->role = schema::Role::LearningRate;
  step->inputs.push_back(makeBinding("step", "", {}, schema::DType::I32));
  step->inputs.back()->role = schema::Role::Step;
  step->outputs.push_back(makeBinding("correct", "", {}, schema::DType::I32));
  step->outputs.back()->role = schema::Role::Correct;
  module.entries.push_back(std::move(step));

  schedule = makeGradient();
  schedule->kernels.push_back(
      makeKernel("accumulate_0", "update",
                 reinterpret_cast<void *>(kernelAccumulate), 3, 0));
  schedule->commands.push_back(
      makeCommand(schema::CommandKind::Dispatch, "update", 3,
                  {gradient, loss, makeArgument(Kind::Arena, 1, all)}, chunks));
  schedule->commands.back()->is_update = true;
  module.entries.push_back(makeEntry("accumulate_step", std::move(schedule)));
}

void Builder::addRounded() {
  for (auto &entry : module.entries)
    for (auto &schedule : entry->schedules) {
      if (schedule->target == schema::Target::Cpu)
        continue;
      for (auto &kernel : schedule->kernels) {
        bool isLoss = kernel->name == "loss_0";
        if (!isLoss && kernel->name != "update_0")
          continue;
        kernel->name = "rounded_" + kernel->name;
        ++kernel->argument_count;
      }
      for (auto &command : schedule->commands) {
        auto &arguments = command->arguments;
        if (command->name == "loss")
          arguments.insert(arguments.end() - 1,
                           makeArgument(Kind::Rounded, 0, {8, 0, 1}));
        else if (command->is_update && entry->name == "train_step")
          arguments.push_back(
              makeArgument(Kind::Rounded, 0, {kArenaBytes / 2, 0, 1}));
      }
    }
}

void Builder::addRanks() {
  auto arena = uint32_t(module.arenas.size());
  addArena(module, "gradient", kArenaBytes);
  const uint64_t places[] = {0, 64, 128};
  for (uint32_t i = 0; i < 3; ++i)
    addVariable(module, "gradient." + module.parameters[i]->name,
                module.parameters[i]->dims, arena, places[i])
        .role = "gradient";
  for (auto &entry : module.entries) {
    auto &commands = entry->schedules[0]->commands;
    if (!commands.back()->is_update)
      continue;
    // Two buckets, the second one of two ranges.
    auto range = [&](uint64_t offset) -> std::vector<schema::Argument> {
      return {makeArgument(Kind::Slot, 0, {64, 0, 1}, offset),
              makeArgument(Kind::Arena, arena, {64, 0, 1}, offset)};
    };
    std::vector<schema::Argument> second = range(0), results;
    for (const schema::Argument &argument : range(64))
      second.push_back(argument);
    for (uint32_t i = 0; i < entry->outputs.size(); ++i)
      results.push_back(makeArgument(Kind::Output, i, {4, 0, 1}));
    auto update = std::move(commands.back());
    commands.pop_back();
    commands.push_back(makeCommand(schema::CommandKind::AllReduce,
                                   "all_reduce.0", 0, range(128)));
    commands.push_back(
        makeCommand(schema::CommandKind::AllReduce, "all_reduce.1", 0, second));
    commands.push_back(
        makeCommand(schema::CommandKind::Wait, "wait", 0, results));
    commands.push_back(std::move(update));
  }
}

} // namespace vit::test
