//===- VulkanSupport.h - Shared parts of the Vulkan tests -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_VULKAN_SUPPORT_H
#define VIT_TEST_VULKAN_SUPPORT_H

#include "TestSupport.h"
#include "VulkanModule.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>

namespace vit::test {

/// The Vulkan devices of vit_devices_describe.
inline nlohmann::json vulkanDevices() {
  char *text = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_devices_describe("vulkan", &text, &error), VIT_OK)
      << error.message;
  nlohmann::json all = nlohmann::json::parse(text), result;
  std::free(text);
  for (const auto &device : all)
    if (device["device"].get<std::string>().rfind("vulkan", 0) == 0)
      result.push_back(device);
  return result;
}

/// Skips tests if there is no Vulkan. The disk cache is in a temporary folder.
class Vulkan : public testing::Test {
protected:
  void SetUp() override {
    char folder[] = "/tmp/vit-vulkan-XXXXXX";
    ASSERT_TRUE(mkdtemp(folder));
    cache = folder;
    setenv("XDG_CACHE_HOME", folder, 1);
    nlohmann::json devices = vulkanDevices();
    if (devices.empty() || devices[0].contains("unavailable"))
      GTEST_SKIP() << "no Vulkan device: " << devices.dump();
  }
  void TearDown() override {
    unsetenv("XDG_CACHE_HOME");
    std::error_code ignored;
    std::filesystem::remove_all(cache, ignored);
  }

  static Bytes makeModule(const char *level = "direct") {
    Builder builder;
    addVulkanSchedule(builder, level);
    return builder.write();
  }
  static vit_session_options vulkanOptions(const char *device = "vulkan") {
    vit_session_options options = {};
    options.struct_size = sizeof options;
    options.device = device;
    return options;
  }
  static SessionHandle makeVulkanSession(const ModuleHandle &module) {
    vit_session_options options = vulkanOptions();
    return makeSession(module, &options);
  }

  std::filesystem::path cache;
};

/// Settings that must not change results: all tests run with each variant.
struct Variant {
  const char *name;
  const char *disable; ///< VIT_VULKAN_DISABLE
  const char *gflop;   ///< VIT_VULKAN_SUBMIT_GFLOP
  const char *binding; ///< VIT_VULKAN_MAX_BINDING
};

class VulkanRun : public Vulkan, public testing::WithParamInterface<Variant> {
protected:
  VulkanRun()
      : disable("VIT_VULKAN_DISABLE", GetParam().disable),
        gflop("VIT_VULKAN_SUBMIT_GFLOP", GetParam().gflop),
        binding("VIT_VULKAN_MAX_BINDING", GetParam().binding) {}

  Environment disable, gflop, binding;
};

inline const auto kVariants = testing::Values(
    Variant{"Plain", nullptr, nullptr, nullptr},
    Variant{"Staged", "host-visible", nullptr, nullptr},
    Variant{"Split", nullptr, "0.0000002", nullptr},
    Variant{"StagedSplit", "host-visible", "0.0000002", nullptr},
    Variant{"NoClock", "timestamps", nullptr, nullptr},
    Variant{"NarrowBindings", nullptr, nullptr, "4096"});
inline std::string nameOf(const testing::TestParamInfo<Variant> &info) {
  return info.param.name;
}

/// Expects that creating a session fails; returns the status.
inline vit_status failToMake(const ModuleHandle &module,
                             const vit_session_options &options,
                             std::string &message) {
  vit_session *session = nullptr;
  vit_error error = {};
  vit_status status =
      vit_session_create(module.get(), &options, &session, &error);
  EXPECT_EQ(session, nullptr);
  message = error.message;
  vit_session_release(session);
  return status;
}

} // namespace vit::test

#endif // VIT_TEST_VULKAN_SUPPORT_H
