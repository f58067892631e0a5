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
#include "devices/vulkan/Placement.h"
#include "devices/vulkan/Submissions.h"

namespace vit::runtime::vulkan {

/// Chunks in memory of a device, and the versions of what was copied there.
class Chunks {
public:
  /// Makes buffers for chunks `begin` to `end` of the placement, which outlives
  /// this object.
  vit_status create(Context &context, const Placement &placement,
                    uint32_t begin, uint32_t end, vit_error *error);
  Chunks() = default;
  Chunks(const Chunks &) = delete;
  Chunks &operator=(const Chunks &) = delete;
  ~Chunks();

  const Buffer &operator[](uint32_t chunk) const {
    return buffers[chunk - begin];
  }
  uint64_t size() const; ///< bytes of all
  /// Copies to the device what it does not have yet or what has changed, and
  /// waits for that. No work that uses the chunks may be running.
  vit_status update(Submissions &work, const vit_parameters &parameters,
                    vit_error *error);
  /// Notes that the device has the newest values of all variables.
  void keepArenas(const vit_parameters &parameters);
  /// Copies the arenas to host memory. The device must be idle.
  vit_status fetchArenas(Submissions &work, unsigned char *const *targets,
                         vit_error *error) const;

private:
  vit_status copy(Submissions &work, const Place &place, const void *source,
                  Buffer &staging, vit_error *error);

  Allocator allocator;
  const Placement *placement = nullptr;
  uint32_t begin = 0, made = 0;
  Buffer *buffers = nullptr;
  Array<uint64_t> versions; ///< per place, of what is there, 0: nothing yet
};

/// The derived forms and constants that schedules read, which sessions over the
/// same parameters share, and the placement of all. After `update` any
/// submission to the queue may read them.
class SharedWeights : public DeviceCopy {
public:
  static const char kKind;

  explicit SharedWeights(Context &context)
      : DeviceCopy(&kKind), context(context) {}

  /// Says what the copy is for: a schedule per entry, as in Placement.
  vit_status choose(const Schedules &schedules, vit_error *error);
  bool isLike(const SharedWeights &other) const;
  /// Places everything and allocates memory.
  vit_status create(const schema::Module &module, vit_error *error);

  /// Copies to the device what it does not have yet or what has changed.
  vit_status update(Submissions &work, const vit_parameters &parameters,
                    vit_error *error);

  const Placement &placement() const { return place; }
  const Buffer &chunk(uint32_t index) const { return chunks[index]; }
  uint64_t size() const { return chunks.size(); }

private:
  Context &context; ///< which each session that uses this uses, too
  Schedules schedules;
  Placement place;
  Chunks chunks;
  uint64_t version = 0; ///< of all forms, when all were copied last
  Mutex mutex;          ///< held while something is copied
};

/// What a session has of the parameters on its device: the shared weights, and
/// the chunk of the arenas of its own.
class DeviceParameters {
public:
  DeviceParameters() = default;
  DeviceParameters(const DeviceParameters &) = delete;
  DeviceParameters &operator=(const DeviceParameters &) = delete;

  /// `work` and `parameters` outlive this object.
  vit_status create(Submissions &work, vit_parameters &parameters,
                    const Schedules &schedules, vit_error *error);

  /// Copies to the device what it does not have yet or what has changed. No
  /// work of this session may be running.
  vit_status update(vit_error *error);

  /// Notes that the device has the newest values of all variables.
  void keepArenas();
  /// Copies the arenas to host memory. The device must be idle.
  vit_status fetchArenas(unsigned char *const *targets, vit_error *error) const;

  /// Bytes of memory, with those that are shared.
  uint64_t size() const { return own.size() + weights->size(); }

  /// The chunk that contains everything that this command uses.
  uint32_t chunkOf(uint32_t entry, uint32_t command) const {
    return weights->placement().chunkOf(entry, command);
  }
  const Buffer &chunk(uint32_t index) const {
    return isOwn(index) ? own[index] : weights->chunk(index);
  }
  /// The offset of an argument in `chunk`, which must contain it.
  uint64_t offsetOf(const schema::Argument &argument, uint32_t chunk) const {
    return weights->placement().offsetOf(argument, chunk);
  }

private:
  bool isOwn(uint32_t chunk) const {
    return chunk == 0 && weights->placement().hasArenas();
  }

  Submissions *work = nullptr;
  vit_parameters *parameters = nullptr;
  Shared<SharedWeights> weights;
  Chunks own;
};

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_DEVICEPARAMETERS_H
