//===- Kernels.h - A module's kernels on a CUDA device ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_KERNELS_H
#define VIT_RUNTIME_DEVICES_CUDA_KERNELS_H

#include "Module.h"
#include "devices/cuda/Driver.h"
#include "format/DeclaredMemory.h"

namespace vit::runtime::cuda {

using Schedules = Array<const schema::Schedule *>;

/// Bytes of workgroup memory that a launch of `kernel` must ask for: all, if
/// its code cannot declare so much.
inline uint32_t dynamicShared(const schema::Kernel &kernel) {
  return kernel.shared() > format::kDeclaredSharedBytes ? kernel.shared() : 0;
}

/// The functions of all kernels of some schedules. The caller makes their
/// context current.
class Kernels {
public:
  explicit Kernels(const Driver &driver) : driver(driver) {}
  Kernels(const Kernels &) = delete;
  Kernels &operator=(const Kernels &) = delete;
  ~Kernels();

  /// Loads the code of the schedules (one per entry, NULL for an entry that
  /// does not run): a cubin that the device runs if there is one, else the PTX.
  vit_status load(const vit_module &module, const Schedules &schedules,
                  const Adapter &adapter, vit_error *error);

  Function function(uint32_t entry, uint32_t kernel) const {
    return functions[firstFunction[entry] + kernel];
  }

private:
  vit_status loadImage(const vit_module &module,
                       const schema::Schedule &schedule, uint32_t ptx,
                       const Adapter &adapter, Module &loaded,
                       vit_error *error) const;

  const Driver &driver;
  Array<Module> modules; ///< per image of PTX
  Array<uint32_t> firstFunction;
  Array<Function> functions;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_KERNELS_H
