//===- Memory.h - Memory of a CUDA device and for its copies ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_MEMORY_H
#define VIT_RUNTIME_DEVICES_CUDA_MEMORY_H

#include "devices/cuda/Driver.h"

namespace vit::runtime::cuda {

/// The alignment of arenas on the device and of everything in them.
inline constexpr uint64_t kDeviceAlignment = 256;
/// The alignment that kernels need of an argument: the largest of an access.
inline constexpr uint64_t kVectorBytes = 16;

/// An arena on the device. The caller makes its context current.
class DeviceMemory {
public:
  explicit DeviceMemory(const Driver &driver) : driver(driver) {}
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  ~DeviceMemory() { clear(); }

  /// Frees the previous memory first. `what` names the purpose, for messages.
  vit_status allocate(const Adapter &adapter, uint64_t bytes, const char *what,
                      vit_error *error) {
    clear();
    Result result = driver.cuMemAlloc_v2(&memory, bytes);
    if (result == kOutOfMemory)
      return fail(error, VIT_OUT_OF_MEMORY,
                  "out of memory: no %llu bytes for %s on '%s', which has %llu "
                  "in all",
                  llu(bytes), what, adapter.name, llu(adapter.memory));
    VIT_TRY(driver.check(result, "allocate memory", error));
    count = bytes;
    return VIT_OK;
  }

  void clear() {
    if (count != 0)
      driver.cuMemFree_v2(memory);
    memory = 0;
    count = 0;
  }

  uint64_t size() const { return count; }
  DevicePointer at(uint64_t offset) const { return memory + offset; }

private:
  const Driver &driver;
  DevicePointer memory = 0;
  uint64_t count = 0;
};

/// Pinned host memory, which the device can copy from and to.
class PinnedMemory {
public:
  explicit PinnedMemory(const Driver &driver) : driver(driver) {}
  PinnedMemory(const PinnedMemory &) = delete;
  PinnedMemory &operator=(const PinnedMemory &) = delete;
  ~PinnedMemory() { clear(); }

  /// Grows it to at least this size; false if the system has no such memory.
  bool reserve(uint64_t bytes) {
    if (bytes <= count)
      return true;
    clear();
    void *pointer = nullptr;
    if (driver.cuMemHostAlloc(&pointer, bytes, 0) != kSuccess)
      return false;
    memory = static_cast<unsigned char *>(pointer);
    count = bytes;
    return true;
  }

  void clear() {
    if (memory)
      driver.cuMemFreeHost(memory);
    memory = nullptr;
    count = 0;
  }

  unsigned char *data() { return memory; }

private:
  const Driver &driver;
  unsigned char *memory = nullptr;
  uint64_t count = 0;
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_MEMORY_H
