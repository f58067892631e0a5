//===- Placement.h - Where weights are on a Vulkan device -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_PLACEMENT_H
#define VIT_RUNTIME_DEVICES_VULKAN_PLACEMENT_H

#include "Module.h"
#include "Plan.h"
#include "devices/vulkan/Context.h"

namespace vit::runtime::vulkan {

/// Whether an argument is in a chunk; otherwise it is in the workspace.
inline bool isWeight(const schema::Argument &argument) {
  return argument.kind() == schema::ArgumentKind::Derived ||
         argument.kind() == schema::ArgumentKind::Constant ||
         isVariable(argument);
}

using Schedules = Array<const schema::Schedule *>;

/// The place of a form, constant, arena or rounded copy in a chunk.
struct Place {
  schema::ArgumentKind kind;
  uint32_t index;
  uint32_t chunk;
  uint32_t next; ///< another place of the same, or UINT32_MAX
  uint64_t offset;
  uint64_t bytes;
};

/// Where derived forms, constants and arenas are in a few buffers, called
/// chunks. A chunk is no larger than what one binding covers, so that a kernel
/// is bound to a whole chunk. Everything that a command reads is in one chunk;
/// few values are in several. Arenas, which kernels write, and their rounded
/// copies are all in the first chunk and only there.
class Placement {
public:
  /// Places everything that the schedules (one per entry, NULL for an entry
  /// that does not run) read. Depends on them and on the device alone.
  vit_status create(const Context &context, const schema::Module &module,
                    const Schedules &schedules, vit_error *error);

  /// Whether the first chunk has arenas, and what the commands that use them
  /// read.
  bool hasArenas() const { return anyArena; }

  uint32_t chunkCount() const { return chunks; }
  uint64_t chunkSize(uint32_t chunk) const { return chunkSizes[chunk]; }
  uint32_t placeCount() const { return placed; }
  const Place &operator[](uint32_t place) const { return places[place]; }

  /// The chunk that contains everything that this command uses.
  uint32_t chunkOf(uint32_t entry, uint32_t command) const {
    return chunkOfCommand[firstCommand[entry] + command];
  }
  /// The offset of an argument in `chunk`, which must contain it.
  uint64_t offsetOf(const schema::Argument &argument, uint32_t chunk) const {
    return find(argument.kind(), argument.index(), chunk)->offset +
           argument.offset();
  }

private:
  uint32_t &firstOf(schema::ArgumentKind kind, uint32_t index);
  uint32_t firstOf(schema::ArgumentKind kind, uint32_t index) const {
    return const_cast<Placement *>(this)->firstOf(kind, index);
  }
  const Place *find(schema::ArgumentKind kind, uint32_t index,
                    uint32_t chunk) const;
  void add(const schema::Argument &argument, uint64_t bytes, uint32_t chunk);
  vit_status allocate(const Allocator &allocator, const schema::Module &module,
                      const Schedules &schedules, vit_error *error);
  vit_status placeArenas(const Context &context, const schema::Module &module,
                         const Schedules &schedules, vit_error *error);
  vit_status placeCommand(const Context &context, const schema::Module &module,
                          const schema::Command &command, uint32_t &chunk,
                          vit_error *error);

  Array<Place> places;
  Array<uint32_t> firstPlace; ///< per form, constant, arena, rounded copy
  uint32_t placed = 0;
  uint32_t derivedCount = 0;
  uint32_t constantCount = 0;
  uint32_t arenaCount = 0;
  bool anyArena = false;
  Array<uint32_t> firstCommand;   ///< per entry, into chunkOfCommand
  Array<uint32_t> chunkOfCommand; ///< of all schedules
  Array<uint64_t> chunkSizes;
  uint32_t chunks = 0;
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_PLACEMENT_H
