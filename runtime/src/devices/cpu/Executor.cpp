//===- Executor.cpp - Calls on the CPU ------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Finite.h"
#include "Plan.h"
#include "Reduction.h"
#include "devices/Device.h"
#include "devices/cpu/Pool.h"
#include "format/Extent.h"
#include "format/Threads.h"

#include <algorithm>
#include <cmath>

namespace vit::runtime {

namespace {

class CpuExecutor : public Executor {
public:
  explicit CpuExecutor(const SessionContext &context) : Executor(context) {}

  vit_status build(vit_error *error);

  vit_status requireSchedule(uint32_t entry, vit_error *error) const override {
    return schedules[entry]
               ? VIT_OK
               : noCpuSchedule(context.module, entry, choice, error);
  }
  bool workspaceBytes(uint32_t entry, int64_t batch, uint64_t slotBytes,
                      void *const *outputs, uint64_t &bytes) const override;
  vit_status run(const Call &call, vit_error *error) override;
  vit_status findNotFinite(const Call &call, const char *&name,
                           vit_error *error) override;

private:
  int rank(const schema::Schedule &schedule) const override;
  vit_status makeRoom(const Call &call, vit_error *error);
  void execute(uint32_t first, uint32_t last, bool newIsObserved);
  bool next(Launch &launch);
  void readyForms(Launch &launch);
  void report();
  bool isAlone() const { return !isShared || context.reduction.isAlone(); }
  void addLines(const schema::Command &command, int64_t begin,
                int64_t end) const;
  bool reduce(const schema::Command &command, Launch &launch) const;
  void waitForRanks(const schema::Command &command);
  bool prepare(const schema::Command &command, Launch &launch) const;
  void dispatch(const schema::Command &command, Launch &launch) const;
  bool allFinite(const schema::Command &command) const;
  void move(const schema::Command &command) const;
  void *resolve(const schema::Argument &argument) const;

  CpuChoice choice;
  /// The module's, or `ownCode` in a session of another level or precision.
  const Code *code = nullptr;
  Code ownCode;
  Pool pool;
  Array<uint64_t> scratchStrides; ///< per entry, of one thread
  Array<bool> hasForms; ///< per entry: a call has made its forms ready

  // The current call.
  const Call *call = nullptr;
  Array<void *> outputPlaces;    ///< the caller's or, left out, the workspace's
  uint32_t command = 0, end = 0; ///< the next one, and where to stop
  const schema::Command *running = nullptr; ///< with its time of begin
  uint64_t begin = 0;
  bool isObserved = false; ///< by the callbacks of the options
  bool isCancelled = false;
  /// Whether other ranks take part: not in a search for NaN.
  bool isShared = false;
  /// The ranks have exchanged their results: the call cannot be cancelled.
  bool isAgreed = false;
  bool isNotFinite = false;    ///< the loss of a rank
  vit_status failure = VIT_OK; ///< of the collective
  vit_error failureError;

  /// Slots, then outputs that the caller left out, then each thread's scratch.
  Array<unsigned char> workspace;
  unsigned char *scratch = nullptr;
};

} // namespace

int CpuExecutor::rank(const schema::Schedule &schedule) const {
  const format::Level *level = levelOf(schedule);
  return level && choice.allows(*level) ? level->rank : 0;
}

vit_status CpuExecutor::build(vit_error *error) {
  choice = context.module.cpu;
  const char *limit = context.options.level;
  if (limit && !lowerRank(limit, choice.maxRank))
    return unknownLevel("the option level", format::Target::Cpu, error);
  VIT_TRY(chooseSchedules(schema::Target::Cpu, error));
  code = &context.module.code;
  bool isModules = true;
  for (uint32_t i = 0; i < schedules.size(); ++i)
    isModules = isModules && schedules[i] == context.module.schedules[i];
  if (!isModules) {
    VIT_TRY(loadCode(context.module, schedules, ownCode, error));
    code = &ownCode;
  }
  const Allocator &allocator = context.module.allocator;
  auto entries = uint32_t(schedules.size());
  uint32_t outputs = 0;
  for (uint32_t i = 0; i < entries; ++i)
    outputs = std::max(outputs, context.module.entry(i).outputs()->size());
  if (!scratchStrides.allocate(allocator, entries) ||
      !hasForms.allocate(allocator, entries) ||
      !outputPlaces.allocate(allocator, outputs))
    return outOfMemory(error, outputs * 8ull, "the session");
  for (uint32_t i = 0; i < entries; ++i)
    for (uint32_t k = 0; schedules[i] && k < count(schedules[i]->kernels());
         ++k)
      scratchStrides[i] = std::max<uint64_t>(
          scratchStrides[i],
          alignUp(schedules[i]->kernels()->Get(k)->scratch(), kAlignment));
  Pool::Host host = {context.options.parallel_for,
                     context.options.parallel_context};
  return pool.start(context.threads, host, allocator, error);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

bool CpuExecutor::workspaceBytes(uint32_t entry, int64_t batch,
                                 uint64_t slotBytes, void *const *outputs,
                                 uint64_t &bytes) const {
  bytes = slotBytes;
  const auto &bindings = *context.module.entry(entry).outputs();
  for (uint32_t i = 0; outputs && i < bindings.size(); ++i) {
    uint64_t one;
    if (!bindingBytes(*bindings.Get(i), batch, one))
      return false;
    if (!outputs[i])
      bytes += alignUp(one, kAlignment);
    if (bytes > kMaxExtent)
      return false;
  }
  bytes += scratchStrides[entry] * uint64_t(context.threads);
  return bytes <= kMaxExtent;
}

/// Grows the workspace if this call needs more and places the outputs that the
/// caller left out.
vit_status CpuExecutor::makeRoom(const Call &call, vit_error *error) {
  uint64_t total = 0;
  workspaceBytes(call.entry, call.batch, call.slotBytes, call.outputs, total);
  if (total > workspace.size()) {
    // Freed first, so that the old and the new one never exist together.
    workspace.clear();
    if (!workspace.allocateRaw(context.module.allocator, total))
      return outOfMemory(error, total, "the workspace");
  }
  unsigned char *next = workspace.data() + call.slotBytes;
  const auto &bindings = *context.module.entry(call.entry).outputs();
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    outputPlaces[i] = call.outputs[i];
    if (outputPlaces[i])
      continue;
    uint64_t bytes = 0;
    bindingBytes(*bindings.Get(i), call.batch, bytes);
    outputPlaces[i] = next;
    next += alignUp(bytes, kAlignment);
  }
  scratch = next;
  return VIT_OK;
}

void *CpuExecutor::resolve(const schema::Argument &argument) const {
  uint32_t index = argument.index();
  switch (argument.kind()) {
  case schema::ArgumentKind::Input:
    return const_cast<void *>(call->inputs[index]);
  case schema::ArgumentKind::Output:
    return outputPlaces[index];
  case schema::ArgumentKind::Slot:
    return const_cast<unsigned char *>(workspace.data()) +
           call->slotOffsets[index] + argument.offset();
  case schema::ArgumentKind::Derived:
    return const_cast<void *>(context.parameters.forms.data(index));
  case schema::ArgumentKind::Constant:
    return const_cast<unsigned char *>(
        context.module.segments +
        context.module.root->constants()->Get(index)->data()->offset());
  case schema::ArgumentKind::Arena:
    return context.parameters.training.arenas.data(index) + argument.offset();
  case schema::ArgumentKind::Rounded: // for GPUs, which the module's checks
                                      // know
    break;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// A piece should take at least a tenth of a millisecond: this many bytes to
/// move, or as many operations times the factor below.
static constexpr double kPieceBytes = 1 << 20;
static constexpr double kOperationsPerByte = 16;
/// More pieces would only add calls.
static constexpr uint32_t kPiecesPerThread = 16;

/// The number of pieces that a dispatch is divided into: the same number for
/// each thread, so that all finish together if nothing disturbs them.
static uint32_t countPieces(const schema::Command &command, int64_t batch,
                            uint64_t units, uint32_t threads) {
  if (units <= threads)
    return uint32_t(units);
  double work = commandFlop(command, batch) / kOperationsPerByte;
  for (uint32_t i = 0; i < count(command.arguments()); ++i) {
    uint64_t bytes = 0;
    argumentBytes(*command.arguments()->Get(i), batch, bytes);
    work += double(bytes);
  }
  double wanted =
      std::min(work / kPieceBytes / threads,
               double(std::min<uint64_t>(kPiecesPerThread, units / threads)));
  return threads * std::max(uint32_t(wanted), uint32_t(1));
}

void CpuExecutor::dispatch(const schema::Command &command,
                           Launch &launch) const {
  const schema::Kernel &kernel =
      *schedules[call->entry]->kernels()->Get(command.kernel());
  launch.function = code->function(kernel);
  for (uint32_t i = 0; i < kernel.argument_count(); ++i)
    launch.arguments[i] = resolve(*command.arguments()->Get(i));
  launch.batch = call->batch;
  launch.units = 0;
  evaluate(*command.units(), call->batch, launch.units);
  launch.scratch = scratch;
  launch.scratchStride = scratchStrides[call->entry];
  auto threads = uint32_t(context.threads);
  launch.pieces =
      threads == 1 ? uint32_t(launch.units > 0)
                   : countPieces(command, call->batch, launch.units, threads);
}

/// Runs a Copy or Fill command.
void CpuExecutor::move(const schema::Command &command) const {
  const auto &arguments = *command.arguments();
  const schema::Argument &last = *arguments.Get(arguments.size() - 1);
  uint64_t bytes = 0;
  evaluate(last.bytes(), call->batch, bytes);
  if (command.kind() == schema::CommandKind::Copy)
    std::memmove(resolve(last), resolve(*arguments.Get(0)), bytes);
  else
    std::memset(resolve(last), 0, bytes);
}

/// Prepares the launch of a command that is divided among the threads, runs any
/// other; true in the first case.
bool CpuExecutor::prepare(const schema::Command &command,
                          Launch &launch) const {
  switch (command.kind()) {
  case schema::CommandKind::Dispatch:
    dispatch(command, launch);
    if (launch.pieces != 1)
      return launch.pieces != 0;
    launch.run(0, 0);
    break;
  case schema::CommandKind::Barrier:
    break; // Only older modules have one.
  case schema::CommandKind::Copy:
  case schema::CommandKind::Fill:
    move(command);
    break;
  case schema::CommandKind::AllReduce:
    return reduce(command, launch);
  case schema::CommandKind::Wait:
    break; // See `next`.
  }
  return false;
}

/// Elements of a line of 64 bytes, of which ranges of gradients are made.
static constexpr uint64_t kLine = 16;

/// Adds the gradients of lines [begin, end) of a bucket to their sums.
void CpuExecutor::addLines(const schema::Command &command, int64_t begin,
                           int64_t end) const {
  const auto &arguments = *command.arguments();
  for (uint32_t i = 0; i < arguments.size(); i += 2) {
    uint64_t bytes = 0;
    argumentBytes(*arguments.Get(i), call->batch, bytes);
    auto lines = int64_t(bytes / sizeof(float) / kLine);
    auto *gradients = static_cast<float *>(resolve(*arguments.Get(i)));
    const auto *sums =
        static_cast<const float *>(resolve(*arguments.Get(i + 1)));
    int64_t first = std::clamp<int64_t>(begin, 0, lines) * int64_t(kLine),
            last = std::clamp<int64_t>(end, 0, lines) * int64_t(kLine);
    for (int64_t k = first; k < last; ++k)
      gradients[k] = sums[k] + gradients[k];
    begin -= lines;
    end -= lines;
  }
}

/// Hands a bucket over to the thread that exchanges it with other ranks. On one
/// rank prepares a launch that adds the gradients to their sums, and returns
/// true.
bool CpuExecutor::reduce(const schema::Command &command, Launch &launch) const {
  const auto &arguments = *command.arguments();
  uint64_t lines = 0;
  for (uint32_t i = 0; i < arguments.size(); i += 2) {
    uint64_t bytes = 0;
    argumentBytes(*arguments.Get(i), call->batch, bytes);
    lines += bytes / sizeof(float) / kLine;
    if (!isAlone())
      context.reduction.start(
          commandName(command),
          static_cast<float *>(resolve(*arguments.Get(i))),
          static_cast<const float *>(resolve(*arguments.Get(i + 1))),
          bytes / sizeof(float));
  }
  if (!isAlone() || lines == 0)
    return false;
  launch.function = [](void *const *given, int64_t, int64_t begin, int64_t end,
                       void *) {
    static_cast<const CpuExecutor *>(given[0])->addLines(
        *static_cast<const schema::Command *>(given[1]), begin, end);
  };
  launch.arguments[0] = const_cast<CpuExecutor *>(this);
  launch.arguments[1] = const_cast<schema::Command *>(&command);
  launch.batch = call->batch;
  launch.units = lines;
  launch.pieces =
      uint32_t(std::min<uint64_t>(lines, uint64_t(context.threads)));
  launch.scratch = scratch;
  launch.scratchStride = 0;
  return true;
}

/// Waits for all buckets and exchanges the results of the ranks. Ends the call
/// where that fails or a loss is not finite.
void CpuExecutor::waitForRanks(const schema::Command &command) {
  const auto &arguments = *command.arguments();
  auto *loss = static_cast<float *>(resolve(*arguments.Get(0)));
  auto *correct = arguments.size() > 1
                      ? static_cast<int32_t *>(resolve(*arguments.Get(1)))
                      : nullptr;
  RankResult result = {*loss, correct ? *correct : -1};
  failure = context.reduction.wait(result, &failureError);
  isAgreed = failure == VIT_OK;
  *loss = result.loss;
  if (correct)
    *correct = result.correct;
  isNotFinite = isAgreed && !std::isfinite(result.loss);
}

void CpuExecutor::report() {
  const vit_session_options &options = context.options;
  if (running && isObserved && options.on_event &&
      running->kind() != schema::CommandKind::Barrier &&
      (running->kind() != schema::CommandKind::AllReduce || isAlone())) {
    vit_event event = {commandName(*running),
                       kernelName(*schedules[call->entry], *running), begin,
                       monotonicTime(), commandFlop(*running, call->batch)};
    options.on_event(options.event_context, &event);
  }
  running = nullptr;
}

/// Prepares a launch before the first command of an entry, in which the threads
/// make its forms ready: a piece is those of one command.
void CpuExecutor::readyForms(Launch &launch) {
  launch.function = [](void *const *arguments, int64_t, int64_t begin,
                       int64_t end, void *) {
    const auto &self = *static_cast<const CpuExecutor *>(arguments[0]);
    const auto &commands = *self.schedules[self.call->entry]->commands();
    for (int64_t i = begin; i < end; ++i) {
      const schema::Command &command = *commands.Get(uint32_t(i));
      for (uint32_t k = 0; k < count(command.arguments()); ++k)
        if (const schema::Argument &argument = *command.arguments()->Get(k);
            argument.kind() == schema::ArgumentKind::Derived)
          self.context.parameters.forms.ready(argument.index());
    }
  };
  launch.arguments[0] = this;
  launch.units = count(schedules[call->entry]->commands());
  launch.pieces = uint32_t(std::min<uint64_t>(launch.units, kMaxPieces));
  launch.scratch = scratch;
  launch.scratchStride = 0;
  hasForms[call->entry] = true;
}

/// Executes commands up to the next one that is divided among the threads, and
/// prepares that; false after the last one.
bool CpuExecutor::next(Launch &launch) {
  if (command < end && !hasForms[call->entry] &&
      context.parameters.forms.areMapped()) {
    readyForms(launch);
    return true;
  }
  const auto &commands = *schedules[call->entry]->commands();
  const vit_session_options &options = context.options;
  for (report(); command < end; report()) {
    isCancelled = isObserved && command <= call->firstChange && !isAgreed &&
                  options.is_cancelled &&
                  options.is_cancelled(options.cancel_context);
    if (isCancelled)
      return false;
    running = commands.Get(command++);
    begin = options.on_event ? monotonicTime() : 0;
    if (prepare(*running, launch))
      return true;
    if (running->kind() != schema::CommandKind::Wait || isAlone())
      continue;
    waitForRanks(*running);
    report();
    if (isObserved)
      context.reduction.report(options);
    if (failure != VIT_OK || isNotFinite)
      return false;
  }
  return false;
}

/// Executes commands [first, last) of the current call. If it `newIsObserved`,
/// asks whether it is cancelled and reports events.
void CpuExecutor::execute(uint32_t first, uint32_t last, bool newIsObserved) {
  command = first;
  end = last;
  running = nullptr;
  isObserved = newIsObserved;
  isCancelled = false;
  auto nextOf = [](void *self, Launch &launch) {
    return static_cast<CpuExecutor *>(self)->next(launch);
  };
  pool.run(nextOf, this, isObserved);
}

vit_status CpuExecutor::run(const Call &newCall, vit_error *error) {
  VIT_TRY(makeRoom(newCall, error));
  call = &newCall;
  uint32_t total = count(schedules[newCall.entry]->commands());
  const vit_session_options &options = context.options;
  isShared = true;
  isAgreed = isNotFinite = false;
  failure = VIT_OK;
  failureError = {};
  execute(0, total, options.on_event || options.is_cancelled);
  if (failure != VIT_OK)
    return fail(error, failure, "%s", failureError.message);
  if (isNotFinite)
    return VIT_OK;
  if (isCancelled)
    return fail(error, VIT_CANCELLED,
                "the call was cancelled after %u of %u commands", command,
                total);
  if (newCall.firstChange < total)
    context.parameters.trained(nullptr);
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// NaN and infinity
//===----------------------------------------------------------------------===//

/// Checks the results of a command; its inputs were checked when they were
/// written.
bool CpuExecutor::allFinite(const schema::Command &command) const {
  for (uint32_t i = 0; i < count(command.arguments()); ++i) {
    const schema::Argument &argument = *command.arguments()->Get(i);
    if (argument.kind() != schema::ArgumentKind::Slot &&
        argument.kind() != schema::ArgumentKind::Output)
      continue;
    schema::DType type = count(command.element_types()) != 0
                             ? command.element_types()->Get(i)
                             : schema::DType::F32;
    if (type == schema::DType::I8) // its scales are another result
      continue;
    uint64_t bytes = 0;
    argumentBytes(argument, call->batch, bytes);
    const void *values = resolve(argument);
    bool isFinite = type == schema::DType::BF16 ? areBrainFinite(values, bytes)
                    : type == schema::DType::F16
                        ? areHalfFinite(values, bytes)
                        : areFinite(values, bytes / sizeof(float));
    if (!isFinite)
      return false;
  }
  return true;
}

vit_status CpuExecutor::findNotFinite(const Call &newCall, const char *&name,
                                      vit_error *error) {
  name = nullptr;
  VIT_TRY(makeRoom(newCall, error));
  call = &newCall;
  // Values that are left from other calls must not be reported.
  std::memset(workspace.data(), 0, workspace.size());
  isShared = false;
  const schema::Schedule &schedule = *schedules[newCall.entry];
  uint32_t end = std::min(newCall.firstChange, count(schedule.commands()));
  for (uint32_t i = 0; i < end; ++i) {
    execute(i, i + 1, false);
    const schema::Command &done = *schedule.commands()->Get(i);
    if (allFinite(done))
      continue;
    name = commandName(done);
    break;
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Creating and describing
//===----------------------------------------------------------------------===//

vit_status createCpuExecutor(const SessionContext &context, Executor *&executor,
                             vit_error *error) {
  return buildExecutor<CpuExecutor>(context, executor, error);
}

void describeCpuDevices(Text &json) {
  char name[64];
  processorName(name, sizeof name);
  CpuChoice choice;
  bool isKnown = readCpuChoice(choice);
  json.beginObject(nullptr);
  json.field("device", "cpu");
  json.field("name", name);
  json.field("cores", int64_t(format::availableCores()));
  json.beginArray("levels");
  for (const format::Level &level : format::levelsOf(format::Target::Cpu))
    if (choice.features.contains(level.features)) {
      json.beginObject(nullptr);
      json.field("name", level.name);
      describePrecisions(json, level);
      json.endObject();
    }
  json.endArray();
  // The best of them that VIT_CPU_LEVEL allows.
  const format::Level *level = isKnown ? choice.best() : nullptr;
  json.field("level", level ? level->name : "none");
  json.endObject();
}

} // namespace vit::runtime
