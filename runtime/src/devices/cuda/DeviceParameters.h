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

/// The derived forms and constants that schedules read and the arenas of
/// variables, in one allocation.
class DeviceParameters {
public:
  explicit DeviceParameters(const Driver &driver)
      : driver(driver), memory(driver) {}

  vit_status allocate(const vit_module &module, const Schedules &schedules,
                      const Adapter &adapter, vit_error *error);

  /// Copies to the device, in stream order, what it does not have yet or what
  /// has changed.
  vit_status update(const vit_module &module, const vit_parameters &parameters,
                    Stream stream, vit_error *error);

  /// Notes that the device has the newest values of all variables.
  void keepArenas(const vit_parameters &parameters);
  /// Copies the arenas to the host, in stream order.
  vit_status fetchArenas(const vit_module &module,
                         unsigned char *const *targets, Stream stream,
                         vit_error *error);

  /// The address of a form, constant or arena that a schedule uses.
  DevicePointer find(schema::ArgumentKind kind, uint32_t index) const {
    return memory.at(placeOf(kind, index).offset);
  }

private:
  struct Place {
    bool isUsed;
    uint64_t offset;
    uint64_t version; ///< of what was copied there, 0: nothing yet
  };

  const Place &placeOf(schema::ArgumentKind kind, uint32_t index) const {
    return kind == schema::ArgumentKind::Derived ? forms[index]
           : kind == schema::ArgumentKind::Arena ? arenas[index]
                                                 : constants[index];
  }

  const Driver &driver;
  DeviceMemory memory;
  Array<Place> forms;
  Array<Place> constants;
  Array<Place> arenas;
  uint64_t version = 0; ///< of all forms, when all were copied last
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_DEVICEPARAMETERS_H
