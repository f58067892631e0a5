//===- Placement.cpp - Where weights are on a Vulkan device ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Placement.h"

#include <algorithm>
#include <cstdio>

namespace vit::runtime::vulkan {

/// Larger chunks have no advantage, and large allocations fail more often.
static constexpr uint64_t kMaxChunk = uint64_t(1) << 30;
static constexpr uint32_t kNone = UINT32_MAX;

static uint64_t bytesOf(const schema::Module &module,
                        const schema::Argument &argument) {
  switch (argument.kind()) {
  case schema::ArgumentKind::Derived:
    return module.derived()->Get(argument.index())->bytes();
  case schema::ArgumentKind::Constant:
    return module.constants()->Get(argument.index())->data()->size();
  case schema::ArgumentKind::Arena:
    return module.arenas()->Get(argument.index())->bytes();
  case schema::ArgumentKind::Rounded:
    return roundedBytes(*module.arenas()->Get(argument.index()));
  default:
    return 0;
  }
}

/// Calls `visit(argument)` for each argument of a command that is in a chunk.
template <typename Visit>
static void forEachWeight(const schema::Command &command, Visit visit) {
  for (uint32_t i = 0; i < count(command.arguments()); ++i)
    if (isWeight(*command.arguments()->Get(i)))
      visit(*command.arguments()->Get(i));
}

uint32_t &Placement::firstOf(schema::ArgumentKind kind, uint32_t index) {
  uint32_t before = 0;
  if (kind != schema::ArgumentKind::Derived)
    before += derivedCount;
  if (kind != schema::ArgumentKind::Derived &&
      kind != schema::ArgumentKind::Constant)
    before += constantCount;
  if (kind == schema::ArgumentKind::Rounded)
    before += arenaCount;
  return firstPlace[before + index];
}

const Place *Placement::find(schema::ArgumentKind kind, uint32_t index,
                             uint32_t chunk) const {
  uint32_t at = firstOf(kind, index);
  while (at != kNone && places[at].chunk != chunk)
    at = places[at].next;
  return at == kNone ? nullptr : &places[at];
}

static vit_status tooLarge(const Context &context, const char *what,
                           uint64_t bytes, vit_error *error) {
  return fail(error, VIT_UNSUPPORTED,
              "%s have %llu bytes and the device '%s' binds %llu: run this "
              "model on another device",
              what, llu(bytes), context.adapter->properties.deviceName,
              llu(context.adapter->maxRange));
}

void Placement::add(const schema::Argument &argument, uint64_t bytes,
                    uint32_t chunk) {
  uint32_t &first = firstOf(argument.kind(), argument.index());
  places[placed] = {argument.kind(), argument.index(),  chunk,
                    first,           chunkSizes[chunk], bytes};
  first = placed++;
  chunkSizes[chunk] += alignUp(bytes, kAlignment);
}

/// Places all arenas, if a schedule uses any, and their rounded copies, in one
/// chunk, together with what the same commands read and nothing else.
vit_status Placement::placeArenas(const Context &context,
                                  const schema::Module &module,
                                  const Schedules &schedules,
                                  vit_error *error) {
  for (const schema::Schedule *s : schedules)
    anyArena = anyArena || (s && usesArenas(*s));
  if (!anyArena)
    return VIT_OK;
  for (uint32_t i = 0; i < arenaCount; ++i) {
    schema::Argument arena(schema::ArgumentKind::Arena, i, {}, 0);
    add(arena, bytesOf(module, arena), 0);
    bool isRounded = std::any_of(
        schedules.begin(), schedules.end(),
        [&](const schema::Schedule *s) { return s && usesRounded(*s, i); });
    schema::Argument copy(schema::ArgumentKind::Rounded, i, {}, 0);
    if (isRounded)
      add(copy, bytesOf(module, copy), 0);
  }
  if (chunkSizes[0] > context.adapter->maxRange)
    return tooLarge(context, "the variables of training", chunkSizes[0], error);
  chunks = 2;
  return VIT_OK;
}

vit_status Placement::allocate(const Allocator &allocator,
                               const schema::Module &module,
                               const Schedules &schedules, vit_error *error) {
  derivedCount = count(module.derived());
  constantCount = count(module.constants());
  arenaCount = count(module.arenas());
  size_t commands = 0, uses = size_t(arenaCount) * 2;
  for (const schema::Schedule *s : schedules)
    for (uint32_t i = 0; s && i < count(s->commands()); ++i, ++commands)
      forEachWeight(*s->commands()->Get(i),
                    [&](const schema::Argument &) { ++uses; });
  if (!places.allocate(allocator, uses) ||
      !firstPlace.allocate(allocator, size_t(derivedCount) + constantCount +
                                          size_t(arenaCount) * 2) ||
      !firstCommand.allocate(allocator, schedules.size()) ||
      !chunkOfCommand.allocate(allocator, commands) ||
      !chunkSizes.allocate(allocator, commands + 2))
    return outOfMemory(error, uses * sizeof(Place), "the device's weights");
  for (uint32_t &first : firstPlace)
    first = kNone;
  return VIT_OK;
}

/// Places the weights of a command, so that all are in one chunk. Starts a new
/// chunk if no chunk has all of them and they do not fit in the last one.
vit_status Placement::placeCommand(const Context &context,
                                   const schema::Module &module,
                                   const schema::Command &command,
                                   uint32_t &chunk, vit_error *error) {
  uint64_t limit = context.adapter->maxRange;
  bool atArenas = false;
  forEachWeight(command, [&](const schema::Argument &a) {
    atArenas = atArenas || isVariable(a);
  });
  uint32_t last = atArenas ? 0 : chunks - 1, in = last;
  uint64_t all = 0, missing = 0;
  forEachWeight(command, [&](const schema::Argument &a) {
    uint64_t bytes = bytesOf(module, a);
    all += alignUp(bytes, kAlignment);
    if (!find(a.kind(), a.index(), last))
      missing += alignUp(bytes, kAlignment);
  });
  if (atArenas)
    all = chunkSizes[0] + missing;
  if (all > limit) {
    char what[256];
    std::snprintf(what, sizeof what, "the weights of '%.200s'%s",
                  command.name() ? command.name()->c_str() : "",
                  atArenas ? " and the variables of training" : "");
    return tooLarge(context, what, all, error);
  }
  // Not the chunk of the arenas, which is not shared.
  if (missing != 0)
    for (in = anyArena ? std::min(1u, last) : 0; in < last; ++in) {
      bool here = true;
      forEachWeight(command, [&](const schema::Argument &a) {
        here = here && find(a.kind(), a.index(), in);
      });
      if (here)
        break;
    }
  uint64_t most = std::min(limit, kMaxChunk);
  if (!atArenas && in == last && chunkSizes[last] != 0 &&
      chunkSizes[last] + missing > most)
    in = chunks++;
  forEachWeight(command, [&](const schema::Argument &a) {
    if (!find(a.kind(), a.index(), in))
      add(a, bytesOf(module, a), in);
  });
  chunk = in;
  return VIT_OK;
}

vit_status Placement::create(const Context &context,
                             const schema::Module &module,
                             const Schedules &schedules, vit_error *error) {
  VIT_TRY(allocate(context.allocator, module, schedules, error));
  // At least one chunk: a kernel without weights needs a binding too.
  chunks = 1;
  VIT_TRY(placeArenas(context, module, schedules, error));
  uint32_t at = 0;
  for (size_t e = 0; e < schedules.size(); ++e) {
    firstCommand[e] = at;
    for (uint32_t i = 0; schedules[e] && i < count(schedules[e]->commands());
         ++i, ++at)
      VIT_TRY(placeCommand(context, module, *schedules[e]->commands()->Get(i),
                           chunkOfCommand[at], error));
  }
  return VIT_OK;
}

} // namespace vit::runtime::vulkan
