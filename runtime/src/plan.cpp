//===- plan.cpp - Memory of one call --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plan.h"

#include "extent.h"
#include "format.h"
#include "verify.h"

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
    total += alignUp(size, 64);
    if (total > kMaxExtent)
      return false;
  }
  return true;
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
    bool constant = argument.kind() == schema::ArgumentKind::Derived ||
                    argument.kind() == schema::ArgumentKind::Constant;
    uint64_t bytes = 0, room = 0;
    bool fits = true;
    if (constant)
      bytes = argument.bytes().times();
    else
      fits = evaluate(argument.bytes(), batch, bytes);
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
    }
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
    if (i == 0)
      first = bytes;
  }
  return true;
}

} // namespace vit::runtime
