//===- Instance.cpp - The Vulkan loader and its devices -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Instance.h"

#include "devices/vulkan/CooperativeMatrix.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

namespace vit::runtime::vulkan {

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

const char *optionName(Option option) {
  switch (option) {
  case Option::Subgroup:
    return "subgroup";
  case Option::CooperativeMatrix:
    return "cooperative-matrix";
  case Option::IntegerDotProduct:
    return "integer-dot-product";
  case Option::PipelineCache:
    return "pipeline-cache";
  case Option::Timestamps:
    return "timestamps";
  case Option::HostVisible:
    return "host-visible";
  }
  return "";
}

/// Reads a number of bytes that lowers a device's limit, so that the behaviour
/// on a small device can be tested on a large one.
static vit_status readLimit(const char *name, uint64_t &limit,
                            vit_error *error) {
  const char *given = std::getenv(name);
  if (!given || !*given)
    return VIT_OK;
  char *rest;
  limit = std::strtoull(given, &rest, 10);
  if (*rest || limit < 4096 || limit > uint64_t(1) << 62)
    return fail(error, VIT_INVALID_ARGUMENT,
                "%s is '%s': a number of bytes from 4096 is needed", name,
                given);
  return VIT_OK;
}

vit_status Instance::readOptions(vit_error *error) {
  VIT_TRY(readLimit("VIT_VULKAN_MAX_BINDING", mostBinding, error));
  VIT_TRY(readLimit("VIT_VULKAN_MAX_ALLOCATION", mostAllocation, error));
  const char *list = std::getenv("VIT_VULKAN_DISABLE");
  while (list && *list) {
    size_t length = std::strcspn(list, ",");
    bool known = length == 0;
    for (int i = 0; i < kOptions; ++i) {
      const char *name = optionName(Option(i));
      if (std::strlen(name) == length &&
          std::strncmp(name, list, length) == 0) {
        disabled[i] = true;
        known = true;
      }
    }
    if (!known)
      return fail(error, VIT_INVALID_ARGUMENT,
                  "VIT_VULKAN_DISABLE names '%.*s': subgroup, "
                  "cooperative-matrix, integer-dot-product, pipeline-cache, "
                  "timestamps and host-visible can be switched off",
                  int(length), list);
    list += length;
    list += *list == ',';
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

Instance::~Instance() {
  if (handle)
    vk.DestroyInstance(handle, nullptr);
  // The library is never closed: drivers register functions that run when a
  // thread ends.
}

vit_status Instance::open(const Allocator &allocator, vit_error *error) {
  VIT_TRY(readOptions(error));
  const char *given = std::getenv("VIT_VULKAN_LIBRARY");
  const char *name = given && *given ? given : "libvulkan.so.1";
  // Whoever sets the environment may choose what is loaded.
  // NOLINTNEXTLINE(clang-analyzer-optin.taint.GenericTaint)
  library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return fail(error, VIT_UNSUPPORTED,
                "no Vulkan here: %s; install the Vulkan loader (libvulkan1) "
                "and a driver for the device",
                dlerror());
  getProcAddr = reinterpret_cast<PFN_vkGetInstanceProcAddr>(
      dlsym(library, "vkGetInstanceProcAddr"));
  if (!getProcAddr)
    return fail(error, VIT_UNSUPPORTED,
                "no Vulkan here: '%s' is not the Vulkan loader", name);
  VIT_TRY(create(error));
#define VIT_VULKAN_LOAD(name)                                                  \
  vk.name = reinterpret_cast<PFN_vk##name>(getProcAddr(handle, "vk" #name));   \
  if (!vk.name)                                                                \
    return fail(error, VIT_UNSUPPORTED,                                        \
                "the Vulkan loader lacks vk" #name ": update it");
  // Loaded first, so that the instance can be destroyed after a failure.
  VIT_VULKAN_LOAD(DestroyInstance)
  VIT_VULKAN_INSTANCE_FUNCTIONS(VIT_VULKAN_LOAD)
#undef VIT_VULKAN_LOAD
  getMatrixProperties =
      reinterpret_cast<PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR>(
          getProcAddr(handle,
                      "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"));
  return enumerate(allocator, error);
}

vit_status Instance::create(vit_error *error) {
  auto enumerateVersion = reinterpret_cast<PFN_vkEnumerateInstanceVersion>(
      getProcAddr(nullptr, "vkEnumerateInstanceVersion"));
  auto createInstance = reinterpret_cast<PFN_vkCreateInstance>(
      getProcAddr(nullptr, "vkCreateInstance"));
  if (!createInstance || !enumerateVersion)
    return fail(error, VIT_UNSUPPORTED,
                "the Vulkan loader is of version 1.0 and vit needs 1.1: "
                "update it");
  VkApplicationInfo application = {};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pEngineName = "vit";
  // Version 1.1 is required; later versions report more limits.
  application.apiVersion = VK_API_VERSION_1_3;
  VkInstanceCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  VkResult result = createInstance(&info, nullptr, &handle);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
    return fail(error, VIT_UNSUPPORTED,
                "no Vulkan device here: the loader found no driver; install "
                "one (mesa-vulkan-drivers has one for the CPU)");
  if (result != VK_SUCCESS) {
    handle = VK_NULL_HANDLE;
    return failed(error, result, "create an instance");
  }
  return VIT_OK;
}

/// Rank of a kind of device; a lower one is preferred.
static int rank(const Adapter &adapter) {
  switch (adapter.properties.deviceType) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return 0;
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return 1;
  case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
    return 2;
  case VK_PHYSICAL_DEVICE_TYPE_CPU:
    return 3;
  default:
    return 4;
  }
}

vit_status Instance::enumerate(const Allocator &allocator, vit_error *error) {
  uint32_t found = 0;
  VkResult result = vk.EnumeratePhysicalDevices(handle, &found, nullptr);
  Array<VkPhysicalDevice> devices;
  if (result == VK_SUCCESS && found > 0) {
    if (!devices.allocate(allocator, found))
      return outOfMemory(error, found * sizeof(Adapter), "Vulkan devices");
    result = vk.EnumeratePhysicalDevices(handle, &found, devices.data());
  }
  if (result == VK_ERROR_INITIALIZATION_FAILED)
    found = 0; // Loaders return this if no driver has a device.
  else if (result != VK_SUCCESS && result != VK_INCOMPLETE)
    return failed(error, result, "list its devices");
  if (found == 0)
    return fail(error, VIT_UNSUPPORTED,
                "no Vulkan device here: no driver has one; install one "
                "(mesa-vulkan-drivers has one for the CPU)");
  if (!adapters.allocate(allocator, found))
    return outOfMemory(error, found * sizeof(Adapter), "Vulkan devices");
  for (uint32_t i = 0; i < found; ++i)
    describe(devices[i], allocator, adapters[i]);
  // A stable insertion sort: there are few.
  for (uint32_t i = 1; i < found; ++i)
    for (uint32_t j = i; j > 0 && rank(adapters[j]) < rank(adapters[j - 1]);
         --j)
      std::swap(adapters[j], adapters[j - 1]);
  return VIT_OK;
}

/// Finds a queue family with compute, preferably one without graphics, which
/// does not compete with the desktop. False if there is none.
static bool findQueueFamily(const VkQueueFamilyProperties *families,
                            uint32_t count, uint32_t &family) {
  bool found = false;
  for (uint32_t i = 0; i < count; ++i) {
    VkQueueFlags flags = families[i].queueFlags;
    if (!(flags & VK_QUEUE_COMPUTE_BIT) || families[i].queueCount == 0)
      continue;
    if (!(flags & VK_QUEUE_GRAPHICS_BIT)) {
      family = i;
      return true;
    }
    if (!found)
      family = i;
    found = true;
  }
  return found;
}

/// Dot products of integers are part of Vulkan 1.3.
static bool listsDotProducts(const InstanceFunctions &vk,
                             VkPhysicalDevice device) {
  VkPhysicalDeviceShaderIntegerDotProductFeatures dots = {};
  dots.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
  VkPhysicalDeviceFeatures2 all = {};
  all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  all.pNext = &dots;
  vk.GetPhysicalDeviceFeatures2(device, &all);
  return dots.shaderIntegerDotProduct;
}

void Instance::describe(VkPhysicalDevice device, const Allocator &allocator,
                        Adapter &adapter) const {
  adapter = {};
  adapter.handle = device;
  adapter.maxIterations = UINT64_MAX;
  vk.GetPhysicalDeviceProperties(device, &adapter.properties);
  vk.GetPhysicalDeviceMemoryProperties(device, &adapter.memory);
  uint32_t version = adapter.properties.apiVersion;
  if (version < VK_API_VERSION_1_1) {
    adapter.unusable = "its driver is of Vulkan 1.0 and vit needs 1.1";
    return;
  }
  // Later versions than 1.1 also have these.
  VkPhysicalDeviceMaintenance4Properties buffers = {};
  buffers.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES;
  // NOLINTNEXTLINE(bugprone-invalid-enum-default-initialization): filled below
  VkPhysicalDeviceDriverProperties driver = {};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  VkPhysicalDeviceSubgroupProperties subgroup = {};
  subgroup.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  VkPhysicalDeviceMaintenance3Properties allocations = {};
  allocations.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  allocations.pNext = &subgroup;
  VkPhysicalDeviceIDProperties identity = {};
  identity.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES;
  identity.pNext = &allocations;
  if (version >= VK_API_VERSION_1_2)
    subgroup.pNext = &driver;
  if (version >= VK_API_VERSION_1_3)
    driver.pNext = &buffers;
  VkPhysicalDeviceProperties2 all = {};
  all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  all.pNext = &identity;
  vk.GetPhysicalDeviceProperties2(device, &all);
  adapter.maxAllocation =
      std::min<uint64_t>(allocations.maxMemoryAllocationSize, mostAllocation);
  if (buffers.maxBufferSize)
    adapter.maxAllocation =
        std::min<uint64_t>(adapter.maxAllocation, buffers.maxBufferSize);
  // A multiple of the alignment of the workspace; kernels count 16-byte
  // vectors.
  adapter.maxRange =
      std::min<uint64_t>({adapter.properties.limits.maxStorageBufferRange,
                          adapter.maxAllocation, mostBinding}) &
      ~uint64_t(kAlignment - 1);
  std::snprintf(adapter.driver, sizeof adapter.driver, "%s%s%s",
                driver.driverName, *driver.driverInfo ? " " : "",
                driver.driverInfo);
  // Mesa, src/gallium/auxiliary/gallivm: LP_MAX_TGSI_LOOP_ITERATIONS.
  if (driver.driverID == VK_DRIVER_ID_MESA_LLVMPIPE)
    adapter.maxIterations = 65535;
  std::memcpy(adapter.uuid, identity.deviceUUID, sizeof adapter.uuid);
  adapter.subgroupSize = subgroup.subgroupSize;
  constexpr VkSubgroupFeatureFlags needed =
      VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
  if ((subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
      (subgroup.supportedOperations & needed) == needed) {
    adapter.features = listMatrices(*this, device, version, allocator);
    adapter.features.add(format::Feature::SubgroupArithmetic);
  }
  if (version >= VK_API_VERSION_1_3 && listsDotProducts(vk, device))
    adapter.features.add(format::Feature::IntegerDotProduct);
  // No driver has more families.
  VkQueueFamilyProperties families[32];
  uint32_t count = 32;
  vk.GetPhysicalDeviceQueueFamilyProperties(device, &count, families);
  if (!findQueueFamily(families, count, adapter.queueFamily)) {
    adapter.unusable = "it has no queue for compute";
    return;
  }
  adapter.timestampBits = families[adapter.queueFamily].timestampValidBits;
}

const char *typeName(const Adapter &adapter) {
  switch (adapter.properties.deviceType) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return "discrete GPU";
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return "integrated GPU";
  case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
    return "virtual GPU";
  case VK_PHYSICAL_DEVICE_TYPE_CPU:
    return "CPU";
  default:
    return "other";
  }
}

} // namespace vit::runtime::vulkan
