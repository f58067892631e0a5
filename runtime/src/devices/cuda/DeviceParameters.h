//===- DeviceParameters.h - Parameters on a CUDA device ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_DEVICEPARAMETERS_H
#define VIT_RUNTIME_DEVICES_CUDA_DEVICEPARAMETERS_H

#include "Parameters.h"
#include "devices/cuda/Kernels.h"
#include "devices/cuda/Memory.h"

namespace vit::runtime::cuda {

/// Where something is in an allocation.
struct Place {
  bool isUsed;
  uint64_t offset;
  uint64_t version; ///< of what was copied there, 0: nothing yet
};

/// The derived forms and constants that schedules read, in one allocation,
/// which sessions over the same parameters share. After `update` any stream may
/// read them.
class SharedWeights : public DeviceCopy {
public:
  static const char kKind;

  explicit SharedWeights(const Driver &driver)
      : DeviceCopy(&kKind), driver(driver), memory(this->driver) {}

  /// To be called after findUsed.
  vit_status allocate(const vit_module &module, const Adapter &adapter,
                      vit_error *error);
  /// Whether it is on this device and holds what the same schedules read.
  bool isLike(const SharedWeights &other) const;

  /// Copies to the device, on `stream`, what it does not have yet or what has
  /// changed, and waits for that.
  vit_status update(const vit_module &module, const vit_parameters &parameters,
                    Stream stream, vit_error *error);

  DevicePointer find(schema::ArgumentKind kind, uint32_t index) const {
    return memory.at(kind == schema::ArgumentKind::Derived
                         ? forms[index].offset
                         : constants[index].offset);
  }

private:
  friend class DeviceParameters;

  /// What is to be found before anything is allocated.
  vit_status findUsed(const vit_module &module, const Schedules &schedules,
                      const Adapter &adapter, vit_error *error);
  vit_status copyChanged(const vit_module &module,
                         const vit_parameters &parameters, Stream stream,
                         bool &isAnyNew, vit_error *error);

  /// A session's own is gone when others still use this.
  const Driver driver;
  int ordinal = 0; ///< of the device
  DeviceMemory memory;
  Array<Place> forms;
  Array<Place> constants;
  uint64_t version = 0; ///< of all forms, when all were copied last
  Mutex mutex;          ///< held while something is copied
};

/// What a session has of the parameters on its device: the shared weights, and
/// the arenas of variables of its own, with their rounded copies.
class DeviceParameters {
public:
  explicit DeviceParameters(const Driver &driver)
      : driver(driver), memory(driver) {}

  /// `parameters` outlive this object.
  vit_status allocate(vit_parameters &parameters, const Schedules &schedules,
                      const Adapter &adapter, vit_error *error);

  /// Copies to the device, in stream order, what it does not have yet or what
  /// has changed.
  vit_status update(Stream stream, vit_error *error);

  /// Notes that the device has the newest values of all variables.
  void keepArenas();
  /// Copies the arenas to the host, in stream order.
  vit_status fetchArenas(unsigned char *const *targets, Stream stream,
                         vit_error *error);

  /// The address of a form, constant, arena or rounded copy that a schedule
  /// uses.
  DevicePointer find(schema::ArgumentKind kind, uint32_t index) const {
    switch (kind) {
    case schema::ArgumentKind::Arena:
      return memory.at(arenas[index].offset);
    case schema::ArgumentKind::Rounded:
      return memory.at(rounded[index].offset);
    default:
      return weights->find(kind, index);
    }
  }

private:
  vit_status allocateArenas(const Schedules &schedules, const Adapter &adapter,
                            vit_error *error);
  vit_status copyRounded(uint32_t arena, Stream stream, vit_error *error);

  const Driver &driver;
  vit_parameters *parameters = nullptr;
  Shared<SharedWeights> weights;
  DeviceMemory memory; ///< the arenas and their rounded copies
  Array<Place> arenas, rounded;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_DEVICEPARAMETERS_H
