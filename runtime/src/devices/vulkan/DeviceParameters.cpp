//===- DeviceParameters.cpp - Parameters on a Vulkan device ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/DeviceParameters.h"

#include "Plan.h"

#include <algorithm>
#include <cstdio>

namespace vit::runtime::vulkan {

/// Larger chunks have no advantage, and large allocations fail more often.
static constexpr uint64_t kMaxChunk = uint64_t(1) << 30;
/// Size of the buffer for copies to memory that the host cannot access.
static constexpr uint64_t kStaging = uint64_t(16) << 20;

DeviceParameters::~DeviceParameters() {
  for (uint32_t i = 0; buffers && i < chunks; ++i)
    buffers[i].~Buffer();
  allocator.deallocate(buffers);
}

static uint64_t bytesOf(const schema::Module &module,
                        const schema::Argument &argument) {
  switch (argument.kind()) {
  case schema::ArgumentKind::Derived:
    return module.derived()->Get(argument.index())->bytes();
  case schema::ArgumentKind::Constant:
    return module.constants()->Get(argument.index())->data()->size();
  case schema::ArgumentKind::Arena:
    return module.arenas()->Get(argument.index())->bytes();
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

uint32_t &DeviceParameters::firstOf(schema::ArgumentKind kind, uint32_t index) {
  uint32_t before = kind == schema::ArgumentKind::Derived ? 0
                    : kind == schema::ArgumentKind::Constant
                        ? derivedCount
                        : derivedCount + constantCount;
  return firstPlace[before + index];
}

const DeviceParameters::Place *DeviceParameters::find(schema::ArgumentKind kind,
                                                      uint32_t index,
                                                      uint32_t chunk) const {
  uint32_t at = firstOf(kind, index);
  while (at != kNone && places[at].chunk != chunk)
    at = places[at].next;
  return at == kNone ? nullptr : &places[at];
}

uint64_t DeviceParameters::offsetOf(const schema::Argument &argument,
                                    uint32_t chunk) const {
  return find(argument.kind(), argument.index(), chunk)->offset +
         argument.offset();
}

uint64_t DeviceParameters::size() const {
  uint64_t total = 0;
  for (uint32_t i = 0; i < chunks; ++i)
    total += chunkSizes[i];
  return total;
}

vit_status DeviceParameters::tooLarge(const Context &context, const char *what,
                                      uint64_t bytes, vit_error *error) const {
  return fail(error, VIT_UNSUPPORTED,
              "%s have %llu bytes and the device '%s' binds %llu: run this "
              "model on another device",
              what, llu(bytes), context.adapter->properties.deviceName,
              llu(context.adapter->maxRange));
}

void DeviceParameters::add(const schema::Argument &argument, uint64_t bytes,
                           uint32_t chunk) {
  uint32_t &first = firstOf(argument.kind(), argument.index());
  places[placeCount] = {argument.kind(),
                        argument.index(),
                        chunk,
                        first,
                        chunkSizes[chunk],
                        bytes,
                        0};
  first = placeCount++;
  chunkSizes[chunk] += alignUp(bytes, kAlignment);
}

/// Places all arenas, if a schedule uses any, in one chunk, together with what
/// the same commands read and nothing else.
vit_status DeviceParameters::placeArenas(const Context &context,
                                         const schema::Module &module,
                                         const Schedules &schedules,
                                         vit_error *error) {
  bool any = false;
  for (const schema::Schedule *s : schedules)
    any = any || (s && usesArenas(*s));
  if (!any)
    return VIT_OK;
  for (uint32_t i = 0; i < count(module.arenas()); ++i) {
    schema::Argument arena(schema::ArgumentKind::Arena, i, {}, 0);
    add(arena, bytesOf(module, arena), 0);
  }
  if (chunkSizes[0] > context.adapter->maxRange)
    return tooLarge(context, "the variables of training", chunkSizes[0], error);
  chunks = 2;
  return VIT_OK;
}

/// Places weights in order of use, so that those of one command are in one
/// chunk. A command starts a new chunk if no chunk has all of its weights and
/// they do not fit in the last one.
vit_status DeviceParameters::place(const Context &context,
                                   const schema::Module &module,
                                   const Schedules &schedules,
                                   vit_error *error) {
  derivedCount = count(module.derived());
  constantCount = count(module.constants());
  size_t commands = 0, uses = count(module.arenas());
  for (const schema::Schedule *s : schedules)
    for (uint32_t i = 0; s && i < count(s->commands()); ++i, ++commands)
      forEachWeight(*s->commands()->Get(i),
                    [&](const schema::Argument &) { ++uses; });
  if (!places.allocate(allocator, uses) ||
      !firstPlace.allocate(allocator, size_t(derivedCount) + constantCount +
                                          count(module.arenas())) ||
      !firstCommand.allocate(allocator, schedules.size()) ||
      !chunkOfCommand.allocate(allocator, commands) ||
      !chunkSizes.allocate(allocator, commands + 2))
    return outOfMemory(error, uses * sizeof(Place), "the device's weights");
  for (uint32_t &first : firstPlace)
    first = kNone;

  uint64_t limit = context.adapter->maxRange;
  // At least one chunk: a kernel without weights needs a binding too.
  chunks = 1;
  VIT_TRY(placeArenas(context, module, schedules, error));
  uint32_t at = 0;
  for (size_t e = 0; e < schedules.size(); ++e) {
    firstCommand[e] = at;
    for (uint32_t i = 0; schedules[e] && i < count(schedules[e]->commands());
         ++i, ++at) {
      const schema::Command &command = *schedules[e]->commands()->Get(i);
      bool atArenas = false;
      forEachWeight(command, [&](const schema::Argument &a) {
        atArenas = atArenas || a.kind() == schema::ArgumentKind::Arena;
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
      if (missing != 0)
        for (in = 0; in < last; ++in) {
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
      chunkOfCommand[at] = in;
      forEachWeight(command, [&](const schema::Argument &a) {
        if (!find(a.kind(), a.index(), in))
          add(a, bytesOf(module, a), in);
      });
    }
  }
  return VIT_OK;
}

vit_status DeviceParameters::create(Context &context,
                                    const schema::Module &module,
                                    const Schedules &schedules,
                                    vit_error *error) {
  allocator = context.allocator;
  VIT_TRY(place(context, module, schedules, error));
  buffers = static_cast<Buffer *>(allocator.allocate(chunks * sizeof(Buffer)));
  if (!buffers)
    return outOfMemory(error, chunks * sizeof(Buffer), "the device's weights");
  for (uint32_t i = 0; i < chunks; ++i)
    new (&buffers[i]) Buffer();
  for (uint32_t i = 0; i < chunks; ++i)
    VIT_TRY(buffers[i].create(context,
                              std::max<uint64_t>(chunkSizes[i], kAlignment),
                              Use::Weights, "weights", error));
  return VIT_OK;
}

/// Calls `move(offset, size)` for pieces of `bytes` that fit in `staging`,
/// which is created if needed.
template <typename Move>
static vit_status inPieces(Context &context, Buffer &staging, Use use,
                           uint64_t bytes, uint64_t most, Move move,
                           vit_error *error) {
  if (!staging.handle)
    VIT_TRY(staging.create(context, std::min(kStaging, most), use,
                           "copying weights", error));
  for (uint64_t done = 0; done < bytes;) {
    uint64_t part = std::min(staging.size, bytes - done);
    VIT_TRY(move(done, part));
    done += part;
  }
  return VIT_OK;
}

vit_status DeviceParameters::update(Context &context,
                                    const vit_parameters &parameters,
                                    vit_error *error) {
  Buffer staging;
  for (uint32_t i = 0; i < placeCount; ++i) {
    Place &place = places[i];
    bool form = place.kind == schema::ArgumentKind::Derived;
    uint64_t version = 1;
    const void *source;
    const vit_module &module = *parameters.module;
    if (form) {
      version = parameters.forms.version(place.index);
      source = parameters.forms.data(place.index);
    } else if (place.kind == schema::ArgumentKind::Constant) {
      source = module.segments +
               module.root->constants()->Get(place.index)->data()->offset();
    } else {
      // Created by the first call or session that needs them.
      if (!parameters.training.arenas.exist())
        continue;
      version = parameters.training.arenas.version(place.index);
      source = parameters.training.arenas.data(place.index);
    }
    if (place.version == version)
      continue;
    const auto *bytes = static_cast<const unsigned char *>(source);
    Buffer &target = buffers[place.chunk];
    if (target.mapped) {
      std::memcpy(target.mapped + place.offset, bytes, place.bytes);
    } else {
      auto move = [&](uint64_t done, uint64_t part) {
        std::memcpy(staging.mapped, bytes + done, part);
        VkBufferCopy region = {0, place.offset + done, part};
        return context.runOnce(
            [&](VkCommandBuffer commands) {
              context.vk.CmdCopyBuffer(commands, staging.handle, target.handle,
                                       1, &region);
              context.barrier(commands, kTransfer, kAnyWork);
            },
            error);
      };
      VIT_TRY(inPieces(context, staging, Use::Upload, place.bytes, size(), move,
                       error));
    }
    place.version = version;
    if (form)
      parameters.forms.forget(place.index);
  }
  return VIT_OK;
}

void DeviceParameters::keepArenas(const vit_parameters &parameters) {
  for (uint32_t i = 0; i < placeCount; ++i)
    if (places[i].kind == schema::ArgumentKind::Arena)
      places[i].version = parameters.training.arenas.version(places[i].index);
}

vit_status DeviceParameters::fetchArenas(Context &context,
                                         unsigned char *const *targets,
                                         vit_error *error) const {
  Buffer staging;
  const Buffer &source = buffers[0];
  // Make the kernels' writes visible to the host.
  if (source.mapped)
    VIT_TRY(context.runOnce(
        [&](VkCommandBuffer commands) {
          context.barrier(commands, kAnyWork, kHostReads);
        },
        error));
  for (uint32_t i = 0; i < placeCount; ++i) {
    const Place &place = places[i];
    if (place.kind != schema::ArgumentKind::Arena)
      continue;
    unsigned char *target = targets[place.index];
    if (source.mapped) {
      std::memcpy(target, source.mapped + place.offset, place.bytes);
      continue;
    }
    auto move = [&](uint64_t done, uint64_t part) {
      VkBufferCopy region = {place.offset + done, 0, part};
      VIT_TRY(context.runOnce(
          [&](VkCommandBuffer commands) {
            context.barrier(commands, kAnyWork, kTransfer);
            context.vk.CmdCopyBuffer(commands, source.handle, staging.handle, 1,
                                     &region);
            context.barrier(commands, kTransfer, kHostReads);
          },
          error));
      std::memcpy(target + done, staging.mapped, part);
      return VIT_OK;
    };
    VIT_TRY(inPieces(context, staging, Use::Download, place.bytes, size(), move,
                     error));
  }
  return VIT_OK;
}

} // namespace vit::runtime::vulkan
