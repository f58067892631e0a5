//===- FaultyLoader.cpp - A Vulkan loader that fails on demand ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Wraps the real loader (see VIT_VULKAN_LIBRARY): entry points that return a
// result first check whether the test wants this call to fail, so that each
// error can be tested with a driver that never has it.
//
//===----------------------------------------------------------------------===//

#include "FakeMatrices.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

/// The number of the call that fails, from 0 (-1: none), its result, and the
/// number of calls so far. If `faultIn` is not NULL, only calls of that
/// function count.
EXPORT int faultAt;
EXPORT int faultCalls;
EXPORT VkResult faultResult;
EXPORT const char *faultIn;
int faultAt = -1;
int faultCalls = 0;
VkResult faultResult = VK_ERROR_OUT_OF_DEVICE_MEMORY;
const char *faultIn = nullptr;

/// The size of the largest heap of memory, 0: as it is.
EXPORT VkDeviceSize faultHeap;
VkDeviceSize faultHeap = 0;

static bool failsNow(const char *name) {
  if (faultIn && std::strcmp(faultIn, name) != 0)
    return false;
  // Several threads compile kernels.
  return __atomic_fetch_add(&faultCalls, 1, __ATOMIC_RELAXED) == faultAt;
}

static PFN_vkGetInstanceProcAddr realInstance() {
  static void *library = [] {
    const char *given = std::getenv("VIT_TEST_REAL_LOADER");
    return dlopen(given ? given : "libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  }();
  return reinterpret_cast<PFN_vkGetInstanceProcAddr>(
      dlsym(library, "vkGetInstanceProcAddr"));
}

/// A wrapper for each entry point that returns a VkResult.
template <typename Function, int id> struct Wrapper;
template <typename... Arguments, int id>
struct Wrapper<VkResult(VKAPI_PTR *)(Arguments...), id> {
  static inline VkResult(VKAPI_PTR *real)(Arguments...) = nullptr;
  static inline const char *name = nullptr;
  static VkResult VKAPI_PTR call(Arguments... arguments) {
    return failsNow(name) ? faultResult : real(arguments...);
  }
};

#define WRAPPED(X)                                                             \
  X(CreateInstance)                                                            \
  X(EnumeratePhysicalDevices)                                                  \
  X(CreateDevice)                                                              \
  X(AllocateCommandBuffers)                                                    \
  X(AllocateDescriptorSets)                                                    \
  X(AllocateMemory)                                                            \
  X(BeginCommandBuffer)                                                        \
  X(BindBufferMemory)                                                          \
  X(CreateBuffer)                                                              \
  X(CreateCommandPool)                                                         \
  X(CreateComputePipelines)                                                    \
  X(CreateDescriptorPool)                                                      \
  X(CreateDescriptorSetLayout)                                                 \
  X(CreateFence)                                                               \
  X(CreatePipelineLayout)                                                      \
  X(CreateQueryPool)                                                           \
  X(CreateShaderModule)                                                        \
  X(EndCommandBuffer)                                                          \
  X(MapMemory)                                                                 \
  X(QueueSubmit)                                                               \
  X(WaitForFences)

template <typename Function, int id>
static PFN_vkVoidFunction wrap(const char *name, PFN_vkVoidFunction real) {
  using W = Wrapper<Function, id>;
  W::real = reinterpret_cast<Function>(real);
  W::name = name;
  return reinterpret_cast<PFN_vkVoidFunction>(W::call);
}

static PFN_vkGetPhysicalDeviceMemoryProperties realMemory;
static void VKAPI_PTR memoryProperties(VkPhysicalDevice device,
                                       VkPhysicalDeviceMemoryProperties *all) {
  realMemory(device, all);
  for (uint32_t i = 0; faultHeap && i < all->memoryHeapCount; ++i)
    if (all->memoryHeaps[i].size > faultHeap)
      all->memoryHeaps[i].size = faultHeap;
}

static PFN_vkVoidFunction wrapped(const char *name, PFN_vkVoidFunction real) {
  real = fakeMatrixFunction(name, real);
  if (!real)
    return nullptr;
#define TRY(function)                                                          \
  if (std::strcmp(name, "vk" #function) == 0)                                  \
    return wrap<PFN_vk##function, __LINE__ * 1000 + __COUNTER__>(              \
        "vk" #function, real);
  WRAPPED(TRY)
#undef TRY
  if (std::strcmp(name, "vkGetPhysicalDeviceMemoryProperties") == 0) {
    realMemory =
        reinterpret_cast<PFN_vkGetPhysicalDeviceMemoryProperties>(real);
    return reinterpret_cast<PFN_vkVoidFunction>(memoryProperties);
  }
  return real;
}

static PFN_vkGetDeviceProcAddr realDevice;
static VkInstance lastInstance;
/// A wrapper calls the loader's function for all devices, as those of two
/// drivers differ.
static PFN_vkVoidFunction VKAPI_PTR getDeviceProcAddr(VkDevice device,
                                                      const char *name) {
  PFN_vkVoidFunction ofAll = realInstance()(lastInstance, name);
  PFN_vkVoidFunction wrapper = wrapped(name, ofAll);
  return wrapper != ofAll ? wrapper : realDevice(device, name);
}

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
vkGetInstanceProcAddr(VkInstance instance, const char *name) {
  PFN_vkGetInstanceProcAddr real = realInstance();
  if (!real)
    return nullptr;
  if (instance)
    lastInstance = instance;
  PFN_vkVoidFunction function = real(instance, name);
  if (function && std::strcmp(name, "vkGetDeviceProcAddr") == 0) {
    realDevice = reinterpret_cast<PFN_vkGetDeviceProcAddr>(function);
    return reinterpret_cast<PFN_vkVoidFunction>(getDeviceProcAddr);
  }
  return wrapped(name, function);
}
