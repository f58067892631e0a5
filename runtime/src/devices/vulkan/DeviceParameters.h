//===- DeviceParameters.h - Parameters on a Vulkan device -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_DEVICEPARAMETERS_H
#define VIT_RUNTIME_DEVICES_VULKAN_DEVICEPARAMETERS_H

#include "Parameters.h"
#include "devices/vulkan/Buffer.h"

namespace vit::runtime::vulkan {

/// Whether an argument is in a chunk; otherwise it is in the workspace.
inline bool isWeight(const schema::Argument &argument) {
  return argument.kind() == schema::ArgumentKind::Derived ||
         argument.kind() == schema::ArgumentKind::Constant ||
         argument.kind() == schema::ArgumentKind::Arena;
}

using Schedules = Array<const schema::Schedule *>;

/// Derived forms, constants and arenas in a few buffers, called chunks. A chunk
/// is no larger than what one binding covers, so that a kernel is bound to a
/// whole chunk. Everything that a command reads is in one chunk; few values are
/// in several. Arenas, which kernels write, are all in the first chunk and only
/// there.
class DeviceParameters {
public:
  DeviceParameters() = default;
  DeviceParameters(const DeviceParameters &) = delete;
  DeviceParameters &operator=(const DeviceParameters &) = delete;
  ~DeviceParameters();

  /// Places everything that the schedules (one per entry, NULL for an entry
  /// that does not run) read, and allocates the chunks.
  vit_status create(Context &context, const schema::Module &module,
                    const Schedules &schedules, vit_error *error);

  /// Copies to the device what it does not have yet or what has changed. The
  /// device must be idle.
  vit_status update(Context &context, const vit_parameters &parameters,
                    vit_error *error);

  /// Notes that the device has the newest values of all variables.
  void keepArenas(const vit_parameters &parameters);
  /// Copies the arenas to host memory. The device must be idle.
  vit_status fetchArenas(Context &context, unsigned char *const *targets,
                         vit_error *error) const;

  /// The chunk that contains everything that this command uses.
  uint32_t chunkOf(uint32_t entry, uint32_t command) const {
    return chunkOfCommand[firstCommand[entry] + command];
  }
  const Buffer &chunk(uint32_t index) const { return buffers[index]; }
  /// The offset of an argument in `chunk`, which must contain it.
  uint64_t offsetOf(const schema::Argument &argument, uint32_t chunk) const;
  /// Bytes of all chunks.
  uint64_t size() const;

private:
  /// The place of a form, constant or arena in a chunk.
  struct Place {
    schema::ArgumentKind kind;
    uint32_t index;
    uint32_t chunk;
    uint32_t next; ///< another place of the same, or kNone
    uint64_t offset;
    uint64_t bytes;
    uint64_t version; ///< of what was copied there, 0: nothing yet
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t &firstOf(schema::ArgumentKind kind, uint32_t index);
  uint32_t firstOf(schema::ArgumentKind kind, uint32_t index) const {
    return const_cast<DeviceParameters *>(this)->firstOf(kind, index);
  }
  void add(const schema::Argument &argument, uint64_t bytes, uint32_t chunk);
  vit_status tooLarge(const Context &context, const char *what, uint64_t bytes,
                      vit_error *error) const;
  vit_status placeArenas(const Context &context, const schema::Module &module,
                         const Schedules &schedules, vit_error *error);
  vit_status place(const Context &context, const schema::Module &module,
                   const Schedules &schedules, vit_error *error);
  const Place *find(schema::ArgumentKind kind, uint32_t index,
                    uint32_t chunk) const;

  Allocator allocator;
  Array<Place> places;
  Array<uint32_t> firstPlace; ///< per form, then per constant, then per arena
  uint32_t placeCount = 0;
  uint32_t derivedCount = 0;
  uint32_t constantCount = 0;
  Array<uint32_t> firstCommand;   ///< per entry, into chunkOfCommand
  Array<uint32_t> chunkOfCommand; ///< of all schedules
  Array<uint64_t> chunkSizes;
  uint32_t chunks = 0;
  Buffer *buffers = nullptr;
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_DEVICEPARAMETERS_H
