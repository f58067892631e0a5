//===- Faults.h - Failing calls of the Vulkan driver ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_VULKAN_FAULTS_H
#define VIT_TEST_VULKAN_FAULTS_H

#include "VulkanSupport.h"

#include "FakeMatrices.h"

#include <dlfcn.h>

namespace vit::test {

/// The variables of FaultyLoader.cpp.
class VulkanFaults : public Vulkan {
protected:
  void SetUp() override {
    Vulkan::SetUp();
    if (IsSkipped())
      return;
    const char *real = std::getenv("VIT_VULKAN_LIBRARY");
    before = real ? real : "";
    setenv("VIT_TEST_REAL_LOADER", real ? real : "libvulkan.so.1", 1);
    setenv("VIT_VULKAN_LIBRARY", VIT_TEST_FAULTY_LOADER, 1);
    void *loader = dlopen(VIT_TEST_FAULTY_LOADER, RTLD_NOW | RTLD_NODELETE);
    ASSERT_TRUE(loader) << dlerror();
    at = static_cast<int *>(dlsym(loader, "faultAt"));
    calls = static_cast<int *>(dlsym(loader, "faultCalls"));
    result = static_cast<VkResult *>(dlsym(loader, "faultResult"));
    in = static_cast<const char **>(dlsym(loader, "faultIn"));
    heap = static_cast<VkDeviceSize *>(dlsym(loader, "faultHeap"));
    matrices = static_cast<FakeMatrices *>(dlsym(loader, "fakeMatrices"));
    ASSERT_TRUE(at && calls && result && in && heap && matrices);
  }
  void TearDown() override {
    if (at) {
      fault(-1);
      *heap = 0;
    }
    if (matrices)
      *matrices = FakeMatrices::Off;
    before.empty() ? unsetenv("VIT_VULKAN_LIBRARY")
                   : setenv("VIT_VULKAN_LIBRARY", before.c_str(), 1);
    Vulkan::TearDown();
  }
  /// From now on, call `number` fails, counting only `function` if not NULL.
  void fault(int number, VkResult how = VK_ERROR_OUT_OF_DEVICE_MEMORY,
             const char *function = nullptr) {
    *at = number;
    *calls = 0;
    *result = how;
    *in = function;
  }

  std::string before;
  int *at = nullptr, *calls = nullptr;
  VkResult *result = nullptr;
  const char **in = nullptr;
  VkDeviceSize *heap = nullptr;
  FakeMatrices *matrices = nullptr;
};

} // namespace vit::test

#endif // VIT_TEST_VULKAN_FAULTS_H
