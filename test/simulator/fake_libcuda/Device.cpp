//===- Device.cpp - libcuda: initialisation, devices, contexts ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <cstring>

using namespace vit::sim;

extern "C" {

int cuInit(unsigned flags) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuInit")
  if (flags)
    return InvalidValue;
  if (driver.devices <= 0)
    return NoDevice;
  driver.initialized = true;
  return Success;
}

int cuDriverGetVersion(int *version) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDriverGetVersion")
  *version = 13000;
  return Success;
}

namespace {
struct Name {
  Result result;
  const char *name, *text;
};
} // namespace
static const Name names[] = {
    {Success, "CUDA_SUCCESS", "no error"},
    {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS",
     "an illegal memory access was encountered"},
    {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {Unknown, "CUDA_ERROR_UNKNOWN", "unknown error"}};

int cuGetErrorName(int result, const char **name) {
  *name = nullptr;
  for (const Name &known : names)
    if (known.result == result)
      *name = known.name;
  return *name ? Success : InvalidValue;
}

int cuGetErrorString(int result, const char **text) {
  *text = nullptr;
  for (const Name &known : names)
    if (known.result == result)
      *text = known.text;
  return *text ? Success : InvalidValue;
}

int cuDeviceGetCount(int *count) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDeviceGetCount")
  if (!driver.initialized)
    return NotInitialized;
  *count = driver.devices;
  return Success;
}

int cuDeviceGet(int *device, int ordinal) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDeviceGet")
  if (ordinal < 0 || ordinal >= driver.devices)
    return InvalidDevice;
  *device = ordinal;
  return Success;
}

int cuDeviceGetName(char *name, int length, int device) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDeviceGetName")
  if (device < 0 || device >= driver.devices || length <= 0)
    return InvalidDevice;
  std::string text = driver.name.empty()
                         ? "vit simulator " + std::to_string(device)
                         : driver.name;
  snprintf(name, static_cast<size_t>(length), "%s", text.c_str());
  return Success;
}

int cuDeviceGetUuid_v2(unsigned char *id, int device) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDeviceGetUuid")
  if (device < 0 || device >= driver.devices)
    return InvalidDevice;
  memset(id, 0, 16);
  id[15] = static_cast<unsigned char>(device);
  return Success;
}

int cuDeviceTotalMem_v2(size_t *bytes, int) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDeviceTotalMem")
  *bytes = driver.totalMemory;
  return Success;
}

int cuDeviceGetAttribute(int *value, int attribute, int) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDeviceGetAttribute")
  static const std::map<int, int> fixed = {
      {1, 1024},       // threads per block
      {2, 1024},       // in its first dimension
      {5, 2147483647}, // blocks
      {8, 49152},      // shared memory per block
      {10, 32},        // threads per warp
      {16, 4},         // multiprocessors
  };
  auto found = fixed.find(attribute);
  if (found != fixed.end())
    *value = found->second;
  else if (attribute == 81) // shared memory of a multiprocessor
    *value = driver.getSharedMemory();
  else if (attribute == 97) // of a block that asks for it
    *value = driver.getSharedMemory() - 1024;
  else if (attribute == 75 || attribute == 76)
    *value = driver.capability[attribute - 75];
  else
    return InvalidValue;
  return Success;
}

// Only the primary context is supported; its handle is the device.
int cuDevicePrimaryCtxRetain(void **context, int device) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDevicePrimaryCtxRetain")
  if (!driver.initialized)
    return NotInitialized;
  if (device < 0 || device >= driver.devices)
    return InvalidDevice;
  ++driver.contexts;
  *context = &driver;
  return Success;
}

int cuDevicePrimaryCtxRelease_v2(int) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuDevicePrimaryCtxRelease")
  if (!driver.contexts)
    return InvalidContext;
  --driver.contexts;
  return Success;
}

int cuCtxPushCurrent_v2(void *context) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuCtxPushCurrent")
  if (context != &driver || !driver.contexts)
    return InvalidContext;
  ++Driver::pushed;
  return Success;
}

int cuCtxPopCurrent_v2(void **context) {
  VIT_DRIVER_WITHOUT_CONTEXT("cuCtxPopCurrent")
  if (!Driver::pushed)
    return InvalidContext;
  --Driver::pushed;
  if (context)
    *context = &driver;
  return Success;
}
}
