//===- Driver.cpp - The CUDA driver, opened -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/Driver.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

namespace vit::runtime::cuda {

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

vit_status Driver::open(vit_error *error) {
  const char *path = std::getenv("VIT_CUDA_LIBRARY");
  if (!path || !*path)
    path = "libcuda.so.1";
  // Whoever sets the environment may choose what is loaded.
  // NOLINTNEXTLINE(clang-analyzer-optin.taint.GenericTaint)
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return fail(
        error, VIT_UNSUPPORTED,
        "there is no CUDA driver: %s; install NVIDIA's driver or choose "
        "another device",
        dlerror());
  const char *missing = nullptr;
#define VIT_CUDA_LOAD(name, parameters)                                        \
  name = reinterpret_cast<decltype(name)>(dlsym(library, #name));              \
  if (!name && !missing)                                                       \
    missing = #name;
  VIT_CUDA_FUNCTIONS(VIT_CUDA_LOAD)
#undef VIT_CUDA_LOAD
  // The library is never closed, so that pointers into it stay valid.
  dlclose(library);
  if (missing)
    return fail(error, VIT_UNSUPPORTED,
                "the CUDA driver is too old, '%s' has no %s: install one for "
                "CUDA %d.%d or newer",
                path, missing, kOldestDriver / 1000, kOldestDriver % 1000 / 10);
  if (Result result = cuInit(0)) {
    if (result == kNoDevice)
      return fail(error, VIT_UNSUPPORTED, "the CUDA driver sees no device");
    char text[256];
    explain(result, text, sizeof text);
    return fail(
        error, VIT_UNSUPPORTED,
        "the CUDA driver does not start (%s): 'nvidia-smi' may say more", text);
  }
  VIT_TRY(check(cuDriverGetVersion(&version), "tell its version", error));
  if (version < kOldestDriver)
    return fail(error, VIT_UNSUPPORTED,
                "the CUDA driver is too old: it is for CUDA %d.%d, install one "
                "for %d.%d or newer",
                version / 1000, version % 1000 / 10, kOldestDriver / 1000,
                kOldestDriver % 1000 / 10);
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void Driver::explain(Result result, char *text, size_t size) const {
  const char *name = nullptr, *meaning = nullptr;
  if (cuGetErrorName(result, &name) != kSuccess || !name)
    name = "unknown error";
  if (cuGetErrorString(result, &meaning) != kSuccess || !meaning)
    meaning = "no description";
  std::snprintf(text, size, "%s, number %d: %s", name, int(result), meaning);
}

/// Whether no call in this context can succeed any more.
static bool isFatal(Result result) {
  switch (result) {
  case kDeinitialized:
  case kDeviceUnavailable:
  case kInvalidContext:
  case kEccUncorrectable:
  case kIllegalAddress:
  case kLaunchTimeout:
  case kContextIsDestroyed:
  case kAssert:
  case kHardwareStackError:
  case kIllegalInstruction:
  case kMisalignedAddress:
  case kInvalidAddressSpace:
  case kInvalidPc:
  case kLaunchFailed:
    return true;
  default:
    return false;
  }
}

vit_status Driver::check(Result result, const char *what,
                         vit_error *error) const {
  if (result == kSuccess)
    return VIT_OK;
  char text[256];
  explain(result, text, sizeof text);
  if (result == kOutOfMemory)
    return fail(
        error, VIT_OUT_OF_MEMORY,
        "out of memory: the CUDA driver could not %s (%s); use a smaller "
        "batch or another device",
        what, text);
  if (isFatal(result))
    return fail(error, VIT_DEVICE_LOST,
                "the CUDA device was lost when it should %s (%s): start the "
                "program again",
                what, text);
  if (result == kNoDevice || result == kNotInitialized ||
      result == kSystemDriverMismatch || result == kCompatNotSupportedOnDevice)
    return fail(error, VIT_UNSUPPORTED, "the CUDA driver cannot %s (%s)", what,
                text);
  return fail(error, VIT_INTERNAL, "the CUDA driver could not %s (%s)", what,
              text);
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

vit_status countAdapters(const Driver &driver, int &count, vit_error *error) {
  count = 0;
  VIT_TRY(
      driver.check(driver.cuDeviceGetCount(&count), "count devices", error));
  return count > 0
             ? VIT_OK
             : fail(error, VIT_UNSUPPORTED, "the CUDA driver sees no device");
}

vit_status readAdapter(const Driver &driver, int ordinal, Adapter &adapter,
                       vit_error *error) {
  adapter.ordinal = ordinal;
  auto read = [&](DeviceAttribute attribute, int &value) {
    return driver.cuDeviceGetAttribute(&value, attribute, adapter.device);
  };
  int major = 0, minor = 0;
  size_t memory = 0;
  Result result = driver.cuDeviceGet(&adapter.device, ordinal);
  if (result == kSuccess)
    result = driver.cuDeviceGetName(adapter.name, int(sizeof adapter.name),
                                    adapter.device);
  if (result == kSuccess)
    result = driver.cuDeviceTotalMem_v2(&memory, adapter.device);
  if (result == kSuccess)
    result = read(kComputeCapabilityMajor, major);
  if (result == kSuccess)
    result = read(kComputeCapabilityMinor, minor);
  if (result == kSuccess)
    result = read(kMultiprocessorCount, adapter.multiprocessors);
  if (result == kSuccess)
    result = read(kMaxThreadsPerBlock, adapter.maxThreads);
  if (result == kSuccess)
    result = read(kMaxSharedMemoryPerBlock, adapter.maxShared);
  adapter.name[sizeof adapter.name - 1] = 0;
  adapter.capability = 10 * major + minor;
  adapter.memory = memory;
  return driver.check(result, "describe a device", error);
}

vit_status selectAdapter(const Driver &driver, const char *selector,
                         Adapter &adapter, vit_error *error) {
  int count;
  VIT_TRY(countAdapters(driver, count, error));
  long ordinal = 0;
  if (*selector == ':') {
    char *end = nullptr;
    bool isNumber = selector[1] >= '0' && selector[1] <= '9';
    ordinal = std::strtol(selector + 1, &end, 10);
    if (!isNumber || *end != 0)
      return fail(
          error, VIT_INVALID_ARGUMENT,
          "'cuda%.200s' is no device: cuda and cuda:N, with N from 0 to "
          "%d, are",
          selector, count - 1);
  }
  if (ordinal >= count)
    return fail(error, VIT_NOT_FOUND,
                "there is no device cuda:%ld: the CUDA driver sees %d, counted "
                "from 0",
                ordinal, count);
  return readAdapter(driver, int(ordinal), adapter, error);
}

const format::Level *bestLevel(const Adapter &adapter) {
  for (const format::Level &level : format::levelsOf(format::Target::Cuda))
    if (format::runsOnCapability(level, adapter.capability))
      return &level;
  return nullptr;
}

} // namespace vit::runtime::cuda
