//===- FailureTest.cpp - Driver failures ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Faults.h"

using namespace vit::test;

//===----------------------------------------------------------------------===//
// No Vulkan
//===----------------------------------------------------------------------===//

TEST(VulkanMissing, SaysSo) {
  Builder builder;
  addVulkanSchedule(builder, "direct");
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.device = "vulkan";
  for (const char *library : {"/nowhere/libvulkan.so", "libm.so.6"}) {
    Environment environment("VIT_VULKAN_LIBRARY", library);
    std::string message;
    EXPECT_EQ(failToMake(module, options, message), VIT_UNSUPPORTED);
    EXPECT_EQ(message.rfind("no Vulkan here: ", 0), 0u) << message;
    nlohmann::json devices = vulkanDevices();
    ASSERT_EQ(devices.size(), 1u);
    EXPECT_EQ(devices[0]["device"], "vulkan");
    EXPECT_EQ(devices[0]["unavailable"], message);
  }
}

TEST(VulkanMissing, NoDriver) {
  // Loaders support one of these variables.
  Environment drivers("VK_DRIVER_FILES", "/nowhere.json");
  Environment old("VK_ICD_FILENAMES", "/nowhere.json");
  nlohmann::json devices = vulkanDevices();
  ASSERT_EQ(devices.size(), 1u);
  std::string reason = devices[0]["unavailable"];
  EXPECT_EQ(reason.rfind("no Vulkan", 0), 0u) << reason;
}

//===----------------------------------------------------------------------===//
// Failing driver calls
//===----------------------------------------------------------------------===//

TEST_F(VulkanFaults, EachCallInTurn) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  struct {
    VkResult result;
    vit_status status;
  } const kinds[] = {
      {VK_ERROR_OUT_OF_DEVICE_MEMORY, VIT_OUT_OF_MEMORY},
      {VK_ERROR_DEVICE_LOST, VIT_DEVICE_LOST},
      {VK_ERROR_UNKNOWN, VIT_INTERNAL},
  };
  for (const char *disable : {"", "host-visible"})
    for (const auto &kind : kinds) {
      Environment environment("VIT_VULKAN_DISABLE", disable);
      int failed = 0;
      for (int number = 0;; ++number) {
        ASSERT_LT(number, 500);
        SCOPED_TRACE(testing::Message()
                     << "call " << number << " returns " << kind.result
                     << ", without '" << disable << "'");
        fault(number, kind.result);
        vit_session_options options = vulkanOptions();
        vit_session *session = nullptr;
        vit_error error = {};
        vit_status status =
            vit_session_create(module.get(), &options, &session, &error);
        SessionHandle handle(session);
        if (status == VIT_OK) {
          Call call(3);
          status = call.run(handle);
          error = call.error;
        }
        if (status == VIT_OK) {
          // All calls succeeded: there are no more than `number`.
          EXPECT_LE(*calls, number);
          break;
        }
        ++failed;
        EXPECT_EQ(status, kind.status) << error.message;
        EXPECT_GT(std::strlen(error.message), 20u);
        EXPECT_GT(*calls, number);
        if (!handle)
          continue;
        // The session is usable unless the device is lost.
        Call next(3);
        vit_status after = next.run(handle);
        if (after == VIT_OK)
          next.expectReference();
        else
          EXPECT_EQ(after, VIT_DEVICE_LOST) << next.error.message;
      }
      EXPECT_GT(failed, 30);
    }
}

TEST_F(VulkanFaults, LostIsForGood) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  for (const char *function : {"vkQueueSubmit", "vkWaitForFences"}) {
    SessionHandle session = makeVulkanSession(module);
    ASSERT_TRUE(session);
    Call first(2);
    ASSERT_EQ(first.run(session), VIT_OK) << first.error.message;
    fault(0, VK_ERROR_DEVICE_LOST, function);
    Call lost(2);
    EXPECT_EQ(lost.run(session), VIT_DEVICE_LOST);
    EXPECT_NE(std::string(lost.error.message).find("lost"), std::string::npos);
    for (float value : lost.logits)
      EXPECT_EQ(value, -77);
    fault(-1);
    for (int i = 0; i < 2; ++i) {
      Call after(2);
      EXPECT_EQ(after.run(session), VIT_DEVICE_LOST);
    }
    // A new session works.
    SessionHandle another = makeVulkanSession(module);
    ASSERT_TRUE(another);
    Call call(2);
    EXPECT_EQ(call.run(another), VIT_OK) << call.error.message;
    call.expectReference();
  }
}

/// A call that the device has too little memory for is refused before anything
/// is allocated for it.
TEST_F(VulkanFaults, TooLargeForTheMemory) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  *heap = 16 << 10;
  SessionHandle session = makeVulkanSession(module);
  ASSERT_TRUE(session);
  Call small(1), large(1000);
  fault(-1, VK_SUCCESS, "vkAllocateMemory");
  EXPECT_EQ(large.run(session), VIT_OUT_OF_MEMORY);
  EXPECT_EQ(*calls, 0);
  std::string message = large.error.message;
  EXPECT_EQ(message.rfind("out of memory: a batch of 1000 needs ", 0), 0u)
      << message;
  size_t at = message.find(" left: a batch of ");
  ASSERT_NE(at, std::string::npos) << message;
  long fitting = std::atol(message.c_str() + at + 18);
  EXPECT_GT(fitting, 10);
  Call most(fitting), more(fitting + 1);
  EXPECT_EQ(more.run(session), VIT_OUT_OF_MEMORY);
  EXPECT_EQ(most.run(session), VIT_OK) << most.error.message;
  most.expectReference();
  EXPECT_EQ(small.run(session), VIT_OK) << small.error.message;
  small.expectReference();
  // Not even the weights.
  *heap = 512;
  EXPECT_EQ(failToMake(module, vulkanOptions(), message), VIT_OUT_OF_MEMORY);
  EXPECT_NE(message.find("bytes for weights"), std::string::npos) << message;
}

TEST_F(VulkanFaults, NoAnswer) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeVulkanSession(module);
  ASSERT_TRUE(session);
  fault(0, VK_TIMEOUT, "vkWaitForFences");
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_DEVICE_LOST);
  EXPECT_NE(std::string(call.error.message).find("does not answer"),
            std::string::npos)
      << call.error.message;
  fault(-1);
  EXPECT_EQ(Call(2).run(session), VIT_DEVICE_LOST);
}

TEST_F(VulkanFaults, ShaderIsRefused) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeVulkanSession(module);
  ASSERT_TRUE(session);
  fault(1, VK_ERROR_INVALID_SHADER_NV, "vkCreateComputePipelines");
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_INTERNAL);
  std::string message = call.error.message;
  EXPECT_NE(message.find("compile the kernel '"), std::string::npos) << message;
  fault(-1);
  Call again(2);
  EXPECT_EQ(again.run(session), VIT_OK) << again.error.message;
  again.expectReference();
}

TEST_F(VulkanFaults, FailedSelfTestSwitchesTheFeatureOff) {
  Builder builder;
  addVulkanSchedule(builder, "tiled_256").features = {"subgroup_arithmetic"};
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  // The runtime keeps the result for this driver.
  *matrices = FakeMatrices::OtherDriver;
  // The first pipeline is that of the self-test.
  fault(0, VK_ERROR_UNKNOWN, "vkCreateComputePipelines");
  std::string message;
  EXPECT_EQ(failToMake(module, vulkanOptions(), message), VIT_UNSUPPORTED);
  EXPECT_NE(message.find("fails the test of subgroup arithmetic"),
            std::string::npos)
      << message;
}

namespace {
class VulkanMatrices : public VulkanFaults {
protected:
  /// What the session says of its code, and stderr.
  std::string levelOfSession(const ModuleHandle &module, std::string &said) {
    testing::internal::CaptureStderr();
    SessionHandle session = makeVulkanSession(module);
    std::string level = "none";
    vit_code_info info = {};
    info.struct_size = sizeof info;
    Call call(2);
    if (session &&
        vit_session_code(session.get(), nullptr, &info, nullptr) == VIT_OK) {
      level = info.level;
      EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
      call.expectReference();
    }
    said = testing::internal::GetCapturedStderr();
    return level;
  }

  /// Expects a device that fails the test of a feature to run code of level
  /// tiled in place of `level`, which needs the feature, and to say so once.
  void expectFallback(const char *level, const char *feature,
                      const std::string &what) {
    Builder builder;
    addVulkanSchedule(builder, "tiled");
    addVulkanSchedule(builder, level).features = {feature};
    Bytes bytes = builder.write();
    ModuleHandle module = load(bytes);
    std::string said;
    EXPECT_EQ(levelOfSession(module, said), "tiled");
    EXPECT_NE(said.find("fails the test of " + what), std::string::npos)
        << said;
    EXPECT_EQ(levelOfSession(module, said), "tiled");
    EXPECT_EQ(said, "");
  }
};
} // namespace

TEST_F(VulkanMatrices, AreUsedWhereTheyWork) {
  Builder builder;
  addVulkanSchedule(builder, "tiled");
  addVulkanSchedule(builder, "coop").features = {"cooperative_matrix"};
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  auto uses = [] { return vulkanDevices()[0]["uses"].dump(); };
  const std::string name = "\"cooperative_matrix\"";
  std::string said;
  *matrices = FakeMatrices::Right;
  EXPECT_EQ(levelOfSession(module, said), "coop");
  EXPECT_EQ(said, "");
  EXPECT_NE(uses().find(name), std::string::npos) << uses();
  EXPECT_EQ(vulkanDevices()[0]["level"], "coop");
  {
    Environment disable("VIT_VULKAN_DISABLE", "cooperative-matrix");
    EXPECT_EQ(levelOfSession(module, said), "tiled");
    EXPECT_EQ(uses().find(name), std::string::npos) << uses();
  }
  *matrices = FakeMatrices::OtherShape;
  EXPECT_EQ(levelOfSession(module, said), "tiled");
  EXPECT_EQ(said, "");
  EXPECT_EQ(uses().find(name), std::string::npos) << uses();
}

/// The features that the device lists.
static std::string listedFeatures() {
  return vulkanDevices()[0]["uses"].dump();
}

TEST_F(VulkanMatrices, OfOneTypeAreUsedWithoutThoseOfTheOther) {
  Builder builder;
  addVulkanSchedule(builder, "tiled");
  addVulkanSchedule(builder, "coop").features = {"cooperative_matrix"};
  addVulkanSchedule(builder, "coop_f16").features = {"cooperative_matrix_f16"};
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  const std::string bf16 = "\"cooperative_matrix\"",
                    f16 = "\"cooperative_matrix_f16\"";
  std::string said;
  *matrices = FakeMatrices::Right;
  EXPECT_EQ(levelOfSession(module, said), "coop");
  EXPECT_NE(listedFeatures().find(f16), std::string::npos) << listedFeatures();
  *matrices = FakeMatrices::OnlyF16;
  EXPECT_EQ(levelOfSession(module, said), "coop_f16");
  EXPECT_EQ(said, "");
  EXPECT_EQ(vulkanDevices()[0]["level"], "coop_f16");
  EXPECT_EQ(listedFeatures().find(bf16), std::string::npos) << listedFeatures();
  EXPECT_NE(listedFeatures().find(f16), std::string::npos) << listedFeatures();
  {
    Environment disable("VIT_VULKAN_DISABLE", "cooperative-matrix");
    EXPECT_EQ(levelOfSession(module, said), "tiled");
    EXPECT_EQ(listedFeatures().find(f16), std::string::npos);
  }
  // Level coop is for devices that have both, but this code of it needs one.
  *matrices = FakeMatrices::OnlyBf16;
  EXPECT_EQ(levelOfSession(module, said), "coop");
  EXPECT_EQ(said, "");
  EXPECT_NE(vulkanDevices()[0]["level"], "coop");
}

TEST_F(VulkanMatrices, OfF16AreNotUsedIfTheyFailTheTest) {
  *matrices = FakeMatrices::WrongF16;
  expectFallback("coop_f16", "cooperative_matrix_f16",
                 "cooperative matrices of f16");
  // Those of bf16 are tested on their own.
  Builder builder;
  addVulkanSchedule(builder, "coop").features = {"cooperative_matrix"};
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  std::string said;
  EXPECT_EQ(levelOfSession(module, said), "coop");
  EXPECT_EQ(said, "");
}

TEST_F(VulkanMatrices, OfAnotherShapeHaveCodeOfTheirOwn) {
  Builder builder;
  addVulkanSchedule(builder, "tiled");
  addVulkanSchedule(builder, "coop").features = {"cooperative_matrix"};
  addVulkanSchedule(builder, "coop_f16").features = {"cooperative_matrix_f16"};
  addVulkanSchedule(builder, "coop_8x16").features = {
      "cooperative_matrix_8x16_f16"};
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  std::string said;
  *matrices = FakeMatrices::Only8x16;
  EXPECT_EQ(levelOfSession(module, said), "coop_8x16");
  EXPECT_EQ(said, "");
  EXPECT_EQ(vulkanDevices()[0]["level"], "coop_8x16");
  // Its subgroups cannot have 16 invocations.
  *matrices = FakeMatrices::Wide8x16;
  EXPECT_EQ(levelOfSession(module, said), "tiled");
  EXPECT_EQ(said, "");
  EXPECT_EQ(listedFeatures().find("cooperative_matrix"), std::string::npos)
      << listedFeatures();
  *matrices = FakeMatrices::Wrong8x16;
  expectFallback("coop_8x16", "cooperative_matrix_8x16_f16",
                 "cooperative matrices of 8 x 16 of f16");
}

TEST_F(VulkanMatrices, AreNotUsedIfTheyFailTheTest) {
  Builder builder;
  addVulkanSchedule(builder, "tiled");
  addVulkanSchedule(builder, "coop").features = {"cooperative_matrix"};
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  *matrices = FakeMatrices::Wrong;
  std::string said;
  EXPECT_EQ(levelOfSession(module, said), "tiled");
  EXPECT_NE(said.find("fails the test of cooperative matrices of bf16"),
            std::string::npos)
      << said;
  // It is told once.
  EXPECT_EQ(levelOfSession(module, said), "tiled");
  EXPECT_EQ(said, "");

  Builder only;
  addVulkanSchedule(only, "coop").features = {"cooperative_matrix"};
  Bytes onlyBytes = only.write();
  ModuleHandle onlyModule = load(onlyBytes);
  std::string message;
  EXPECT_EQ(failToMake(onlyModule, vulkanOptions(), message), VIT_UNSUPPORTED);
  EXPECT_NE(message.find("fails the test of cooperative matrices of bf16"),
            std::string::npos)
      << message;
}

TEST_F(VulkanMatrices, DotProductsAreNotUsedIfTheyFailTheTest) {
  *matrices = FakeMatrices::WrongDotProducts;
  if (listedFeatures().find("\"integer_dot_product\"") == std::string::npos)
    GTEST_SKIP() << "the driver has no dot products of integers";
  expectFallback("tiled_256_dot", "integer_dot_product",
                 "dot products of integers");
}

TEST_F(VulkanMatrices, SubgroupsAreNotUsedIfTheyFailTheTest) {
  *matrices = FakeMatrices::WrongSubgroups;
  if (listedFeatures().find("\"subgroup_arithmetic\"") == std::string::npos)
    GTEST_SKIP() << "the driver has no subgroup arithmetic";
  expectFallback("tiled_256", "subgroup_arithmetic", "subgroup arithmetic");
}

TEST_F(VulkanFaults, DamagedCode) {
  Builder builder;
  addVulkanSchedule(builder, "direct");
  // The hash of the image matches, but the image is not SPIR-V.
  auto &data = *builder.module.images.back()->data;
  std::memset(builder.segments.data() + data.offset(), 7, data.size());
  Bytes bytes = builder.write();
  vit_module *module = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), nullptr, nullptr,
                                   &module, &error),
            VIT_CORRUPT);
  vit_module_release(module);
}
