//===- DeviceParameters.cpp - Parameters on a Vulkan device ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/DeviceParameters.h"

#include <algorithm>

namespace vit::runtime::vulkan {

/// Size of the buffer for copies to memory that the host cannot access.
static constexpr uint64_t kStaging = uint64_t(16) << 20;

//===----------------------------------------------------------------------===//
// Chunks
//===----------------------------------------------------------------------===//

Chunks::~Chunks() {
  for (uint32_t i = 0; i < made; ++i)
    buffers[i].~Buffer();
  allocator.deallocate(buffers);
}

vit_status Chunks::create(Context &context, const Placement &all,
                          uint32_t first, uint32_t end, vit_error *error) {
  allocator = context.allocator;
  placement = &all;
  begin = first;
  uint32_t wanted = end - begin;
  buffers = static_cast<Buffer *>(allocator.allocate(wanted * sizeof(Buffer)));
  if (!buffers || !versions.allocate(allocator, all.placeCount()))
    return outOfMemory(error, wanted * sizeof(Buffer), "the device's weights");
  for (; made < wanted; ++made)
    new (&buffers[made]) Buffer();
  for (uint32_t i = 0; i < wanted; ++i)
    VIT_TRY(buffers[i].create(
        context, std::max<uint64_t>(all.chunkSize(begin + i), kAlignment),
        Use::Weights, "weights", error));
  return VIT_OK;
}

uint64_t Chunks::size() const {
  uint64_t total = 0;
  for (uint32_t i = 0; i < made; ++i)
    total += buffers[i].size;
  return total;
}

/// Calls `move(offset, size)` for pieces of `bytes` that fit in `staging`,
/// which is created if needed.
template <typename Move>
static vit_status inPieces(Submissions &work, Buffer &staging, Use use,
                           uint64_t bytes, uint64_t most, Move move,
                           vit_error *error) {
  if (!staging.handle)
    VIT_TRY(staging.create(*work.context, std::min(kStaging, most), use,
                           "copying weights", error));
  for (uint64_t done = 0; done < bytes;) {
    uint64_t part = std::min(staging.size, bytes - done);
    VIT_TRY(move(done, part));
    done += part;
  }
  return VIT_OK;
}

/// Where the present value of a place, or what it is rounded from, is on the
/// host, and its version; false if it does not exist yet.
static bool findSource(const vit_parameters &parameters, const Place &place,
                       const void *&source, uint64_t &version) {
  const vit_module &module = *parameters.module;
  const Arenas &arenas = parameters.training.arenas;
  switch (place.kind) {
  case schema::ArgumentKind::Derived:
    version = parameters.forms.version(place.index);
    source = parameters.forms.data(place.index);
    return true;
  case schema::ArgumentKind::Constant:
    version = 1;
    source = module.segments +
             module.root->constants()->Get(place.index)->data()->offset();
    return true;
  default:
    // Arenas are created by the first call or session that needs them.
    if (!arenas.exist())
      return false;
    version = arenas.version(place.index);
    source = arenas.data(place.index);
    return true;
  }
}

vit_status Chunks::copy(Submissions &work, const Place &place,
                        const void *source, Buffer &staging, vit_error *error) {
  Buffer &target = buffers[place.chunk - begin];
  auto write = [&](unsigned char *to, uint64_t done, uint64_t part) {
    constexpr uint64_t size = sizeof(uint16_t);
    if (place.kind == schema::ArgumentKind::Rounded)
      format::narrow(to, static_cast<const float *>(source) + done / size,
                     ElementType::BF16, int64_t(part / size));
    else
      std::memcpy(to, static_cast<const unsigned char *>(source) + done, part);
  };
  if (target.mapped) {
    write(target.mapped + place.offset, 0, place.bytes);
    return VIT_OK;
  }
  const Context &context = *work.context;
  auto move = [&](uint64_t done, uint64_t part) {
    write(staging.mapped, done, part);
    VkBufferCopy region = {0, place.offset + done, part};
    return work.runOnce(
        [&](VkCommandBuffer commands) {
          context.vk.CmdCopyBuffer(commands, staging.handle, target.handle, 1,
                                   &region);
          context.barrier(commands, kTransfer, kAnyWork);
        },
        error);
  };
  return inPieces(work, staging, Use::Upload, place.bytes, size(), move, error);
}

vit_status Chunks::update(Submissions &work, const vit_parameters &parameters,
                          vit_error *error) {
  Buffer staging;
  for (uint32_t i = 0; i < placement->placeCount(); ++i) {
    const Place &place = (*placement)[i];
    const void *source = nullptr;
    uint64_t version = 0;
    if (place.chunk < begin || place.chunk >= begin + made ||
        !findSource(parameters, place, source, version) ||
        versions[i] == version)
      continue;
    VIT_TRY(copy(work, place, source, staging, error));
    versions[i] = version;
    if (place.kind == schema::ArgumentKind::Derived)
      parameters.forms.forget(place.index);
  }
  return VIT_OK;
}

void Chunks::keepArenas(const vit_parameters &parameters) {
  for (uint32_t i = 0; i < placement->placeCount(); ++i) {
    const Place &place = (*placement)[i];
    if (place.kind == schema::ArgumentKind::Arena ||
        place.kind == schema::ArgumentKind::Rounded)
      versions[i] = parameters.training.arenas.version(place.index);
  }
}

vit_status Chunks::fetchArenas(Submissions &work, unsigned char *const *targets,
                               vit_error *error) const {
  Buffer staging;
  const Context &context = *work.context;
  const Buffer &source = buffers[0];
  // Make the kernels' writes visible to the host.
  if (source.mapped)
    VIT_TRY(work.runOnce(
        [&](VkCommandBuffer commands) {
          context.barrier(commands, kAnyWork, kHostReads);
        },
        error));
  for (uint32_t i = 0; i < placement->placeCount(); ++i) {
    const Place &place = (*placement)[i];
    if (place.kind != schema::ArgumentKind::Arena)
      continue;
    unsigned char *target = targets[place.index];
    if (source.mapped) {
      std::memcpy(target, source.mapped + place.offset, place.bytes);
      continue;
    }
    auto move = [&](uint64_t done, uint64_t part) {
      VkBufferCopy region = {place.offset + done, 0, part};
      VIT_TRY(work.runOnce(
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
    VIT_TRY(inPieces(work, staging, Use::Download, place.bytes, size(), move,
                     error));
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// SharedWeights
//===----------------------------------------------------------------------===//

const char SharedWeights::kKind = 0;

vit_status SharedWeights::choose(const Schedules &chosen, vit_error *error) {
  if (!schedules.allocate(context.allocator, chosen.size()))
    return outOfMemory(error, chosen.size() * 8ull, "the device's weights");
  std::copy(chosen.begin(), chosen.end(), schedules.begin());
  return VIT_OK;
}

bool SharedWeights::isLike(const SharedWeights &other) const {
  return &context == &other.context &&
         std::equal(schedules.begin(), schedules.end(),
                    other.schedules.begin());
}

vit_status SharedWeights::create(const schema::Module &module,
                                 vit_error *error) {
  VIT_TRY(place.create(context, module, schedules, error));
  return chunks.create(context, place, place.hasArenas(), place.chunkCount(),
                       error);
}

vit_status SharedWeights::update(Submissions &work,
                                 const vit_parameters &parameters,
                                 vit_error *error) {
  Lock lock(mutex);
  if (version == parameters.forms.version())
    return VIT_OK;
  VIT_TRY(chunks.update(work, parameters, error));
  version = parameters.forms.version();
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// DeviceParameters
//===----------------------------------------------------------------------===//

vit_status DeviceParameters::create(Submissions &queue, vit_parameters &given,
                                    const Schedules &schedules,
                                    vit_error *error) {
  work = &queue;
  parameters = &given;
  Context &context = *queue.context;
  const schema::Module &module = *given.module->root;
  auto *mine = vit::format::create<SharedWeights>(context.allocator, context);
  if (!mine)
    return outOfMemory(error, sizeof(SharedWeights), "the session");
  if (vit_status status = mine->choose(schedules, error)) {
    destroy(context.allocator, mine);
    return status;
  }
  VIT_TRY(weights.share(given.copies, context.allocator, mine,
                        [&] { return mine->create(module, error); }));
  const Placement &placement = weights->placement();
  return placement.hasArenas() ? own.create(context, placement, 0, 1, error)
                               : VIT_OK;
}

vit_status DeviceParameters::update(vit_error *error) {
  if (weights->placement().hasArenas())
    VIT_TRY(own.update(*work, *parameters, error));
  return weights->update(*work, *parameters, error);
}

void DeviceParameters::keepArenas() { own.keepArenas(*parameters); }

vit_status DeviceParameters::fetchArenas(unsigned char *const *targets,
                                         vit_error *error) const {
  return own.fetchArenas(*work, targets, error);
}

} // namespace vit::runtime::vulkan
