//===- FakeMatrices.cpp - A driver that claims cooperative matrices -------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes the real driver a GPU that lists cooperative matrices, of f16, of bf16
// or of both, or of another shape. In place of the runtime's tests of them it
// runs plain code, right or wrong. Everything that the driver does not know is
// removed from what it is asked for, and what the GPU does not list is refused.
// Or makes it a GPU whose dot products of integers, or sums over subgroups, are
// wrong.
//
//===----------------------------------------------------------------------===//

#include "FakeMatrices.h"

#include "devices/vulkan/Extensions.h"

#include <cstring>
#include <vector>

FakeMatrices fakeMatrices = FakeMatrices::Off;

static const uint32_t kBf16Test[] = {
#include "devices/vulkan/matrix_test.inc"
};
static const uint32_t kF16Test[] = {
#include "devices/vulkan/matrix_test_f16.inc"
};
static const uint32_t kF16Test8x16[] = {
#include "devices/vulkan/matrix_test_8x16_f16.inc"
};
static const uint32_t kDotTest[] = {
#include "devices/vulkan/dot_test.inc"
};
static const uint32_t kSubgroupTest[] = {
#include "devices/vulkan/subgroup_test.inc"
};
/// The same with plain code in place of matrices.
static const uint32_t kBf16Plain[] = {
#include "kernels/matrix_test_plain.inc"
};
static const uint32_t kF16Plain[] = {
#include "kernels/matrix_test_f16_plain.inc"
};
static const uint32_t kF16Plain8x16[] = {
#include "kernels/matrix_test_8x16_f16_plain.inc"
};

static PFN_vkGetPhysicalDeviceProperties realProperties;
static PFN_vkGetPhysicalDeviceProperties2 realProperties2;
static PFN_vkGetPhysicalDeviceFeatures2 realFeatures2;
static PFN_vkEnumerateDeviceExtensionProperties realExtensions;
static PFN_vkCreateDevice realCreateDevice;
static PFN_vkCreateShaderModule realCreateShaderModule;
static PFN_vkCreateComputePipelines realCreatePipelines;

static bool hasF16() { return fakeMatrices != FakeMatrices::OnlyBf16; }
static bool is8x16() {
  return fakeMatrices >= FakeMatrices::Only8x16 &&
         fakeMatrices <= FakeMatrices::Wrong8x16;
}
static bool hasBf16() {
  return fakeMatrices != FakeMatrices::OnlyF16 && !is8x16();
}

template <typename T> static T *find(void *chain, VkStructureType type) {
  auto *base = static_cast<VkBaseOutStructure *>(chain);
  while (base && base->sType != type)
    base = base->pNext;
  return reinterpret_cast<T *>(base);
}

/// Calls `query` with the structures of `all` that drivers without the
/// extensions know.
template <typename All, typename Query>
static void queryKnown(All *all, Query query) {
  std::vector<VkBaseOutStructure *> chain;
  for (auto *s = static_cast<VkBaseOutStructure *>(all->pNext); s; s = s->pNext)
    chain.push_back(s);
  auto link = [&](auto isLinked) {
    auto *last = reinterpret_cast<VkBaseOutStructure *>(all);
    for (VkBaseOutStructure *s : chain)
      if (isLinked(s->sType)) {
        last->pNext = s;
        last = s;
      }
    last->pNext = nullptr;
  };
  link([](VkStructureType type) {
    return type !=
               VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR &&
           type !=
               VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR &&
           type !=
               VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR;
  });
  query();
  link([](VkStructureType) { return true; });
}

static void VKAPI_PTR getProperties(VkPhysicalDevice device,
                                    VkPhysicalDeviceProperties *properties) {
  realProperties(device, properties);
  properties->deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
  // The runtime keeps results of its test for each driver.
  properties->driverVersion += uint32_t(fakeMatrices);
}

static void VKAPI_PTR getProperties2(VkPhysicalDevice device,
                                     VkPhysicalDeviceProperties2 *all) {
  queryKnown(all, [&] { realProperties2(device, all); });
  if (auto *sizes = find<VkPhysicalDeviceSubgroupSizeControlProperties>(
          all->pNext,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES)) {
    sizes->minSubgroupSize = fakeMatrices == FakeMatrices::Wide8x16 ? 32 : 8;
    sizes->maxSubgroupSize = is8x16() && sizes->minSubgroupSize < 32 ? 16 : 32;
    sizes->requiredSubgroupSizeStages = VK_SHADER_STAGE_COMPUTE_BIT;
  }
  if (auto *matrices = find<VkPhysicalDeviceCooperativeMatrixPropertiesKHR>(
          all->pNext,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR))
    matrices->cooperativeMatrixSupportedStages = VK_SHADER_STAGE_COMPUTE_BIT;
}

static void VKAPI_PTR getFeatures2(VkPhysicalDevice device,
                                   VkPhysicalDeviceFeatures2 *all) {
  queryKnown(all, [&] { realFeatures2(device, all); });
  if (auto *matrix = find<VkPhysicalDeviceCooperativeMatrixFeaturesKHR>(
          all->pNext,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR))
    matrix->cooperativeMatrix = VK_TRUE;
  if (auto *bf16 = find<VkPhysicalDeviceShaderBfloat16FeaturesKHR>(
          all->pNext,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR))
    bf16->shaderBFloat16Type = bf16->shaderBFloat16CooperativeMatrix =
        hasBf16();
  if (auto *f16 = find<VkPhysicalDeviceShaderFloat16Int8Features>(
          all->pNext,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES))
    f16->shaderFloat16 = hasF16();
  if (auto *memory = find<VkPhysicalDeviceVulkanMemoryModelFeatures>(
          all->pNext,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES))
    memory->vulkanMemoryModel = VK_TRUE;
  if (auto *subgroups = find<VkPhysicalDeviceSubgroupSizeControlFeatures>(
          all->pNext,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES))
    subgroups->subgroupSizeControl = subgroups->computeFullSubgroups = VK_TRUE;
}

static VkResult VKAPI_PTR listExtensions(VkPhysicalDevice device,
                                         const char *layer, uint32_t *count,
                                         VkExtensionProperties *properties) {
  uint32_t room = *count, own = 0;
  VkResult result = realExtensions(device, layer, &own, nullptr);
  if (result != VK_SUCCESS)
    return result;
  *count = own + (hasBf16() ? 2 : 1);
  if (!properties)
    return VK_SUCCESS;
  if (room < *count)
    return VK_INCOMPLETE;
  result = realExtensions(device, layer, &own, properties);
  const char *const added[] = {VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME,
                               VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME};
  for (; own < *count; ++own) {
    properties[own] = {};
    std::strcpy(properties[own].extensionName, added[*count - own - 1]);
  }
  return result;
}

static VkResult VKAPI_PTR listShapes(VkPhysicalDevice, uint32_t *count,
                                     VkCooperativeMatrixPropertiesKHR *shapes) {
  uint32_t listed = hasF16() && hasBf16() ? 2 : 1;
  if (shapes && *count < listed)
    return VK_INCOMPLETE;
  *count = listed;
  if (!shapes)
    return VK_SUCCESS;
  for (uint32_t i = 0; i < listed; ++i) {
    VkCooperativeMatrixPropertiesKHR &s = shapes[i];
    s.MSize = is8x16() ? 8 : 16;
    s.NSize = 16;
    s.KSize = fakeMatrices == FakeMatrices::OtherShape ? 8 : 16;
    s.AType = s.BType = i == 0 && hasF16() ? VK_COMPONENT_TYPE_FLOAT16_KHR
                                           : VK_COMPONENT_TYPE_BFLOAT16_KHR;
    s.CType = s.ResultType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    s.saturatingAccumulation = VK_FALSE;
    s.scope = VK_SCOPE_SUBGROUP_KHR;
  }
  return VK_SUCCESS;
}

/// Whether the GPU has all that `info` turns on for matrices.
static bool isListed(const VkDeviceCreateInfo &info) {
  auto *chain = const_cast<void *>(info.pNext);
  auto *f16 = find<VkPhysicalDeviceShaderFloat16Int8Features>(
      chain, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES);
  auto *bf16 = find<VkPhysicalDeviceShaderBfloat16FeaturesKHR>(
      chain, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR);
  bool enablesBf16 = false;
  for (uint32_t i = 0; i < info.enabledExtensionCount; ++i)
    enablesBf16 |= std::strcmp(info.ppEnabledExtensionNames[i],
                               VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME) == 0;
  return (hasF16() || !f16 || !f16->shaderFloat16) &&
         (hasBf16() || (!bf16 && !enablesBf16));
}

static VkResult VKAPI_PTR createDevice(VkPhysicalDevice device,
                                       const VkDeviceCreateInfo *info,
                                       const VkAllocationCallbacks *allocator,
                                       VkDevice *created) {
  if (!isListed(*info))
    return VK_ERROR_FEATURE_NOT_PRESENT;
  VkDeviceCreateInfo plain = *info;
  plain.pNext = nullptr;
  plain.enabledExtensionCount = 0;
  plain.ppEnabledExtensionNames = nullptr;
  return realCreateDevice(device, &plain, allocator, created);
}

/// Whether these are the words of one of the runtime's tests.
template <size_t Count>
static bool isTest(const VkShaderModuleCreateInfo &info,
                   const uint32_t (&words)[Count]) {
  return info.codeSize == sizeof words &&
         std::memcmp(info.pCode, words, sizeof words) == 0;
}

static VkResult VKAPI_PTR createShaderModule(
    VkDevice device, const VkShaderModuleCreateInfo *info,
    const VkAllocationCallbacks *allocator, VkShaderModule *module) {
  std::vector<uint32_t> words;
  bool isWrong = fakeMatrices == FakeMatrices::Wrong;
  if (isTest(*info, kBf16Test)) {
    words.assign(std::begin(kBf16Plain), std::end(kBf16Plain));
  } else if (isTest(*info, kF16Test)) {
    words.assign(std::begin(kF16Plain), std::end(kF16Plain));
    isWrong |= fakeMatrices == FakeMatrices::WrongF16;
  } else if (isTest(*info, kF16Test8x16)) {
    words.assign(std::begin(kF16Plain8x16), std::end(kF16Plain8x16));
    isWrong |= fakeMatrices == FakeMatrices::Wrong8x16;
  } else {
    return realCreateShaderModule(device, info, allocator, module);
  }
  // OpConstant 0.0 of type f32 is where the sums begin.
  constexpr uint32_t header = 5, constantOp = 4u << 16 | 43,
                     typeOp = 3u << 16 | 22;
  uint32_t f32 = 0;
  for (size_t i = header; i < words.size(); i += words[i] >> 16)
    if (words[i] == typeOp)
      f32 = words[i + 1];
    else if (words[i] == constantOp && words[i + 1] == f32 &&
             words[i + 3] == 0 && isWrong)
      words[i + 3] = 0x3f800000; // 1.0
  VkShaderModuleCreateInfo plain = *info;
  plain.codeSize = words.size() * sizeof(uint32_t);
  plain.pCode = words.data();
  return realCreateShaderModule(device, &plain, allocator, module);
}

/// Changes the operation of each dot product with signs to one without.
static void dropSigns(uint32_t *instruction) {
  constexpr uint32_t sDot = 4450, uDot = 4451;
  if ((*instruction & 0xffff) == sDot)
    *instruction += uDot - sDot;
}

/// Makes each sum over a subgroup that of the threads up to the own one.
static void shortenSums(uint32_t *instruction) {
  constexpr uint32_t groupAdd = 350, inclusiveScan = 1;
  constexpr int operation = 4; // after type, result and scope
  if ((*instruction & 0xffff) == groupAdd)
    instruction[operation] = inclusiveScan;
}

/// In place of `test` creates the module in which `change` has been called for
/// each instruction, in place of another one what is asked for.
template <size_t Count>
static VkResult
createChanged(VkDevice device, const VkShaderModuleCreateInfo *info,
              const VkAllocationCallbacks *allocator, VkShaderModule *module,
              const uint32_t (&test)[Count],
              void (*change)(uint32_t *instruction)) {
  if (!isTest(*info, test))
    return realCreateShaderModule(device, info, allocator, module);
  std::vector<uint32_t> words(std::begin(test), std::end(test));
  constexpr size_t header = 5;
  for (size_t i = header; i < words.size(); i += words[i] >> 16)
    change(&words[i]);
  VkShaderModuleCreateInfo wrong = *info;
  wrong.pCode = words.data();
  return realCreateShaderModule(device, &wrong, allocator, module);
}

static VkResult VKAPI_PTR createDotModule(
    VkDevice device, const VkShaderModuleCreateInfo *info,
    const VkAllocationCallbacks *allocator, VkShaderModule *module) {
  return createChanged(device, info, allocator, module, kDotTest, dropSigns);
}

static VkResult VKAPI_PTR createSubgroupModule(
    VkDevice device, const VkShaderModuleCreateInfo *info,
    const VkAllocationCallbacks *allocator, VkShaderModule *module) {
  return createChanged(device, info, allocator, module, kSubgroupTest,
                       shortenSums);
}

static VkResult VKAPI_PTR
createPipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                const VkComputePipelineCreateInfo *infos,
                const VkAllocationCallbacks *allocator, VkPipeline *pipelines) {
  std::vector<VkComputePipelineCreateInfo> plain(infos, infos + count);
  for (VkComputePipelineCreateInfo &info : plain) {
    info.stage.pNext = nullptr;
    info.stage.flags = 0;
  }
  return realCreatePipelines(device, cache, count, plain.data(), allocator,
                             pipelines);
}

PFN_vkVoidFunction fakeMatrixFunction(const char *name,
                                      PFN_vkVoidFunction real) {
  if (fakeMatrices == FakeMatrices::Off)
    return real;
#define FAKE(function, store, fake)                                            \
  if (std::strcmp(name, "vk" #function) == 0) {                                \
    store = reinterpret_cast<PFN_vk##function>(real);                          \
    return reinterpret_cast<PFN_vkVoidFunction>(fake);                         \
  }
  FAKE(GetPhysicalDeviceProperties, realProperties, getProperties)
  if (fakeMatrices == FakeMatrices::WrongDotProducts)
    FAKE(CreateShaderModule, realCreateShaderModule, createDotModule)
  if (fakeMatrices == FakeMatrices::WrongSubgroups)
    FAKE(CreateShaderModule, realCreateShaderModule, createSubgroupModule)
  if (fakeMatrices >= FakeMatrices::OtherDriver)
    return real;
  FAKE(GetPhysicalDeviceProperties2, realProperties2, getProperties2)
  FAKE(GetPhysicalDeviceFeatures2, realFeatures2, getFeatures2)
  FAKE(EnumerateDeviceExtensionProperties, realExtensions, listExtensions)
  FAKE(CreateDevice, realCreateDevice, createDevice)
  FAKE(CreateShaderModule, realCreateShaderModule, createShaderModule)
  FAKE(CreateComputePipelines, realCreatePipelines, createPipelines)
#undef FAKE
  if (std::strcmp(name, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR") ==
      0)
    return reinterpret_cast<PFN_vkVoidFunction>(listShapes);
  return real;
}
