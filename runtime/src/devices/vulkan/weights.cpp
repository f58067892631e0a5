//===- weights.cpp - Parameters on a Vulkan device ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/weights.h"

#include <algorithm>

namespace vit::runtime::vulkan {

/// Larger chunks would gain nothing and are harder to find memory for.
static constexpr uint64_t kMaxChunk = uint64_t(1) << 30;
/// Of the buffer through which the host writes memory that it cannot reach.
static constexpr uint64_t kStaging = uint64_t(16) << 20;

Weights::~Weights() {
  for (uint32_t i = 0; buffers && i < chunks; ++i)
    buffers[i].~Buffer();
  allocator.deallocate(buffers);
}

/// True for what is in chunks.
static bool isWeight(const schema::Argument &argument) {
  return argument.kind() == schema::ArgumentKind::Derived ||
         argument.kind() == schema::ArgumentKind::Constant;
}

static uint64_t bytesOf(const schema::Module &module,
                        const schema::Argument &argument) {
  return argument.kind() == schema::ArgumentKind::Derived
             ? module.derived()->Get(argument.index())->bytes()
             : module.constants()->Get(argument.index())->data()->size();
}

/// Calls `visit(argument)` for each weight that a command reads.
template <typename Visit>
static void forEachWeight(const schema::Command &command, Visit visit) {
  for (uint32_t i = 0; i < count(command.arguments()); ++i)
    if (isWeight(*command.arguments()->Get(i)))
      visit(*command.arguments()->Get(i));
}

const Weights::Place *Weights::find(schema::ArgumentKind kind, uint32_t index,
                                    uint32_t chunk) const {
  bool constant = kind == schema::ArgumentKind::Constant;
  uint32_t at = firstPlace[(constant ? derivedCount : 0) + index];
  while (at != kNone && places[at].chunk != chunk)
    at = places[at].next;
  return at == kNone ? nullptr : &places[at];
}

uint64_t Weights::offsetOf(const schema::Argument &argument,
                           uint32_t chunk) const {
  return find(argument.kind(), argument.index(), chunk)->offset;
}

uint64_t Weights::size() const {
  uint64_t total = 0;
  for (uint32_t i = 0; i < chunks; ++i)
    total += chunkSizes[i];
  return total;
}

/// In order of use, so that what a command reads is together: a command whose
/// weights are neither all in some chunk nor fit into the last begins another.
vit_status Weights::place(const Context &context, const schema::Module &module,
                          const Schedules &schedules, vit_error *error) {
  derivedCount = count(module.derived());
  size_t commands = 0, uses = 0;
  for (const schema::Schedule *s : schedules)
    for (uint32_t i = 0; s && i < count(s->commands()); ++i, ++commands)
      forEachWeight(*s->commands()->Get(i),
                    [&](const schema::Argument &) { ++uses; });
  if (!places.allocate(allocator, uses) ||
      !firstPlace.allocate(allocator,
                           derivedCount + count(module.constants())) ||
      !firstCommand.allocate(allocator, schedules.size()) ||
      !chunkOfCommand.allocate(allocator, commands) ||
      !chunkSizes.allocate(allocator, commands + 1))
    return outOfMemory(error, uses * sizeof(Place), "the device's weights");
  for (uint32_t &first : firstPlace)
    first = kNone;

  uint64_t limit = context.adapter->maxRange;
  // Never none: a kernel without weights is bound to some chunk too.
  chunks = 1;
  uint32_t at = 0;
  for (size_t e = 0; e < schedules.size(); ++e) {
    firstCommand[e] = at;
    for (uint32_t i = 0; schedules[e] && i < count(schedules[e]->commands());
         ++i, ++at) {
      const schema::Command &command = *schedules[e]->commands()->Get(i);
      uint32_t last = chunks - 1, in = last;
      uint64_t all = 0, missing = 0;
      forEachWeight(command, [&](const schema::Argument &a) {
        uint64_t bytes = bytesOf(module, a);
        all += alignUp(bytes, kAlignment);
        if (!find(a.kind(), a.index(), last))
          missing += alignUp(bytes, kAlignment);
      });
      if (all > limit)
        return fail(error, VIT_UNSUPPORTED,
                    "the weights of '%s' have %llu bytes and the device '%s' "
                    "binds %llu: run this model on another device",
                    command.name() ? command.name()->c_str() : "",
                    static_cast<unsigned long long>(all),
                    context.adapter->properties.deviceName,
                    static_cast<unsigned long long>(limit));
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
      if (in == last && chunkSizes[last] != 0 &&
          chunkSizes[last] + missing > most)
        in = chunks++;
      chunkOfCommand[at] = in;
      forEachWeight(command, [&](const schema::Argument &a) {
        if (find(a.kind(), a.index(), in))
          return;
        bool constant = a.kind() == schema::ArgumentKind::Constant;
        uint32_t &first = firstPlace[(constant ? derivedCount : 0) + a.index()];
        uint64_t bytes = bytesOf(module, a);
        places[placeCount] = {a.kind(),       a.index(), in, first,
                              chunkSizes[in], bytes,     0};
        first = placeCount++;
        chunkSizes[in] += alignUp(bytes, kAlignment);
      });
    }
  }
  return VIT_OK;
}

vit_status Weights::create(Context &context, const schema::Module &module,
                           const Schedules &schedules, vit_error *error) {
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

vit_status Weights::update(Context &context, const vit_parameters &parameters,
                           vit_error *error) {
  Buffer staging;
  for (uint32_t i = 0; i < placeCount; ++i) {
    Place &place = places[i];
    bool constant = place.kind == schema::ArgumentKind::Constant;
    uint64_t version = constant ? 1 : parameters.version(place.index);
    if (place.version == version)
      continue;
    const vit_module &module = *parameters.module;
    const void *source =
        constant
            ? module.segments +
                  module.root->constants()->Get(place.index)->data()->offset()
            : static_cast<const void *>(parameters.form(place.index));
    const auto *bytes = static_cast<const unsigned char *>(source);
    Buffer &target = buffers[place.chunk];
    if (target.mapped) {
      std::memcpy(target.mapped + place.offset, bytes, place.bytes);
    } else {
      if (!staging.handle)
        VIT_TRY(staging.create(context, std::min(kStaging, size()), Use::Upload,
                               "copying weights", error));
      for (uint64_t done = 0; done < place.bytes;) {
        uint64_t part = std::min(staging.size, place.bytes - done);
        std::memcpy(staging.mapped, bytes + done, part);
        VkBufferCopy region = {0, place.offset + done, part};
        VIT_TRY(context.runOnce(
            [&](VkCommandBuffer commands) {
              context.vk.CmdCopyBuffer(commands, staging.handle, target.handle,
                                       1, &region);
              context.barrier(commands, kTransfer, kAnyWork);
            },
            error));
        done += part;
      }
    }
    place.version = version;
    if (!constant)
      parameters.forget(place.index);
  }
  return VIT_OK;
}

} // namespace vit::runtime::vulkan
