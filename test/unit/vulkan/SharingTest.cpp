//===- SharingTest.cpp - Sessions over the same parameters ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Faults.h"

#include <thread>

using namespace vit::test;

namespace {

/// Counts calls of the driver.
class VulkanSharing : public VulkanFaults {
protected:
  void SetUp() override {
    VulkanFaults::SetUp();
    if (IsSkipped())
      return;
    parameters = makeParameters(module);
    options.parameters = parameters.get();
  }

  SessionHandle open() { return makeSession(module, &options); }

  /// Calls of `function` while `work` runs.
  template <typename Work> int count(const char *function, Work work) {
    fault(-1, VK_SUCCESS, function);
    work();
    return *calls;
  }

  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters;
  vit_session_options options = vulkanOptions();
};

TEST_F(VulkanSharing, OneDeviceAndOneCopyOfTheWeights) {
  // Weights are copied by submissions, which are counted.
  Environment disable("VIT_VULKAN_DISABLE", "host-visible");
  SessionHandle first, second, other;
  auto run = [](const SessionHandle &session,
                const std::vector<float> &q = Builder::q) {
    Call call(2);
    ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference(Builder::scale, q);
  };
  EXPECT_EQ(count("vkCreateDevice", [&] { first = open(); }), 1);
  EXPECT_EQ(count("vkCreateDevice", [&] { second = open(); }), 0);
  second.reset();
  EXPECT_EQ(count("vkAllocateMemory", [&] { second = open(); }), 0);
  second.reset();
  EXPECT_EQ(count("vkQueueSubmit", [&] { second = open(); }), 0);
  run(first);
  run(second);
  int each = count("vkQueueSubmit", [&] { run(first); });

  std::vector<float> q(8, 0.25f);
  vit_error error = {};
  ASSERT_EQ(vit_parameters_write(parameters.get(), "q", q.data(), 32, &error),
            VIT_OK);
  EXPECT_EQ(count("vkQueueSubmit", [&] { run(first, q); }), each + 1);
  EXPECT_EQ(count("vkQueueSubmit", [&] { run(second, q); }), each);

  // The copy stays as long as one session has it, then it is made again.
  first.reset();
  run(second, q);
  EXPECT_EQ(count("vkQueueSubmit", [&] { other = open(); }), 0);
  run(other, q);
  second.reset();
  other.reset();
  EXPECT_GT(count("vkQueueSubmit", [&] { other = open(); }), 0);
  run(other, q);
}

TEST_F(VulkanSharing, OtherSettingsAreAnotherDevice) {
  SessionHandle first = open(), second;
  Environment disable("VIT_VULKAN_DISABLE", "host-visible");
  EXPECT_EQ(count("vkCreateDevice", [&] { second = open(); }), 1);
  for (const SessionHandle *session : {&first, &second}) {
    Call call(3);
    EXPECT_EQ(call.run(*session), VIT_OK) << call.error.message;
    call.expectReference();
  }
}

TEST_F(VulkanSharing, ALostDeviceIsNotSharedAnyMore) {
  SessionHandle first = open(), second = open();
  fault(0, VK_ERROR_DEVICE_LOST, "vkQueueSubmit");
  Call lost(2);
  EXPECT_EQ(lost.run(first), VIT_DEVICE_LOST);
  fault(-1);
  EXPECT_EQ(Call(2).run(second), VIT_DEVICE_LOST);
  SessionHandle third;
  EXPECT_EQ(count("vkCreateDevice", [&] { third = open(); }), 1);
  Call call(2);
  EXPECT_EQ(call.run(third), VIT_OK) << call.error.message;
  call.expectReference();
}

/// Whichever call fails while a second session is made, the first one works.
TEST_F(VulkanSharing, AnyFailureOfASecondSession) {
  SessionHandle first = open();
  int failed = 0;
  for (int number = 0;; ++number) {
    ASSERT_LT(number, 100);
    fault(number);
    vit_session *made = nullptr;
    vit_error error = {};
    vit_status status =
        vit_session_create(module.get(), &options, &made, &error);
    bool isDone = *calls <= number;
    fault(-1);
    SessionHandle second(made);
    EXPECT_EQ(status, made ? VIT_OK : VIT_OUT_OF_MEMORY) << error.message;
    failed += !made;
    Call call(2);
    ASSERT_EQ(call.run(first), VIT_OK) << call.error.message;
    call.expectReference();
    if (isDone)
      break;
  }
  EXPECT_GT(failed, 3);
}

/// The same parameters on two devices at once: each has its own copy.
TEST_F(VulkanSharing, TwoDevicesInOneProcess) {
  if (vulkanDevices().size() < 2)
    GTEST_SKIP() << "one Vulkan device";
  Environment disable("VIT_VULKAN_DISABLE", "host-visible");
  SessionHandle sessions[3];
  int number = 0;
  for (const char *device : {"vulkan:0", "vulkan:1", "vulkan:1"}) {
    options.device = device;
    EXPECT_EQ(count("vkCreateDevice", [&] { sessions[number] = open(); }),
              number < 2)
        << device;
    ASSERT_TRUE(sessions[number++]);
  }
  std::vector<float> q(8, 0.25f);
  for (bool isWritten : {false, true}) {
    vit_error error = {};
    if (isWritten)
      ASSERT_EQ(
          vit_parameters_write(parameters.get(), "q", q.data(), 32, &error),
          VIT_OK);
    std::vector<std::thread> threads;
    for (const SessionHandle &session : sessions)
      threads.emplace_back([&] {
        for (int64_t batch : {3, 1, 9}) {
          Call call(batch);
          EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
          call.expectReference(Builder::scale, isWritten ? q : Builder::q);
        }
      });
    for (std::thread &thread : threads)
      thread.join();
  }
  // A device that is lost does not take the other one with it.
  fault(0, VK_ERROR_DEVICE_LOST, "vkQueueSubmit");
  EXPECT_EQ(Call(2).run(sessions[1]), VIT_DEVICE_LOST);
  fault(-1);
  EXPECT_EQ(Call(2).run(sessions[2]), VIT_DEVICE_LOST);
  Call call(2);
  EXPECT_EQ(call.run(sessions[0]), VIT_OK) << call.error.message;
  call.expectReference(Builder::scale, q);
}

TEST_P(VulkanRun, SharedBySessionsOfSeveralThreads) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  vit_session_options options = vulkanOptions();
  options.parameters = parameters.get();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      SessionHandle session = makeSession(module, &options);
      for (int round = 0; round < 8; ++round) {
        Call call(1 + (round * 7 + i) % 9);
        EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
        call.expectReference();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace
