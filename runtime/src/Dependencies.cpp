//===- Dependencies.cpp - Which commands wait for which -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Dependencies.h"

#include "Plan.h"
#include "Verify.h"

namespace vit::runtime {

static bool writes(const schema::Command &command, uint32_t argument) {
  uint32_t arguments = count(command.arguments());
  if (command.kind() != schema::CommandKind::Dispatch)
    return argument + 1 == arguments;
  if (command.is_update())
    return isVariable(*command.arguments()->Get(argument)) ||
           argument + command.results() >= arguments;
  return command.results() == 0 || argument + command.results() >= arguments;
}

vit_status Dependencies::listUses(const Allocator &allocator,
                                  const schema::Schedule &schedule,
                                  int64_t batch, vit_error *error) {
  uint32_t commands = count(schedule.commands());
  size_t most = 0;
  for (uint32_t i = 0; i < commands; ++i)
    most += count(schedule.commands()->Get(i)->arguments());
  if (!uses.allocate(allocator, most) ||
      !firstUse.allocate(allocator, size_t(commands) + 1) ||
      !first.allocate(allocator, size_t(commands) + 1))
    return outOfMemory(error, most * sizeof(Use), "a call's commands");
  uint32_t next = 0;
  for (uint32_t i = 0; i < commands; ++i) {
    const schema::Command &command = *schedule.commands()->Get(i);
    firstUse[i] = next;
    for (uint32_t a = 0;
         workSize(command, batch) != 0 && a < count(command.arguments()); ++a) {
      const schema::Argument &argument = *command.arguments()->Get(a);
      uint64_t bytes = 0;
      argumentBytes(argument, batch, bytes);
      uses[next++] = {argument.kind(), writes(command, a), argument.index(),
                      argument.offset(), argument.offset() + bytes};
    }
  }
  firstUse[commands] = next;
  return VIT_OK;
}

bool Dependencies::conflict(uint32_t a, uint32_t b) const {
  for (uint32_t i = firstUse[a]; i < firstUse[a + 1]; ++i)
    for (uint32_t j = firstUse[b]; j < firstUse[b + 1]; ++j) {
      const Use &one = uses[i], &other = uses[j];
      if ((one.isWritten || other.isWritten) && one.kind == other.kind &&
          one.index == other.index && one.begin < other.end &&
          other.begin < one.end)
        return true;
    }
  return false;
}

/// Calls visit(command, earlier) for each dependency. `ancestors` has room for
/// one bit per pair of commands.
template <typename Visit>
void Dependencies::forEachEdge(uint32_t commands, Array<uint64_t> &ancestors,
                               Visit visit) const {
  size_t words = (size_t(commands) + 63) / 64;
  for (uint32_t i = 0; i < commands; ++i) {
    uint64_t *mine = ancestors.data() + i * words;
    for (size_t w = 0; w < words; ++w)
      mine[w] = 0;
    for (uint32_t j = i; j-- > 0;) {
      if ((mine[j / 64] >> j % 64 & 1) || !conflict(i, j))
        continue;
      visit(i, j);
      const uint64_t *theirs = ancestors.data() + j * words;
      for (size_t w = 0; w < words; ++w)
        mine[w] |= theirs[w];
      mine[j / 64] |= uint64_t(1) << j % 64;
    }
  }
}

vit_status Dependencies::find(const Allocator &allocator,
                              const schema::Schedule &schedule, int64_t batch,
                              vit_error *error) {
  VIT_TRY(listUses(allocator, schedule, batch, error));
  uint32_t commands = count(schedule.commands());
  size_t words = (size_t(commands) + 63) / 64;
  Array<uint64_t> ancestors;
  if (!ancestors.allocate(allocator, words * commands))
    return outOfMemory(error, words * commands * 8ull, "a call's commands");
  uint32_t total = 0;
  forEachEdge(commands, ancestors, [&](uint32_t, uint32_t) { ++total; });
  if (!edges.allocate(allocator, total))
    return outOfMemory(error, total * 4ull, "a call's commands");
  uint32_t next = 0, listed = 0;
  forEachEdge(commands, ancestors, [&](uint32_t command, uint32_t earlier) {
    for (; listed <= command; ++listed)
      first[listed] = next;
    edges[next++] = earlier;
  });
  for (; listed <= commands; ++listed)
    first[listed] = next;
  return VIT_OK;
}

} // namespace vit::runtime
