//===- Driver.h - The CUDA driver, opened -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_DRIVER_H
#define VIT_RUNTIME_DEVICES_CUDA_DRIVER_H

#include "Error.h"
#include "devices/cuda/Functions.h"
#include "format/Level.h"

namespace vit::runtime::cuda {

/// The driver's functions. The library is never unloaded: it has threads.
struct Driver : Functions {
  /// Opens and initializes libcuda.so.1 or the library that VIT_CUDA_LIBRARY
  /// names. VIT_UNSUPPORTED, with the reason, if it is missing, cannot be used
  /// or has no device.
  vit_status open(vit_error *error);

  /// Fails if `result` is not success, with the corresponding status and a
  /// message. `what` is what was tried, such as "allocate the workspace".
  vit_status check(Result result, const char *what, vit_error *error) const;

  /// "CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure"
  void explain(Result result, char *text, size_t size) const;
  /// Fails with VIT_UNSUPPORTED: why the driver cannot be used at all, and what
  /// to do about it.
  vit_status failStart(Result result, vit_error *error) const;

  int version = 0; ///< 1000 * major + 10 * minor
};

/// A device and those of its properties that are used.
struct Adapter {
  int ordinal = 0;
  Device device = 0;
  DeviceId id = {}; ///< Different on any two devices.
  char name[128] = "";
  int capability = 0; ///< compute capability 9.0: 90
  int multiprocessors = 0;
  int maxThreads = 0; ///< of a block
  int maxShared = 0;  ///< bytes that a kernel may declare
  /// Bytes that a kernel may have if its launch asks for them.
  int maxDynamicShared = 0;
  uint64_t memory = 0;
};

vit_status countAdapters(const Driver &driver, int &count, vit_error *error);
vit_status readAdapter(const Driver &driver, int ordinal, Adapter &adapter,
                       vit_error *error);
/// The device that "" or ":N" selects.
vit_status selectAdapter(const Driver &driver, const char *selector,
                         Adapter &adapter, vit_error *error);

/// Whether the device and its driver run code of `level`.
bool runsLevel(const Driver &driver, const Adapter &adapter,
               const format::Level &level);
/// The best level that they run; NULL if there is none.
const format::Level *bestLevel(const Driver &driver, const Adapter &adapter);

/// Makes a context current on the calling thread during the lifetime of this
/// object, and restores the application's context afterwards.
class ContextScope {
public:
  ContextScope(const Driver &driver, Context context) : driver(driver) {
    result = context ? driver.cuCtxPushCurrent_v2(context) : kInvalidContext;
  }
  ContextScope(const ContextScope &) = delete;
  ContextScope &operator=(const ContextScope &) = delete;
  ~ContextScope() {
    Context popped;
    if (result == kSuccess)
      driver.cuCtxPopCurrent_v2(&popped);
  }

  vit_status check(vit_error *error) const {
    return driver.check(result, "use the device", error);
  }

private:
  const Driver &driver;
  Result result;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_DRIVER_H
