//===- session.cpp - Calling a module's entries ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "session.h"

#include "binding.h"
#include "extent.h"
#include "plan.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

using namespace vit::runtime;
namespace schema = vit::schema;

static constexpr int32_t kMaxThreads = 1024;

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

vit_session::~vit_session() {
  vit_parameters_release(parameters);
  vit_module_release(module);
}

vit_status vit_session::build(const vit_session_options &given,
                              vit_error *error) {
  options = given;
  if (options.threads < 0 || options.threads > kMaxThreads)
    return fail(error, VIT_INVALID_ARGUMENT,
                "%d threads are not possible: 1 to %d, or 0 for one per core",
                options.threads, kMaxThreads);
  if (options.parameters && options.parameters->module != module)
    return fail(error, VIT_INVALID_ARGUMENT,
                "the parameters belong to another module");
  // A module without code for this machine can be looked at, not called.
  uint32_t entries = count(module->root->entries());
  bool anyRuns = false;
  for (uint32_t i = 0; i < entries; ++i)
    anyRuns = anyRuns || module->schedules[i];
  if (!anyRuns || !module->levelIsKnown)
    VIT_TRY(requireSchedule(*module, 0, error));

  uint32_t inputs = 0, outputs = 0, slots = 0;
  for (uint32_t i = 0; i < entries; ++i) {
    inputs = std::max(inputs, module->entry(i).inputs()->size());
    outputs = std::max(outputs, module->entry(i).outputs()->size());
    if (module->schedules[i])
      slots = std::max(slots, count(module->schedules[i]->slots()));
  }
  const Allocator &allocator = module->allocator;
  if (!inputPointers.allocate(allocator, inputs) ||
      !outputPointers.allocate(allocator, outputs) ||
      !slotSizes.allocate(allocator, slots) ||
      !slotOffsets.allocate(allocator, slots))
    return outOfMemory(error, slots * 16ull, "the session");

  if (options.parameters) {
    parameters = options.parameters;
    vit_parameters_retain(parameters);
  } else {
    VIT_TRY(vit_parameters_create(module, &parameters, error));
  }
  threads = options.threads > 0 ? options.threads
                                : std::min(availableCores(), int(kMaxThreads));
  return options.parallel_for ? VIT_OK : pool.start(threads, allocator, error);
}

//===----------------------------------------------------------------------===//
// Binding inputs and outputs
//===----------------------------------------------------------------------===//

vit_status vit_session::bind(const vit_tensor *inputs, int32_t inputCount,
                             vit_tensor *outputs, int32_t outputCount,
                             vit_error *error) {
  const schema::Entry &entry = module->entry(entryIndex);
  if (inputCount < 0 || outputCount < 0 || (inputCount > 0 && !inputs) ||
      (outputCount > 0 && !outputs))
    return fail(error, VIT_INVALID_ARGUMENT,
                "inputs or outputs are NULL or their count is negative");
  for (void *&pointer : inputPointers)
    pointer = nullptr;
  for (void *&pointer : outputPointers)
    pointer = nullptr;
  batch = 0;
  // The first input says the batch, in whatever order they are given.
  for (int32_t i = 0; i < inputCount; ++i) {
    uint32_t index;
    VIT_TRY(
        findBinding(*entry.inputs(), inputs[i].name, "input", index, error));
    if (index == 0)
      VIT_TRY(readBatch(*entry.inputs()->Get(0), inputs[i], batch, error));
  }
  for (int32_t i = 0; i < inputCount; ++i) {
    uint32_t index;
    VIT_TRY(
        findBinding(*entry.inputs(), inputs[i].name, "input", index, error));
    const schema::Binding &binding = *entry.inputs()->Get(index);
    if (inputPointers[index])
      return fail(error, VIT_INVALID_ARGUMENT, "input '%s' is given twice",
                  binding.name()->c_str());
    // Without the first input there is no batch; that it is missing is told
    // below.
    if (batch != 0)
      VIT_TRY(checkTensor(binding, inputs[i], "input", batch, error));
    inputPointers[index] = inputs[i].data;
  }
  for (uint32_t i = 0; i < entry.inputs()->size(); ++i)
    if (!inputPointers[i])
      return fail(error, VIT_INVALID_ARGUMENT, "input '%s' is not given",
                  entry.inputs()->Get(i)->name()->c_str());
  for (int32_t i = 0; i < outputCount; ++i) {
    uint32_t index;
    VIT_TRY(
        findBinding(*entry.outputs(), outputs[i].name, "output", index, error));
    const schema::Binding &binding = *entry.outputs()->Get(index);
    if (outputPointers[index])
      return fail(error, VIT_INVALID_ARGUMENT, "output '%s' is given twice",
                  binding.name()->c_str());
    describeOutput(binding, outputs[i], batch);
    VIT_TRY(checkTensor(binding, outputs[i], "output", batch, error));
    outputPointers[index] = outputs[i].data;
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The bytes of slots alone and of the whole workspace for this call at some
/// batch. False where they exceed all addresses.
bool vit_session::workspaceBytes(int64_t atBatch, uint64_t &slots,
                                 uint64_t &total) const {
  if (!planSlots(*schedule, atBatch, nullptr, nullptr, slots))
    return false;
  total = slots;
  const auto &outputs = *module->entry(entryIndex).outputs();
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    uint64_t bytes;
    if (!bindingBytes(*outputs.Get(i), atBatch, bytes))
      return false;
    if (!outputPointers[i])
      total += alignUp(bytes, kAlignment);
    if (total > kMaxExtent)
      return false;
  }
  total += scratchStride * uint64_t(threads);
  return total <= kMaxExtent;
}

/// Turns the closed forms into numbers, where this was not done for the last
/// call already.
vit_status vit_session::plan(uint32_t entry, int64_t newBatch,
                             vit_error *error) {
  if (plannedBatch == newBatch && plannedEntry == entry)
    return VIT_OK;
  plannedBatch = 0;
  uint64_t total;
  bool possible = planSlots(*schedule, newBatch, slotSizes.data(),
                            slotOffsets.data(), total);
  if (!possible)
    return fail(error, VIT_INVALID_ARGUMENT,
                "a batch of %lld needs more memory than there are addresses",
                static_cast<long long>(newBatch));
  for (uint32_t i = 0; i < count(schedule->commands()); ++i) {
    char reason[256];
    if (!checkCommand(*module->root, module->entry(entry),
                      *schedule->commands()->Get(i), newBatch, slotSizes.data(),
                      reason, sizeof reason))
      return fail(error, VIT_CORRUPT, "'%s' is damaged: command %u %s",
                  module->name.data(), i, reason);
  }
  scratchStride = 0;
  for (uint32_t i = 0; i < count(schedule->kernels()); ++i)
    scratchStride = std::max<uint64_t>(
        scratchStride,
        alignUp(schedule->kernels()->Get(i)->scratch(), kAlignment));
  plannedEntry = entry;
  plannedBatch = newBatch;
  return VIT_OK;
}

/// Grows the workspace where this call needs more, within the budget, and
/// places the outputs that were left out.
vit_status vit_session::makeRoom(vit_error *error) {
  uint64_t slots, total;
  if (!workspaceBytes(batch, slots, total))
    return fail(error, VIT_INVALID_ARGUMENT,
                "a batch of %lld needs more memory than there are addresses",
                static_cast<long long>(batch));
  if (options.memory_budget != 0 && total > options.memory_budget) {
    int64_t fits = 0, tooLarge = batch;
    while (tooLarge - fits > 1) {
      int64_t middle = fits + (tooLarge - fits) / 2;
      uint64_t some, all;
      bool within =
          workspaceBytes(middle, some, all) && all <= options.memory_budget;
      (within ? fits : tooLarge) = middle;
    }
    char hint[64] = "even a batch of 1 needs more";
    if (fits > 0)
      std::snprintf(hint, sizeof hint, "a batch of %lld fits",
                    static_cast<long long>(fits));
    return fail(error, VIT_OVER_BUDGET,
                "a batch of %lld needs %llu bytes of workspace and the budget "
                "is %llu: %s",
                static_cast<long long>(batch),
                static_cast<unsigned long long>(total),
                static_cast<unsigned long long>(options.memory_budget), hint);
  }
  if (total > workspace.size()) {
    // Given back first, so that old and new never count together.
    workspace.clear();
    if (!workspace.allocateRaw(module->allocator, total))
      return outOfMemory(error, total, "the workspace");
  }
  unsigned char *next = workspace.data() + slots;
  const auto &outputs = *module->entry(entryIndex).outputs();
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    if (outputPointers[i])
      continue;
    uint64_t bytes = 0;
    bindingBytes(*outputs.Get(i), batch, bytes);
    outputPointers[i] = next;
    next += alignUp(bytes, kAlignment);
  }
  scratch = next;
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void *vit_session::resolve(const schema::Argument &argument) const {
  uint32_t index = argument.index();
  switch (argument.kind()) {
  case schema::ArgumentKind::Input:
    return inputPointers[index];
  case schema::ArgumentKind::Output:
    return outputPointers[index];
  case schema::ArgumentKind::Slot:
    return const_cast<unsigned char *>(workspace.data()) + slotOffsets[index];
  case schema::ArgumentKind::Derived:
    return const_cast<float *>(parameters->form(index));
  case schema::ArgumentKind::Constant:
    return const_cast<unsigned char *>(
        module->segments +
        module->root->constants()->Get(index)->data()->offset());
  }
  return nullptr;
}

namespace {

/// One dispatch, as every thread sees it.
struct Launch {
  KernelFunction function;
  void *arguments[kMaxArguments];
  int64_t batch;
  uint64_t units;
  uint64_t parts;
  unsigned char *scratch;
  uint64_t scratchStride;

  /// Part `index` of the units: an even split, in order.
  static void run(void *self, size_t index) {
    auto &launch = *static_cast<Launch *>(self);
    uint64_t share = launch.units / launch.parts;
    uint64_t longer = launch.units % launch.parts;
    uint64_t begin = share * index + std::min<uint64_t>(index, longer);
    uint64_t end = begin + share + (index < longer);
    if (begin < end)
      launch.function(launch.arguments, launch.batch, int64_t(begin),
                      int64_t(end),
                      launch.scratch + launch.scratchStride * index);
  }
};

} // namespace

void vit_session::dispatch(const schema::Command &command) {
  const schema::Kernel &kernel = *schedule->kernels()->Get(command.kernel());
  Launch launch;
  launch.function = module->code.function(kernel);
  for (uint32_t i = 0; i < kernel.argument_count(); ++i)
    launch.arguments[i] = resolve(*command.arguments()->Get(i));
  launch.batch = batch;
  launch.units = 0;
  evaluate(*command.units(), batch, launch.units);
  launch.parts = uint64_t(threads);
  launch.scratch = scratch;
  launch.scratchStride = scratchStride;
  if (launch.units < 2 || threads == 1) {
    launch.parts = 1;
    Launch::run(&launch, 0);
  } else if (options.parallel_for) {
    options.parallel_for(options.parallel_context, size_t(threads), Launch::run,
                         &launch);
  } else {
    pool.run(Launch::run, &launch);
  }
}

static uint64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_nsec);
}

static const char *kernelName(const schema::Schedule &schedule,
                              const schema::Command &command) {
  if (command.kind() == schema::CommandKind::Dispatch)
    return schedule.kernels()->Get(command.kernel())->name()->c_str();
  return command.kind() == schema::CommandKind::Copy ? "copy" : "fill";
}

vit_status vit_session::execute(vit_error *error) {
  for (uint32_t i = 0; i < count(schedule->commands()); ++i) {
    const schema::Command &command = *schedule->commands()->Get(i);
    if (options.is_cancelled && options.is_cancelled(options.cancel_context))
      return fail(error, VIT_CANCELLED,
                  "the call was cancelled after %u of %u "
                  "commands",
                  i, count(schedule->commands()));
    uint64_t begin = options.on_event ? now() : 0;
    switch (command.kind()) {
    case schema::CommandKind::Dispatch:
      dispatch(command);
      break;
    case schema::CommandKind::Barrier:
      // Threads meet after each command anyway.
      continue;
    case schema::CommandKind::Copy:
    case schema::CommandKind::Fill: {
      const auto &arguments = *command.arguments();
      const schema::Argument &last = *arguments.Get(arguments.size() - 1);
      uint64_t bytes = 0;
      evaluate(last.bytes(), batch, bytes);
      if (command.kind() == schema::CommandKind::Copy)
        std::memmove(resolve(last), resolve(*arguments.Get(0)), bytes);
      else
        std::memset(resolve(last), 0, bytes);
      break;
    }
    }
    if (!options.on_event)
      continue;
    uint64_t flop = 0;
    if (command.flop())
      evaluate(*command.flop(), batch, flop);
    vit_event event = {command.name() ? command.name()->c_str() : "",
                       kernelName(*schedule, command), begin, now(),
                       double(flop)};
    options.on_event(options.event_context, &event);
  }
  return VIT_OK;
}

vit_status vit_session::run(const char *entry, const vit_tensor *inputs,
                            int32_t inputCount, vit_tensor *outputs,
                            int32_t outputCount, vit_error *error) {
  VIT_TRY(findEntry(*module, entry, entryIndex, error));
  VIT_TRY(requireSchedule(*module, entryIndex, error));
  schedule = module->schedules[entryIndex];
  VIT_TRY(bind(inputs, inputCount, outputs, outputCount, error));
  VIT_TRY(plan(entryIndex, batch, error));
  VIT_TRY(makeRoom(error));
  return execute(error);
}

//===----------------------------------------------------------------------===//
// The C API
//===----------------------------------------------------------------------===//

extern "C" vit_status vit_session_create(vit_module *module,
                                         const vit_session_options *given,
                                         vit_session **out_session,
                                         vit_error *error) {
  if (!module || !out_session)
    return fail(error, VIT_INVALID_ARGUMENT, "module or out_session is NULL");
  *out_session = nullptr;
  vit_session_options options;
  VIT_TRY(readOptions(given, options, error));
  auto *session = create<vit_session>(module->allocator, module);
  if (!session)
    return outOfMemory(error, sizeof(vit_session), "the session");
  if (vit_status status = session->build(options, error)) {
    vit_session_release(session);
    return status;
  }
  *out_session = session;
  return VIT_OK;
}

extern "C" void vit_session_release(vit_session *session) {
  if (!session)
    return;
  Allocator allocator = session->module->allocator;
  destroy(allocator, session);
}

extern "C" vit_status vit_session_run(vit_session *session, const char *entry,
                                      const vit_tensor *inputs,
                                      int32_t input_count, vit_tensor *outputs,
                                      int32_t output_count, vit_error *error) {
  if (!session)
    return fail(error, VIT_INVALID_ARGUMENT, "session is NULL");
  return session->run(entry, inputs, input_count, outputs, output_count, error);
}
