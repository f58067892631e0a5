//===- Plan.cpp - Memory of one call --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Plan.h"

#include "Roles.h"
#include "Verify.h"
#include "format/Extent.h"
#include "format/ModuleFile.h"

#include <algorithm>
#include <cstdio>

namespace vit::runtime {

bool planSlots(const schema::Schedule &schedule, int64_t batch, uint64_t *sizes,
               uint64_t *offsets, uint64_t &total) {
  total = 0;
  for (uint32_t i = 0; i < count(schedule.slots()); ++i) {
    const auto *values = schedule.slots()->Get(i)->values();
    uint64_t size = 0;
    for (uint32_t v = 0; values && v < values->size(); ++v) {
      uint64_t bytes;
      if (!evaluate(*values->Get(v), batch, bytes))
        return false;
      size = bytes > size ? bytes : size;
    }
    if (sizes)
      sizes[i] = size;
    if (offsets)
      offsets[i] = total;
    total += alignUp(size, kAlignment);
    if (total > kMaxExtent)
      return false;
  }
  return true;
}

bool argumentBytes(const schema::Argument &argument, int64_t batch,
                   uint64_t &bytes) {
  switch (argument.kind()) {
  case schema::ArgumentKind::Derived:
  case schema::ArgumentKind::Constant:
  case schema::ArgumentKind::Arena:
  case schema::ArgumentKind::Rounded:
    bytes = argument.bytes().times();
    return bytes <= kMaxExtent;
  default:
    return evaluate(argument.bytes(), batch, bytes);
  }
}

uint64_t workSize(const schema::Command &command, int64_t batch) {
  uint64_t size = 0;
  if (command.kind() == schema::CommandKind::Dispatch)
    evaluate(*command.units(), batch, size);
  else if (command.kind() != schema::CommandKind::Barrier)
    evaluate(command.arguments()->Get(count(command.arguments()) - 1)->bytes(),
             batch, size);
  return size;
}

uint32_t firstChange(const vit_module &module,
                     const schema::Schedule &schedule) {
  uint32_t i = 0;
  while (i < count(schedule.commands()) &&
         !isUpdate(module, *schedule.commands()->Get(i)))
    ++i;
  return i;
}

/// Whether `isWanted` holds for an argument of a command.
template <typename IsWanted>
static bool anyArgument(const schema::Command &command, IsWanted isWanted) {
  for (uint32_t a = 0; a < count(command.arguments()); ++a)
    if (isWanted(*command.arguments()->Get(a)))
      return true;
  return false;
}

template <typename IsWanted>
static bool anyArgument(const schema::Schedule &schedule, IsWanted isWanted) {
  for (uint32_t i = 0; i < count(schedule.commands()); ++i)
    if (anyArgument(*schedule.commands()->Get(i), isWanted))
      return true;
  return false;
}

bool usesArenas(const schema::Schedule &schedule) {
  return anyArgument(schedule, isVariable);
}

bool usesRounded(const schema::Schedule &schedule, uint32_t arena) {
  return anyArgument(schedule, [&](const schema::Argument &argument) {
    return argument.kind() == schema::ArgumentKind::Rounded &&
           argument.index() == arena;
  });
}

/// Whether one is a range of an arena, the other that of its rounded copy.
static bool isRoundedFrom(const schema::Argument &rounded,
                          const schema::Argument &range) {
  return rounded.kind() == schema::ArgumentKind::Rounded &&
         range.kind() == schema::ArgumentKind::Arena &&
         rounded.index() == range.index() &&
         rounded.offset() * 2 == range.offset() &&
         rounded.bytes().times() * 2 == range.bytes().times();
}

const schema::Command *findUnrounded(const schema::Schedule &schedule,
                                     const schema::Schedule *const *schedules,
                                     size_t total) {
  auto isCopied = [&](uint32_t arena) {
    return std::any_of(schedules, schedules + total,
                       [&](const schema::Schedule *other) {
                         return other && usesRounded(*other, arena);
                       });
  };
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    auto isUnpaired = [&](const schema::Argument &argument) {
      bool isRounded = argument.kind() == schema::ArgumentKind::Rounded;
      bool isChanged = argument.kind() == schema::ArgumentKind::Arena &&
                       isCopied(argument.index());
      return (isRounded || isChanged) &&
             !anyArgument(command, [&](const schema::Argument &other) {
               return isRounded ? isRoundedFrom(argument, other)
                                : isRoundedFrom(other, argument);
             });
    };
    if (command.is_update() && anyArgument(command, isUnpaired))
      return &command;
  }
  return nullptr;
}

/// Whether an AllReduce may have this argument number `index`, of `bytes`,
/// after one of `before` bytes: a range of a slot, then as long a one of an
/// arena, both of a size that does not depend on the batch.
static bool isReducible(const schema::Argument &argument, uint32_t index,
                        uint64_t before, uint64_t bytes) {
  auto wanted =
      index % 2 == 0 ? schema::ArgumentKind::Slot : schema::ArgumentKind::Arena;
  return argument.kind() == wanted && argument.bytes().of() == 0 &&
         bytes % kAlignment == 0 && bytes == before;
}

bool checkCommand(const schema::Module &module, const schema::Entry &entry,
                  const schema::Command &command, int64_t batch,
                  const uint64_t *slotSizes, char *reason, size_t reasonSize) {
  uint64_t ignored;
  if ((command.units() && !evaluate(*command.units(), batch, ignored)) ||
      (command.flop() && !evaluate(*command.flop(), batch, ignored))) {
    std::snprintf(reason, reasonSize, "has impossible work at batch %lld",
                  static_cast<long long>(batch));
    return false;
  }
  uint32_t total = command.arguments() ? command.arguments()->size() : 0;
  uint64_t first = 0;
  for (uint32_t i = 0; i < total; ++i) {
    const schema::Argument &argument = *command.arguments()->Get(i);
    bool isPart =
        argument.kind() == schema::ArgumentKind::Slot || isVariable(argument);
    // An element of a rounded copy has half the bytes.
    uint64_t alignment = argument.kind() == schema::ArgumentKind::Rounded
                             ? kAlignment / 2
                             : kAlignment;
    uint64_t bytes = 0, room = 0;
    bool fits = argumentBytes(argument, batch, bytes);
    if (argument.offset() % alignment != 0 ||
        (argument.offset() != 0 && !isPart)) {
      std::snprintf(reason, reasonSize,
                    "begins argument %u at an impossible offset", i);
      return false;
    }
    switch (argument.kind()) {
    case schema::ArgumentKind::Input:
      fits = fits &&
             bindingBytes(*entry.inputs()->Get(argument.index()), batch, room);
      break;
    case schema::ArgumentKind::Output:
      fits = fits &&
             bindingBytes(*entry.outputs()->Get(argument.index()), batch, room);
      break;
    case schema::ArgumentKind::Slot:
      room = slotSizes[argument.index()];
      break;
    case schema::ArgumentKind::Derived:
      room = module.derived()->Get(argument.index())->bytes();
      break;
    case schema::ArgumentKind::Constant:
      room = module.constants()->Get(argument.index())->data()->size();
      break;
    case schema::ArgumentKind::Arena:
      room = module.arenas()->Get(argument.index())->bytes();
      break;
    case schema::ArgumentKind::Rounded:
      room = roundedBytes(*module.arenas()->Get(argument.index()));
      break;
    }
    room -= std::min(room, argument.offset());
    if (!fits || bytes > room) {
      std::snprintf(reason, reasonSize,
                    "goes beyond its argument %u at batch %lld: %llu of %llu "
                    "bytes",
                    i, static_cast<long long>(batch),
                    static_cast<unsigned long long>(bytes),
                    static_cast<unsigned long long>(room));
      return false;
    }
    bool writes = (command.kind() == schema::CommandKind::Copy && i == 1) ||
                  command.kind() == schema::CommandKind::Fill;
    if (writes && argument.kind() != schema::ArgumentKind::Slot &&
        argument.kind() != schema::ArgumentKind::Output) {
      std::snprintf(reason, reasonSize, "writes to what is read only");
      return false;
    }
    if (command.kind() == schema::CommandKind::Copy && i == 1 &&
        bytes != first) {
      std::snprintf(reason, reasonSize, "copies %llu bytes to %llu",
                    static_cast<unsigned long long>(first),
                    static_cast<unsigned long long>(bytes));
      return false;
    }
    if (command.kind() == schema::CommandKind::AllReduce &&
        !isReducible(argument, i, i % 2 == 1 ? first : bytes, bytes)) {
      std::snprintf(reason, reasonSize,
                    "reduces argument %u, which is no whole lines of a slot "
                    "onto as many of an arena",
                    i);
      return false;
    }
    if (command.kind() == schema::CommandKind::Wait &&
        ((argument.kind() != schema::ArgumentKind::Slot &&
          argument.kind() != schema::ArgumentKind::Output) ||
         bytes != sizeof(float))) {
      std::snprintf(reason, reasonSize,
                    "exchanges argument %u, which is no number that the entry "
                    "computes",
                    i);
      return false;
    }
    if (i % 2 == 0)
      first = bytes;
  }
  return true;
}

vit_status fitsGpu(const schema::Schedule &schedule, int64_t batch,
                   vit_error *error) {
  constexpr uint64_t most = INT32_MAX;
  for (uint32_t i = 0; i < count(schedule.commands()); ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    if (command.kind() != schema::CommandKind::Dispatch)
      continue;
    uint64_t largest = 0;
    evaluate(*command.units(), batch, largest);
    for (uint32_t a = 0; command.arguments() && a < command.arguments()->size();
         ++a) {
      uint64_t bytes = 0;
      argumentBytes(*command.arguments()->Get(a), batch, bytes);
      largest =
          bytes / sizeof(float) > largest ? bytes / sizeof(float) : largest;
    }
    if (largest > most)
      return fail(error, VIT_INVALID_ARGUMENT,
                  "a batch of %lld is too large for a GPU: '%s' would count to "
                  "%llu and %llu is the end; call it with smaller batches",
                  static_cast<long long>(batch),
                  command.name() ? command.name()->c_str() : "",
                  static_cast<unsigned long long>(largest),
                  static_cast<unsigned long long>(most));
  }
  return VIT_OK;
}

bool allBindingBytes(const schema::Entry &entry, int64_t batch,
                     uint64_t alignment, uint64_t &bytes) {
  bytes = 0;
  for (const auto *list : {entry.inputs(), entry.outputs()})
    for (const schema::Binding *binding : *list) {
      uint64_t one;
      if (!bindingBytes(*binding, batch, one))
        return false;
      bytes += alignUp(one, alignment);
      if (bytes > kMaxExtent)
        return false;
    }
  return true;
}

vit_status checkBatch(int64_t batch, vit_error *error) {
  if (batch >= 1 && batch <= kMaxBatch)
    return VIT_OK;
  return fail(error, VIT_INVALID_ARGUMENT,
              "a batch of %lld is not possible: 1 to %lld are",
              static_cast<long long>(batch), static_cast<long long>(kMaxBatch));
}

vit_status batchTooLarge(int64_t batch, vit_error *error) {
  return fail(error, VIT_INVALID_ARGUMENT,
              "a batch of %lld needs more memory than there are addresses",
              static_cast<long long>(batch));
}

} // namespace vit::runtime
