//===- Device.cpp - What runs a session's calls ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/Device.h"

#include "Plan.h"
#include "format/Extent.h"

#include <cmath>
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

//===----------------------------------------------------------------------===//
// Gradients of several ranks
//===----------------------------------------------------------------------===//

vit_status Executor::joinRanks(uint64_t, vit_error *error) {
  return fail(error, VIT_INTERNAL, "this device reduces nothing");
}

uint32_t findWait(const schema::Schedule &schedule) {
  uint32_t i = 0;
  while (i < count(schedule.commands()) &&
         schedule.commands()->Get(i)->kind() != schema::CommandKind::Wait)
    ++i;
  return i;
}

vit_status Executor::readBack(const Call &, const schema::Argument &, void *,
                              uint64_t, vit_error *error) {
  return fail(error, VIT_INTERNAL, "this device copies no arguments");
}

vit_status Executor::writeTo(const Call &, const schema::Argument &,
                             const void *, uint64_t, vit_error *error) {
  return fail(error, VIT_INTERNAL, "this device copies no arguments");
}

/// Copies the ranges of an AllReduce to `reduced` from element `used` on, and
/// starts to reduce them.
vit_status Executor::startOnHost(const Call &call,
                                 const schema::Command &command, uint64_t &used,
                                 vit_error *error) {
  const auto &arguments = *command.arguments();
  for (uint32_t i = 0; i < arguments.size(); i += 2) {
    uint64_t bytes = arguments.Get(i)->bytes().times();
    uint64_t elements = bytes / sizeof(float);
    float *gradients = reduced.data() + used, *sums = gradients + elements;
    used += 2 * elements;
    VIT_TRY(readBack(call, *arguments.Get(i), gradients, bytes, error));
    VIT_TRY(readBack(call, *arguments.Get(i + 1), sums, bytes, error));
    if (!context.reduction.isAlone())
      context.reduction.start(commandName(command), gradients, sums, elements);
    for (uint64_t k = 0; context.reduction.isAlone() && k < elements; ++k)
      gradients[k] = sums[k] + gradients[k];
  }
  return VIT_OK;
}

vit_status Executor::exchangeResults(const Call &call,
                                     const schema::Command &wait,
                                     bool &isFinite, vit_error *error) {
  const auto &described = *wait.arguments();
  RankResult result = {0, -1};
  const schema::Argument &loss = *described.Get(0);
  const schema::Argument *correct =
      described.size() > 1 ? described.Get(1) : nullptr;
  constexpr uint64_t word = sizeof(float);
  VIT_TRY(readBack(call, loss, &result.loss, word, error));
  if (correct)
    VIT_TRY(readBack(call, *correct, &result.correct, word, error));
  if (!context.reduction.isAlone()) {
    VIT_TRY(context.reduction.wait(result, error));
    VIT_TRY(writeTo(call, loss, &result.loss, word, error));
    if (correct)
      VIT_TRY(writeTo(call, *correct, &result.correct, word, error));
  }
  isFinite = std::isfinite(result.loss);
  return VIT_OK;
}

vit_status Executor::reduceOnHost(const Call &call, uint32_t wait,
                                  bool &isFinite, vit_error *error) {
  const auto &commands = *schedules[call.entry]->commands();
  auto forEachBucket = [&](auto visit) {
    for (uint32_t i = 0; i < wait; ++i)
      if (commands.Get(i)->kind() == schema::CommandKind::AllReduce)
        VIT_TRY(visit(*commands.Get(i)));
    return VIT_OK;
  };
  uint64_t total = 0, used = 0;
  forEachBucket([&](const schema::Command &command) {
    for (const schema::Argument *argument : *command.arguments())
      total += argument->bytes().times() / sizeof(float);
    return VIT_OK;
  });
  if (reduced.size() < total &&
      !reduced.allocateRaw(context.module.allocator, total))
    return outOfMemory(error, total * sizeof(float), "gradients on the host");
  VIT_TRY(forEachBucket([&](const schema::Command &command) {
    return startOnHost(call, command, used, error);
  }));
  VIT_TRY(exchangeResults(call, *commands.Get(wait), isFinite, error));
  used = 0;
  return forEachBucket([&](const schema::Command &command) {
    const auto &arguments = *command.arguments();
    for (uint32_t i = 0; i < arguments.size(); i += 2) {
      uint64_t bytes = arguments.Get(i)->bytes().times();
      VIT_TRY(writeTo(call, *arguments.Get(i), reduced.data() + used, bytes,
                      error));
      used += 2 * bytes / sizeof(float);
    }
    return VIT_OK;
  });
}

/// Whether an entry has code of `target` in this precision (NULL: in any).
static bool hasCode(const schema::Entry &entry, schema::Target target,
                    const ElementType *precision) {
  for (const schema::Schedule *s : *entry.schedules())
    if (precision ? isCode(*s, target, *precision) : s->target() == target)
      return true;
  return false;
}

vit_status Executor::explainMissing(uint32_t entry, vit_error *error) const {
  const schema::Entry &code = context.module.entry(entry);
  const char *wanted = context.options.precision;
  ElementType precision = precisionOf(code, target, wanted);
  return wanted && hasCode(code, target, nullptr) &&
                 !hasCode(code, target, &precision)
             ? noPrecision(context.module, entry, target, wanted, error)
             : requireSchedule(entry, error);
}

vit_status Executor::chooseSchedules(schema::Target wanted, vit_error *error) {
  target = wanted;
  const schema::Module &root = *context.module.root;
  uint32_t entries = count(root.entries());
  if (!schedules.allocate(context.module.allocator, entries))
    return outOfMemory(error, entries * 8ull, "the session");
  bool anyRuns = false;
  for (uint32_t i = 0; i < entries; ++i) {
    const schema::Entry &entry = context.module.entry(i);
    ElementType precision =
        precisionOf(entry, target, context.options.precision);
    int best = 0;
    for (const schema::Schedule *s : *entry.schedules()) {
      int suits = isCode(*s, target, precision) ? rank(*s) : 0;
      if (suits <= best)
        continue;
      best = suits;
      schedules[i] = s;
      anyRuns = true;
    }
  }
  if (!anyRuns)
    return requireSchedule(0, error);
  VIT_TRY(checkRounded(error));
  for (const schema::Schedule *s : schedules)
    if (s)
      VIT_TRY(context.parameters.makeForms(*s, error));
  return VIT_OK;
}

/// A schedule is checked when the module is loaded; which ones run together is
/// known here.
vit_status Executor::checkRounded(vit_error *error) const {
  for (const schema::Schedule *s : schedules)
    if (const schema::Command *update =
            s ? findUnrounded(*s, schedules.begin(), schedules.size())
              : nullptr)
      return fail(error, VIT_CORRUPT, "'%s' is damaged: update '%.100s' %s",
                  context.module.name.data(),
                  update->name() ? update->name()->c_str() : "", kUnrounded);
  return VIT_OK;
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

/// Whether a session on `target` may run the schedule, as far as is known
/// before the device is opened.
static bool mayRun(const vit_module &module, const schema::Schedule &schedule,
                   schema::Target target) {
  const format::Level *level = levelOf(schedule);
  return target != schema::Target::Cpu ||
         (level && module.levelIsKnown && module.cpu.allows(*level));
}

vit_status checkDevice(const vit_module &module,
                       const vit_session_options &options, vit_error *error) {
  DeviceName name;
  VIT_TRY(parseDevice(options.device, name, error));
  ElementType ignored;
  if (options.precision && !format::parsePrecision(options.precision, ignored))
    return unknownPrecision(options.precision, error);
  bool anyRuns = false, anyIsPrecise = false, anyIsTarget = false;
  for (uint32_t i = 0; i < count(module.root->entries()); ++i) {
    const schema::Entry &entry = module.entry(i);
    ElementType precision = precisionOf(entry, name.target, options.precision);
    anyIsTarget = anyIsTarget || hasCode(entry, name.target, nullptr);
    anyIsPrecise = anyIsPrecise || hasCode(entry, name.target, &precision);
    for (const schema::Schedule *s : *entry.schedules())
      anyRuns = anyRuns || (isCode(*s, name.target, precision) &&
                            mayRun(module, *s, name.target));
  }
  if (anyRuns)
    return VIT_OK;
  if (anyIsTarget && !anyIsPrecise && options.precision)
    return noPrecision(module, 0, name.target, options.precision, error);
  if (name.target == schema::Target::Cpu)
    return module.levelIsKnown
               ? noCpuSchedule(module, 0, module.cpu, error)
               : unknownLevel("VIT_CPU_LEVEL", format::Target::Cpu, error);
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

void describePrecisions(Text &json, const format::Level &level) {
  json.beginArray("precisions");
  for (ElementType precision : format::allPrecisions())
    if (level.target == format::Target::Cpu
            ? format::isDistinct(level, precision)
            : format::findProduct(level, precision) != nullptr)
      json.item(format::precisionName(precision));
  json.endArray();
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
  switch (command.kind()) {
  case schema::CommandKind::Copy:
    return "copy";
  case schema::CommandKind::AllReduce:
    return "all_reduce";
  case schema::CommandKind::Wait:
    return "wait";
  default:
    return "fill";
  }
}

double commandFlop(const schema::Command &command, int64_t batch) {
  uint64_t flop = 0;
  if (command.flop())
    evaluate(*command.flop(), batch, flop);
  return double(flop);
}

} // namespace vit::runtime
