//===- Session.cpp - Calling a module's entries ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session.h"

#include "Binding.h"
#include "Plan.h"
#include "format/ControlGroup.h"
#include "format/Extent.h"
#include "format/FloatControl.h"
#include "format/Threads.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace vit::runtime;
namespace format = vit::format;
namespace schema = vit::schema;

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

/// Copies a collective of this or an earlier version.
static vit_status readCollective(const vit_collective *given,
                                 vit_collective &collective, vit_error *error) {
  // Before NCCL it ended with `abort`.
  if (given->struct_size < offsetof(vit_collective, device) ||
      given->struct_size > 4096)
    return fail(error, VIT_INVALID_ARGUMENT,
                "struct_size of the collective is %zu: set it to "
                "sizeof(vit_collective)",
                given->struct_size);
  std::memcpy(&collective, given,
              std::min(given->struct_size, sizeof collective));
  return VIT_OK;
}

static vit_status checkDeviceCollective(const vit_device_collective &given,
                                        vit_reduction reduction,
                                        vit_error *error) {
  if (given.struct_size != sizeof given)
    return fail(error, VIT_INVALID_ARGUMENT,
                "struct_size of the device collective is %zu: set it to "
                "sizeof(vit_device_collective)",
                given.struct_size);
  if (!given.exchange || !given.all_gather ||
      (reduction == VIT_REDUCE_FAST && !given.all_reduce))
    return fail(error, VIT_INVALID_ARGUMENT,
                "the device collective needs both exchange and all_gather, and "
                "all_reduce for VIT_REDUCE_FAST");
  return VIT_OK;
}

static vit_status checkCollective(const vit_collective &given,
                                  vit_reduction reduction, vit_error *error) {
  if (given.ranks < 1 || given.rank < 0 || given.rank >= given.ranks)
    return fail(error, VIT_INVALID_ARGUMENT,
                "the collective has rank %d of %d ranks", given.rank,
                given.ranks);
  if (!given.exchange || !given.all_gather)
    return fail(error, VIT_INVALID_ARGUMENT,
                "the collective needs both exchange and all_gather");
  if (reduction != VIT_REDUCE_ORDERED && reduction != VIT_REDUCE_FAST)
    return fail(error, VIT_INVALID_ARGUMENT, "%d is no reduction",
                numberOf(reduction));
  if (reduction == VIT_REDUCE_FAST && !given.all_reduce)
    return fail(error, VIT_UNSUPPORTED,
                "the collective has no all_reduce: choose the reduction "
                "VIT_REDUCE_ORDERED");
  return given.device ? checkDeviceCollective(*given.device, reduction, error)
                      : VIT_OK;
}

/// Prepares for the ranks of the options and the schedules of the executor.
vit_status vit_session::buildReduction(vit_error *error) {
  const vit_collective *collective = options.collective;
  uint64_t mostElements = 0;
  uint32_t mostRanges = 0;
  for (uint32_t i = 0; i < count(module->root->entries()); ++i) {
    const schema::Schedule *schedule = executor->schedule(i);
    uint32_t ranges = 0;
    for (uint32_t k = 0; schedule && k < count(schedule->commands()); ++k) {
      const schema::Command &command = *schedule->commands()->Get(k);
      if (command.kind() != schema::CommandKind::AllReduce)
        continue;
      for (const schema::Argument *argument : *command.arguments())
        mostElements =
            std::max(mostElements, argument->bytes().times() / sizeof(float));
      ranges += command.arguments()->size() / 2;
    }
    mostRanges = std::max(mostRanges, ranges);
  }
  if (collective && collective->ranks > 1 && mostRanges == 0)
    return fail(error, VIT_UNSUPPORTED,
                "'%s' has no training step for several ranks: compile it again "
                "with vit-compile --train='accumulate=K ...' --distribute",
                module->name.data());
  bool isOnDevice =
      collective && collective->device && executor->reducesOnDevice();
  VIT_TRY(reduction.build(collective, options.reduction, isOnDevice,
                          mostElements, mostRanges, module->allocator, error));
  return reduction.device() ? executor->joinRanks(mostElements, error) : VIT_OK;
}

vit_session::~vit_session() {
  if (executor)
    parameters->letGo(executor);
  destroy(module->allocator, executor);
  vit_parameters_release(parameters);
  vit_module_release(module);
}

vit_status vit_session::build(const vit_session_options &given,
                              vit_error *error) {
  options = given;
  if (options.threads < 0 || options.threads > format::kMaxThreads)
    return fail(error, VIT_INVALID_ARGUMENT,
                "%d threads are not possible: 1 to %d, or 0 for one per core",
                options.threads, format::kMaxThreads);
  if (options.parameters && options.parameters->module != module)
    return fail(error, VIT_INVALID_ARGUMENT,
                "the parameters belong to another module");
  vit_collective collective = {};
  if (options.collective) {
    VIT_TRY(readCollective(options.collective, collective, error));
    VIT_TRY(checkCollective(collective, options.reduction, error));
    options.collective = &collective;
  }
  // A module without code for this machine can be inspected, but not run.
  VIT_TRY(checkDevice(*module, options, error));
  const Allocator &allocator = module->allocator;
  if (options.parameters) {
    parameters = options.parameters;
    vit_parameters_retain(parameters);
  } else {
    VIT_TRY(vit_parameters_create(module, &parameters, error));
  }
  int threads = options.threads;
  if (threads == 0)
    threads = format::defaultThreads();
  if (threads == 0)
    return fail(error, VIT_INVALID_ARGUMENT,
                "VIT_NUM_THREADS is '%s': it must be a number from 1 to %d",
                std::getenv("VIT_NUM_THREADS"), format::kMaxThreads);
  VIT_TRY(createExecutor({*module, *parameters, options, threads, reduction},
                         options.device, executor, error));
  VIT_TRY(buildReduction(error));
  hasOwnBudget = options.memory_budget != 0;
  bool isCpu = !options.device || std::strcmp(options.device, "cpu") == 0;
  if (!hasOwnBudget && isCpu)
    options.memory_budget = format::usableMemory();
  // The caller may free its strings after this call. Messages need the
  // precision, which was checked.
  options.device = nullptr;
  options.collective = nullptr;
  options.level = nullptr;
  auto precision = format::ElementType::F32;
  if (options.precision && format::parsePrecision(options.precision, precision))
    options.precision = format::precisionName(precision);

  uint32_t inputs = 0, outputs = 0, slots = 0;
  for (uint32_t i = 0; i < count(module->root->entries()); ++i) {
    inputs = std::max(inputs, module->entry(i).inputs()->size());
    outputs = std::max(outputs, module->entry(i).outputs()->size());
    const schema::Schedule *schedule = executor->schedule(i);
    if (!schedule)
      continue;
    slots = std::max(slots, count(schedule->slots()));
    // Allocate what training needs now, so that a lack of memory is reported
    // here.
    if (::usesArenas(*schedule))
      VIT_TRY(parameters->makeArenas(error));
  }
  if (!inputPointers.allocate(allocator, inputs) ||
      !outputPointers.allocate(allocator, outputs) ||
      !inputMemory.allocate(allocator, inputs) ||
      !outputMemory.allocate(allocator, outputs) ||
      !slotSizes.allocate(allocator, slots) ||
      !slotOffsets.allocate(allocator, slots))
    return outOfMemory(error, slots * 16ull, "the session");
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Binding inputs and outputs
//===----------------------------------------------------------------------===//

vit_status vit_session::checkMemory(const schema::Binding &binding,
                                    const vit_tensor &tensor, const char *what,
                                    vit_error *error) const {
  int memory = numberOf(tensor.memory);
  if (memory == VIT_HOST ||
      (memory == VIT_DEVICE && executor->takesDeviceMemory()))
    return VIT_OK;
  if (memory == VIT_DEVICE)
    return fail(
        error, VIT_UNSUPPORTED,
        "%s '%s' is in device memory, which only sessions on CUDA take: "
        "copy it to the host",
        what, binding.name()->c_str());
  return fail(error, VIT_INVALID_ARGUMENT,
              "%s '%s' has %d for 'memory': set the whole vit_tensor to zero "
              "before filling it in",
              what, binding.name()->c_str(), memory);
}

vit_status vit_session::bind(const schema::Entry &entry,
                             const vit_tensor *inputs, int32_t inputCount,
                             vit_tensor *outputs, int32_t outputCount,
                             vit_error *error) {
  if (inputCount < 0 || outputCount < 0 || (inputCount > 0 && !inputs) ||
      (outputCount > 0 && !outputs))
    return fail(error, VIT_INVALID_ARGUMENT,
                "inputs or outputs are NULL or their count is negative");
  for (const void *&pointer : inputPointers)
    pointer = nullptr;
  for (void *&pointer : outputPointers)
    pointer = nullptr;
  batch = 0;
  // The entry's first input determines the batch; tensors may come in any
  // order.
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
    VIT_TRY(checkMemory(binding, inputs[i], "input", error));
    inputPointers[index] = inputs[i].data;
    inputMemory[index] = inputs[i].memory;
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
    VIT_TRY(checkMemory(binding, outputs[i], "output", error));
    outputPointers[index] = outputs[i].data;
    outputMemory[index] = outputs[i].memory;
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// Evaluates the closed forms, unless the last call had the same entry and
/// batch.
vit_status vit_session::plan(uint32_t entry, int64_t newBatch,
                             vit_error *error) {
  if (plannedBatch == newBatch && plannedEntry == entry)
    return VIT_OK;
  plannedBatch = 0;
  const schema::Schedule &schedule = *executor->schedule(entry);
  if (!planSlots(schedule, newBatch, slotSizes.data(), slotOffsets.data(),
                 slotBytes))
    return batchTooLarge(newBatch, error);
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    char reason[256];
    if (!checkCommand(*module->root, module->entry(entry),
                      *schedule.commands()->Get(i), newBatch, slotSizes.data(),
                      reason, sizeof reason))
      return fail(error, VIT_CORRUPT, "'%s' is damaged: command %u %s",
                  module->name.data(), i, reason);
  }
  if (schedule.target() != schema::Target::Cpu)
    VIT_TRY(fitsGpu(schedule, newBatch, error));
  firstChange = ::firstChange(*module, schedule);
  usesArenas = ::usesArenas(schedule);
  plannedEntry = entry;
  plannedBatch = newBatch;
  return VIT_OK;
}

/// Computes the bytes of the whole workspace at a batch. Returns false on
/// overflow.
bool vit_session::workspaceBytes(uint32_t entry, int64_t atBatch,
                                 void *const *outputs, uint64_t &bytes) const {
  uint64_t slots;
  return planSlots(*executor->schedule(entry), atBatch, nullptr, nullptr,
                   slots) &&
         executor->workspaceBytes(entry, atBatch, slots, outputs, bytes);
}

/// Names the largest batch that fits, 0 if none does.
static void describeFitting(int64_t fits, char *text, size_t size) {
  if (fits > 0)
    std::snprintf(text, size, "a batch of %lld fits", lld(fits));
  else
    std::snprintf(text, size, "even a batch of 1 needs more");
}

vit_status vit_session::checkBudget(uint32_t entry, vit_error *error) const {
  void *const *outputs = outputPointers.data();
  uint64_t total;
  if (!executor->workspaceBytes(entry, batch, slotBytes, outputs, total))
    return batchTooLarge(batch, error);
  uint64_t budget = options.memory_budget ? options.memory_budget : UINT64_MAX;
  uint64_t room = executor->workspaceRoom(total);
  uint64_t limit = std::min(budget, room);
  if (total <= limit)
    return VIT_OK;
  int64_t fits = 0, tooLarge = batch;
  while (tooLarge - fits > 1) {
    int64_t middle = fits + (tooLarge - fits) / 2;
    uint64_t bytes;
    bool within =
        workspaceBytes(entry, middle, outputs, bytes) && bytes <= limit;
    (within ? fits : tooLarge) = middle;
  }
  char hint[64];
  describeFitting(fits, hint, sizeof hint);
  if (room < budget)
    return fail(error, VIT_OUT_OF_MEMORY,
                "out of memory: a batch of %lld needs %llu bytes of workspace "
                "and '%s' has %llu left: %s",
                lld(batch), llu(total), executor->deviceName(), llu(room),
                hint);
  return fail(error, VIT_OVER_BUDGET,
              "a batch of %lld needs %llu bytes of workspace and the %s "
              "is %llu: %s",
              lld(batch), llu(total),
              hasOwnBudget ? "budget"
                           : "memory of the machine or control group",
              llu(budget), hint);
}

/// Everything before a call; after it only the executor can fail.
vit_status vit_session::prepare(const char *name, const vit_tensor *inputs,
                                int32_t inputCount, vit_tensor *outputs,
                                int32_t outputCount, Call &call,
                                vit_error *error) {
  uint32_t entry;
  VIT_TRY(findEntry(*module, name, entry, error));
  if (!executor->schedule(entry))
    return executor->explainMissing(entry, error);
  VIT_TRY(bind(module->entry(entry), inputs, inputCount, outputs, outputCount,
               error));
  VIT_TRY(plan(entry, batch, error));
  VIT_TRY(checkBudget(entry, error));
  VIT_TRY(parameters->prepare(*executor->schedule(entry), usesArenas, executor,
                              error));
  call = {entry,
          batch,
          inputPointers.data(),
          outputPointers.data(),
          inputMemory.data(),
          outputMemory.data(),
          slotSizes.data(),
          slotOffsets.data(),
          slotBytes,
          firstChange};
  return VIT_OK;
}

vit_status vit_session::run(const char *name, const vit_tensor *inputs,
                            int32_t inputCount, vit_tensor *outputs,
                            int32_t outputCount, vit_error *error) {
  Call call = {};
  VIT_TRY(prepare(name, inputs, inputCount, outputs, outputCount, call, error));
  if (!isStep && !reduction.isAlone() &&
      reduces(*executor->schedule(call.entry)))
    return fail(error, VIT_UNSUPPORTED,
                "entry '%s' is a training step of %d ranks: call it by "
                "vit_session_step",
                module->entry(call.entry).name()->c_str(), reduction.ranks());
  VIT_TRY(executor->run(call, error));
  return parameters->requireWhole(error);
}

vit_status vit_session::warmUp(const char *name, int64_t atBatch,
                               vit_error *error) {
  uint32_t index;
  VIT_TRY(findEntry(*module, name, index, error));
  const schema::Schedule *schedule = executor->schedule(index);
  if (!schedule)
    return executor->explainMissing(index, error);
  VIT_TRY(checkBatch(atBatch, error));
  if (::firstChange(*module, *schedule) < count(schedule->commands()))
    return fail(
        error, VIT_UNSUPPORTED,
        "entry '%s' changes parameters or states: a step on zeros would "
        "change them",
        module->entry(index).name()->c_str());
  const auto &bindings = *module->entry(index).inputs();
  uint64_t total = 0;
  for (const schema::Binding *binding : bindings) {
    uint64_t bytes;
    if (!bindingBytes(*binding, atBatch, bytes) ||
        bytes > format::kMaxExtent - total)
      return batchTooLarge(atBatch, error);
    total += alignUp(bytes, kAlignment);
  }
  Array<unsigned char> zeros;
  Array<vit_tensor> inputs;
  if (!zeros.allocate(module->allocator, total) ||
      !inputs.allocate(module->allocator, bindings.size()))
    return outOfMemory(error, total, "the inputs");
  uint64_t next = 0;
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    const schema::Binding &binding = *bindings.Get(i);
    describeOutput(binding, inputs[i], atBatch);
    inputs[i].name = binding.name()->c_str();
    inputs[i].data = zeros.data() + next;
    bindingBytes(binding, atBatch, inputs[i].size);
    next += alignUp(inputs[i].size, kAlignment);
  }
  return run(name, inputs.data(), int32_t(bindings.size()), nullptr, 0, error);
}

vit_status vit_session::findNotFinite(const char *entry,
                                      const vit_tensor *inputs,
                                      int32_t inputCount, char *name,
                                      size_t size, vit_error *error) {
  Call call;
  VIT_TRY(prepare(entry, inputs, inputCount, nullptr, 0, call, error));
  const char *found = nullptr;
  VIT_TRY(executor->findNotFinite(call, found, error));
  std::snprintf(name, size, "%s", found ? found : "");
  return VIT_OK;
}

vit_status vit_session::workspaceSize(const char *name, int64_t atBatch,
                                      uint64_t &bytes, vit_error *error) const {
  uint32_t entry;
  VIT_TRY(findEntry(*module, name, entry, error));
  if (!executor->schedule(entry))
    return executor->explainMissing(entry, error);
  VIT_TRY(checkBatch(atBatch, error));
  if (!workspaceBytes(entry, atBatch, nullptr, bytes))
    return batchTooLarge(atBatch, error);
  return VIT_OK;
}

vit_status vit_session::describeCode(const char *name, vit_code_info &info,
                                     vit_error *error) const {
  uint32_t entry;
  VIT_TRY(findEntry(*module, name, entry, error));
  const schema::Schedule *schedule = executor->schedule(entry);
  if (!schedule)
    return executor->explainMissing(entry, error);
  // A schedule that runs has a known level, with a product in its precision.
  const format::Level &level = *levelOf(*schedule);
  auto precision = format::ElementType(schedule->precision());
  info.level = level.name;
  info.precision = format::precisionName(precision);
  info.is_widened = format::isWidened(*format::findProduct(level, precision));
  return VIT_OK;
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
  // Also for the threads of the session, which start here.
  format::StandardFloats floats;
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
  format::StandardFloats floats;
  return session->run(entry, inputs, input_count, outputs, output_count, error);
}

extern "C" vit_status vit_session_warm_up(vit_session *session,
                                          const char *entry, int64_t batch,
                                          vit_error *error) {
  if (!session)
    return fail(error, VIT_INVALID_ARGUMENT, "session is NULL");
  format::StandardFloats floats;
  return session->warmUp(entry, batch, error);
}

extern "C" vit_status vit_session_step(vit_session *session, vit_step *step,
                                       vit_error *error) {
  if (!session || !step)
    return fail(error, VIT_INVALID_ARGUMENT, "session or step is NULL");
  format::StandardFloats floats;
  return session->step(*step, error);
}

extern "C" vit_status
vit_session_find_not_finite(vit_session *session, const char *entry,
                            const vit_tensor *inputs, int32_t input_count,
                            char *out_name, size_t size, vit_error *error) {
  if (!session || !out_name || size == 0)
    return fail(error, VIT_INVALID_ARGUMENT,
                "session or out_name is NULL or has no room");
  format::StandardFloats floats;
  return session->findNotFinite(entry, inputs, input_count, out_name, size,
                                error);
}

extern "C" vit_status vit_session_workspace_size(const vit_session *session,
                                                 const char *entry,
                                                 int64_t batch,
                                                 uint64_t *out_bytes,
                                                 vit_error *error) {
  if (!session || !out_bytes)
    return fail(error, VIT_INVALID_ARGUMENT, "session or out_bytes is NULL");
  return session->workspaceSize(entry, batch, *out_bytes, error);
}

extern "C" vit_status vit_session_code(const vit_session *session,
                                       const char *entry, vit_code_info *out,
                                       vit_error *error) {
  if (!session || !out)
    return fail(error, VIT_INVALID_ARGUMENT, "session or out is NULL");
  if (out->struct_size < sizeof(size_t) || out->struct_size > 4096)
    return fail(error, VIT_INVALID_ARGUMENT,
                "struct_size is %zu: set it to sizeof(vit_code_info)",
                out->struct_size);
  vit_code_info full = {};
  full.struct_size = out->struct_size;
  VIT_TRY(session->describeCode(entry, full, error));
  std::memcpy(out, &full,
              full.struct_size < sizeof full ? full.struct_size : sizeof full);
  return VIT_OK;
}
