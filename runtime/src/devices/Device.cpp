//===- Device.cpp - What runs a session's calls ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/Device.h"

#include "format/Extent.h"

#include <ctime>

namespace vit::runtime {

Executor::~Executor() = default;

vit_status Executor::findNotFinite(const Call &, const char *&,
                                   vit_error *error) {
  return fail(error, VIT_UNSUPPORTED,
              "a session on a GPU cannot look for numbers that are not finite: "
              "make one on the CPU over the same parameters");
}

vit_status Executor::fetchArenas(unsigned char *const *, vit_error *error) {
  return fail(error, VIT_INTERNAL, "this device holds no variables");
}

vit_status Executor::chooseSchedules(vit_error *error) {
  const schema::Module &root = *context.module.root;
  uint32_t entries = count(root.entries());
  if (!schedules.allocate(context.module.allocator, entries))
    return outOfMemory(error, entries * 8ull, "the session");
  bool anyRuns = false;
  for (uint32_t i = 0; i < entries; ++i) {
    int best = 0;
    for (const schema::Schedule *s : *context.module.entry(i).schedules()) {
      int suits = rank(*s);
      if (suits <= best)
        continue;
      best = suits;
      schedules[i] = s;
      anyRuns = true;
    }
  }
  return anyRuns ? VIT_OK : requireSchedule(0, error);
}

//===----------------------------------------------------------------------===//
// Creating executors
//===----------------------------------------------------------------------===//

#if !VIT_VULKAN
vit_status createVulkanExecutor(const SessionContext &, const char *,
                                Executor *&, vit_error *error) {
  return fail(error, VIT_UNSUPPORTED, "this vit was built without Vulkan");
}

void describeVulkanDevices(Text &json) {
  describeUnavailable(json, "vulkan", "this vit was built without Vulkan");
}
#endif

namespace {

/// A device as vit_session_options names it.
struct DeviceName {
  schema::Target target;
  const char *selector; ///< what follows the target's name
};

} // namespace

static vit_status parseDevice(const char *device, DeviceName &name,
                              vit_error *error) {
  name = {schema::Target::Cpu, ""};
  if (!device || std::strcmp(device, "cpu") == 0)
    return VIT_OK;
  struct {
    const char *name;
    schema::Target target;
  } constexpr gpus[] = {{"vulkan", schema::Target::Vulkan},
                        {"cuda", schema::Target::Cuda}};
  for (const auto &gpu : gpus) {
    size_t length = std::strlen(gpu.name);
    if (std::strncmp(device, gpu.name, length) != 0)
      continue;
    name = {gpu.target, device + length};
    if (*name.selector == 0 || (*name.selector == ':' && name.selector[1] != 0))
      return VIT_OK;
  }
  return fail(error, VIT_INVALID_ARGUMENT,
              "'%.200s' is no device: cpu, vulkan, vulkan:N, vulkan:PART OF "
              "NAME, cuda and cuda:N are",
              device);
}

vit_status checkDevice(const vit_module &module, const char *device,
                       vit_error *error) {
  DeviceName name;
  VIT_TRY(parseDevice(device, name, error));
  bool anyRuns = false;
  for (uint32_t i = 0; i < count(module.root->entries()); ++i) {
    if (name.target == schema::Target::Cpu)
      anyRuns = anyRuns || (module.schedules[i] && module.levelIsKnown);
    else
      for (const schema::Schedule *s : *module.entry(i).schedules())
        anyRuns = anyRuns || s->target() == name.target;
  }
  if (anyRuns)
    return VIT_OK;
  if (name.target == schema::Target::Cpu)
    return requireCpuSchedule(module, 0, error);
  char offers[64];
  std::snprintf(offers, sizeof offers, "the session is to run on %s",
                schema::EnumNameTarget(name.target));
  return noSchedule(module, 0, name.target, offers, true, error);
}

vit_status createExecutor(const SessionContext &context, const char *device,
                          Executor *&executor, vit_error *error) {
  executor = nullptr;
  DeviceName name;
  VIT_TRY(parseDevice(device, name, error));
  switch (name.target) {
  case schema::Target::Cpu:
    return createCpuExecutor(context, executor, error);
  case schema::Target::Vulkan:
    return createVulkanExecutor(context, name.selector, executor, error);
  case schema::Target::Cuda:
    return createCudaExecutor(context, name.selector, executor, error);
  }
  __builtin_unreachable();
}

void describeUnavailable(Text &json, const char *device, const char *reason) {
  json.beginObject(nullptr);
  json.field("device", device);
  json.field("unavailable", reason);
  json.endObject();
}

//===----------------------------------------------------------------------===//
// For executors
//===----------------------------------------------------------------------===//

uint64_t monotonicTime() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_nsec);
}

const char *commandName(const schema::Command &command) {
  return command.name() ? command.name()->c_str() : "";
}

const char *kernelName(const schema::Schedule &schedule,
                       const schema::Command &command) {
  if (command.kind() == schema::CommandKind::Dispatch)
    return schedule.kernels()->Get(command.kernel())->name()->c_str();
  return command.kind() == schema::CommandKind::Copy ? "copy" : "fill";
}

double commandFlop(const schema::Command &command, int64_t batch) {
  uint64_t flop = 0;
  if (command.flop())
    evaluate(*command.flop(), batch, flop);
  return double(flop);
}

} // namespace vit::runtime
