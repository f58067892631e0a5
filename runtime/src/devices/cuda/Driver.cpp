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

namespace {

/// Why a driver does not start, and what to do about it.
struct StartFailure {
  int result; ///< A CUresult of cuInit or cuDeviceGetCount.
  const char *name;
  const char *advice;
};

constexpr char kNoDeviceAdvice[] =
    "it sees no device: check CUDA_VISIBLE_DEVICES and 'nvidia-smi', and start "
    "a container with its GPUs (docker run --gpus all)";

// From cuda.h's CUresult and the CUDA compatibility guide.
constexpr StartFailure kStartFailures[] = {
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED",
     "the NVIDIA kernel module is not loaded: try 'nvidia-smi', load it or "
     "restart the machine"},
    {kStubLibrary, "CUDA_ERROR_STUB_LIBRARY",
     "this library is the stub of the CUDA toolkit, not a driver: take the "
     "folder 'stubs' off LD_LIBRARY_PATH and install NVIDIA's driver, or start "
     "the container with its GPUs (docker run --gpus all)"},
    {kInsufficientDriver, "CUDA_ERROR_INSUFFICIENT_DRIVER",
     "the driver is older than its CUDA library: install a newer driver"},
    {kDeviceUnavailable, "CUDA_ERROR_DEVICE_UNAVAILABLE",
     "other processes use the device alone, or its compute mode forbids use: "
     "see 'nvidia-smi -q -d COMPUTE'"},
    {kNoDevice, "CUDA_ERROR_NO_DEVICE", kNoDeviceAdvice},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE",
     "CUDA_VISIBLE_DEVICES names a device that does not exist"},
    {kOperatingSystem, "CUDA_ERROR_OPERATING_SYSTEM",
     "the operating system refuses: check the access rights of /dev/nvidia*"},
    {kSystemNotReady, "CUDA_ERROR_SYSTEM_NOT_READY",
     "a service of the system is not ready: on machines with NVSwitch start "
     "nvidia-fabricmanager"},
    {kSystemDriverMismatch, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "libcuda and the NVIDIA kernel module have different versions: restart "
     "the machine after an update of the driver, and take other copies of "
     "libcuda (cuda-compat) off LD_LIBRARY_PATH"},
    {kCompatNotSupportedOnDevice, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
     "the library of cuda-compat does not support this device: take it off "
     "LD_LIBRARY_PATH or install a newer driver"},
    {kUnknown, "CUDA_ERROR_UNKNOWN",
     "often the state after a suspend, or a kernel module that does not match: "
     "reload nvidia_uvm ('modprobe -r nvidia_uvm && modprobe nvidia_uvm') or "
     "restart the machine"},
};

const StartFailure *findStartFailure(int result) {
  for (const StartFailure &failure : kStartFailures)
    if (failure.result == result)
      return &failure;
  return nullptr;
}

} // namespace

vit_status Driver::failStart(Result result, vit_error *error) const {
  char text[256];
  explain(result, text, sizeof text);
  const StartFailure *known = findStartFailure(result);
  return fail(error, VIT_UNSUPPORTED, "the CUDA driver does not start (%s): %s",
              text, known ? known->advice : "'nvidia-smi' may say more");
}

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
#define VIT_CUDA_LOAD(name, parameters)                                        \
  name = reinterpret_cast<decltype(name)>(dlsym(library, #name));
  VIT_CUDA_NEWER_FUNCTIONS(VIT_CUDA_LOAD)
#undef VIT_CUDA_LOAD
  // The library is never closed, so that pointers into it stay valid.
  dlclose(library);
  // First, because a stub may lack functions too.
  if (Result result = cuInit ? cuInit(0) : kSuccess)
    return failStart(result, error);
  if (missing)
    return fail(error, VIT_UNSUPPORTED,
                "the CUDA driver is too old, '%s' has no %s: install one for "
                "CUDA %d.%d or newer",
                path, missing, kOldestDriver / 1000, kOldestDriver % 1000 / 10);
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
  const StartFailure *known = findStartFailure(result);
  if (!cuGetErrorName || cuGetErrorName(result, &name) != kSuccess || !name)
    name = known ? known->name : "unknown error";
  if (!cuGetErrorString || cuGetErrorString(result, &meaning) != kSuccess ||
      !meaning)
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
  if (Result result = driver.cuDeviceGetCount(&count))
    return driver.failStart(result, error);
  return count > 0 ? VIT_OK : driver.failStart(kNoDevice, error);
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
    result = driver.cuDeviceGetUuid_v2(&adapter.id, adapter.device);
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
  if (result == kSuccess)
    result = read(kMaxSharedMemoryPerBlockOptin, adapter.maxDynamicShared);
  adapter.name[sizeof adapter.name - 1] = 0;
  adapter.capability = 10 * major + minor;
  adapter.memory = memory;
  return driver.check(result, "describe a device", error);
}

/// Reports that there is no device `ordinal`, with those there are.
static vit_status failOrdinal(const Driver &driver, long ordinal, int count,
                              vit_error *error) {
  char list[512] = "";
  size_t used = 0;
  for (int i = 0; i < count && used < sizeof list; ++i) {
    Adapter adapter = {};
    bool isRead = readAdapter(driver, i, adapter, nullptr) == VIT_OK;
    used += size_t(std::snprintf(list + used, sizeof list - used,
                                 "%scuda:%d: %s", i ? ", " : "", i,
                                 isRead ? adapter.name : "(not usable)"));
  }
  return fail(error, VIT_NOT_FOUND,
              "there is no device cuda:%ld; the CUDA driver sees %d: %s",
              ordinal, count, list);
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
    return failOrdinal(driver, ordinal, count, error);
  return readAdapter(driver, int(ordinal), adapter, error);
}

bool runsLevel(const Driver &driver, const Adapter &adapter,
               const format::Level &level) {
  bool hasFunctions = level.oldestDriver <= kOldestDriver ||
                      driver.cuTensorMapEncodeTiled != nullptr;
  return format::runsOnCapability(level, adapter.capability) &&
         level.oldestDriver <= driver.version && hasFunctions;
}

const format::Level *bestLevel(const Driver &driver, const Adapter &adapter) {
  for (const format::Level &level : format::levelsOf(format::Target::Cuda))
    if (runsLevel(driver, adapter, level))
      return &level;
  return nullptr;
}

} // namespace vit::runtime::cuda
