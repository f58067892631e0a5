//===- DriverReports.cpp - Sanitizer suppressions for drivers -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Under LeakSanitizer: drivers leak some memory per instance, and the loader
// unloads them, so that reports cannot be attributed. Keep them loaded and
// suppress their leaks. Under ThreadSanitizer: it does not see the atomic
// operations of drivers, so it reports races on fences that their threads
// share.
//
//===----------------------------------------------------------------------===//

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <dlfcn.h>
#include <link.h>

extern "C" const char *__lsan_default_suppressions();
extern "C" const char *__lsan_default_suppressions() {
  return "leak:libvulkan_\nleak:libvk_swiftshader\nleak:libLLVM\n"
         "leak:libVkLayer\nleak:libvulkan.so\n";
}

extern "C" const char *__tsan_default_suppressions();
extern "C" const char *__tsan_default_suppressions() {
  return "race:libvulkan_lvp\nrace:libvk_swiftshader\n";
}

namespace {

class KeepDrivers : public testing::Environment {
  static int keep(dl_phdr_info *info, size_t, void *) {
    if (info->dlpi_name && *info->dlpi_name)
      dlopen(info->dlpi_name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    return 0;
  }

  void SetUp() override {
    const char *given = std::getenv("VIT_VULKAN_LIBRARY");
    void *library = dlopen(given ? given : "libvulkan.so.1", RTLD_NOW);
    if (!library)
      return;
    auto get = reinterpret_cast<PFN_vkGetInstanceProcAddr>(
        dlsym(library, "vkGetInstanceProcAddr"));
    auto create = reinterpret_cast<PFN_vkCreateInstance>(
        get(nullptr, "vkCreateInstance"));
    VkInstanceCreateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
    VkInstance instance;
    if (create(&info, nullptr, &instance) != VK_SUCCESS)
      return;
    dl_iterate_phdr(keep, nullptr);
    reinterpret_cast<PFN_vkDestroyInstance>(get(instance, "vkDestroyInstance"))(
        instance, nullptr);
  }
};

[[maybe_unused]] const testing::Environment *const environment =
    testing::AddGlobalTestEnvironment(new KeepDrivers);

} // namespace
