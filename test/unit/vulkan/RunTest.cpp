//===- RunTest.cpp - Calls on a Vulkan device -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VulkanSupport.h"

using namespace vit::test;

TEST_P(VulkanRun, SameBitsInAnyOrderOfBatches) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeVulkanSession(module);
  ASSERT_TRUE(session);
  const int64_t batches[] = {1, 7, 3, 1, 64, 2, 33, 5, 64, 11, 1, 9};
  for (int i = 0; i < 100; ++i) {
    Call call(batches[i % 12]);
    ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference();
  }
}

TEST_P(VulkanRun, OutputsThatAreLeftOutAreNotWritten) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeVulkanSession(module);
  ASSERT_TRUE(session);
  for (size_t only : {0, 1}) {
    Call call(3), reference(3);
    ASSERT_EQ(reference.run(session), VIT_OK) << reference.error.message;
    call.outputs = {call.outputs[only]};
    ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
    EXPECT_EQ(only == 0 ? call.logits : call.hidden,
              only == 0 ? reference.logits : reference.hidden);
    for (float value : only == 0 ? call.hidden : call.logits)
      EXPECT_EQ(value, -77);
  }
}

TEST_P(VulkanRun, WritesOfParametersAreSeen) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  vit_session_options options = vulkanOptions();
  options.parameters = parameters.get();
  SessionHandle session = makeSession(module, &options);
  SessionHandle other = makeSession(module, &options);
  ASSERT_TRUE(session && other);
  for (int i = 0; i < 5; ++i) {
    std::vector<float> q = Builder::q, scale = Builder::scale;
    q[3] = float(i);
    scale[1] = float(-i);
    vit_error error = {};
    ASSERT_EQ(vit_parameters_write(parameters.get(), "q", q.data(),
                                   q.size() * 4, &error),
              VIT_OK);
    ASSERT_EQ(vit_parameters_write(parameters.get(), "scale", scale.data(),
                                   scale.size() * 4, &error),
              VIT_OK);
    for (SessionHandle *s : {&session, &other}) {
      Call call(2 + i % 2);
      ASSERT_EQ(call.run(*s), VIT_OK) << call.error.message;
      call.expectReference(scale, q);
    }
  }
}

TEST_P(VulkanRun, SessionsDoNotDisturbEachOther) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  SessionHandle cpu = makeSession(module);
  std::vector<SessionHandle> sessions;
  for (int i = 0; i < 3; ++i)
    sessions.push_back(makeVulkanSession(module));
  for (int round = 0; round < 4; ++round)
    for (const SessionHandle &session : sessions) {
      ASSERT_TRUE(session);
      Call call(4), reference(4);
      ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
      ASSERT_EQ(reference.run(cpu), VIT_OK) << reference.error.message;
      EXPECT_EQ(call.logits, reference.logits);
      EXPECT_EQ(call.hidden, reference.hidden);
    }
}

TEST_P(VulkanRun, EventsAreInOrder) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  std::vector<vit_event> events;
  std::vector<std::string> names;
  struct Seen {
    std::vector<vit_event> &events;
    std::vector<std::string> &names;
  } seen = {events, names};
  vit_session_options options = vulkanOptions();
  options.event_context = &seen;
  options.on_event = [](void *context, const vit_event *event) {
    auto &seen = *static_cast<Seen *>(context);
    seen.events.push_back(*event);
    seen.names.push_back(std::string(event->name) + "/" + event->kernel);
  };
  SessionHandle session = makeSession(module, &options);
  ASSERT_TRUE(session);
  timespec now;
  auto time = [&] {
    clock_gettime(CLOCK_MONOTONIC, &now);
    return uint64_t(now.tv_sec) * 1'000'000'000 + uint64_t(now.tv_nsec);
  };
  for (int i = 0; i < 3; ++i) {
    events.clear();
    names.clear();
    uint64_t before = time();
    Call call(5);
    ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
    uint64_t after = time();
    call.expectReference();
    EXPECT_EQ(names, (std::vector<std::string>{
                         "upload/copy", "encoder.scale/rows_0", "clear/fill",
                         "copy/copy", "head/gemm_0", "head.bias/map_0",
                         "download/copy"}));
    uint64_t last = 0;
    for (const vit_event &event : events) {
      EXPECT_LE(event.begin_ns, event.end_ns);
      EXPECT_GE(event.begin_ns, last);
      last = event.begin_ns;
      // The device's clock is calibrated at the end of the call.
      EXPECT_GE(event.begin_ns + 5'000'000, before);
      EXPECT_LE(event.end_ns, after);
    }
    EXPECT_EQ(events[4].flop, 48 * 5);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, VulkanRun, kVariants, nameOf);

//===----------------------------------------------------------------------===//
// Limits
//===----------------------------------------------------------------------===//

using VulkanLimits = Vulkan;

TEST_F(VulkanLimits, ABatchThatFitsIsNamed) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  struct {
    const char *name, *what;
  } const limits[] = {{"VIT_VULKAN_MAX_BINDING", "bytes in one binding"},
                      {"VIT_VULKAN_MAX_ALLOCATION", "bytes in one piece"}};
  for (const auto &limit : limits) {
    SCOPED_TRACE(limit.name);
    Environment small(limit.name, "8192");
    SessionHandle session = makeVulkanSession(module);
    ASSERT_TRUE(session);
    Call call(1000);
    EXPECT_EQ(call.run(session), VIT_OUT_OF_MEMORY);
    std::string message = call.error.message;
    EXPECT_NE(message.find(limit.what), std::string::npos) << message;
    long long fits = 0;
    size_t at = message.find("a batch of ", 5);
    ASSERT_NE(at, std::string::npos) << message;
    ASSERT_EQ(sscanf(message.c_str() + at, "a batch of %lld fits", &fits), 1)
        << message;
    ASSERT_GT(fits, 1);
    ASSERT_LT(fits, 1000);
    Call most(fits);
    ASSERT_EQ(most.run(session), VIT_OK) << most.error.message;
    most.expectReference();
    EXPECT_EQ(Call(fits + 1).run(session), VIT_OUT_OF_MEMORY);
    Call again(fits);
    ASSERT_EQ(again.run(session), VIT_OK) << again.error.message;
    again.expectReference();
  }
}

TEST_F(VulkanLimits, BudgetCountsInputsAndOutputs) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  vit_session_options options = vulkanOptions();
  options.memory_budget = 1000;
  SessionHandle session = makeSession(module, &options);
  ASSERT_TRUE(session);
  uint64_t needed = 0;
  ASSERT_EQ(
      vit_session_workspace_size(session.get(), nullptr, 4, &needed, nullptr),
      VIT_OK);
  // image, hidden and a slot of 128 bytes; logits and a slot of 48.
  EXPECT_EQ(needed, 3u * 128 + 2 * 64);
  Call call(4);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  Call large(64);
  EXPECT_EQ(large.run(session), VIT_OVER_BUDGET);
}

TEST_F(VulkanLimits, WeightsInSeveralChunks) {
  // The panels of 1024 bytes twice, then a kernel that reads both again.
  Builder builder;
  auto &schedule = addVulkanSchedule(builder, "direct");
  auto large = std::make_unique<vit::schema::ConstantT>();
  std::vector<float> values(1000, 2);
  large->dims = {1000};
  large->data =
      std::make_unique<vit::schema::Segment>(builder.addSegment(values));
  builder.module.constants.push_back(std::move(large));
  // hidden = hidden * 2 * scale / 2, where 2 is in the constant of 4000 bytes.
  using Kind = vit::schema::ArgumentKind;
  vit::schema::Extent images(32, 1, 1);
  for (uint32_t k = 0; k < 2; ++k) {
    auto barrier = std::make_unique<vit::schema::CommandT>();
    barrier->kind = vit::schema::CommandKind::Barrier;
    schedule.commands.push_back(std::move(barrier));
    auto again = std::make_unique<vit::schema::CommandT>(*schedule.commands[0]);
    again->arguments = {
        vit::schema::Argument(Kind::Output, 1, images, 0),
        k == 0 ? vit::schema::Argument(Kind::Constant, 1, {4000, 0, 1}, 0)
               : vit::schema::Argument(Kind::Derived, 0, {16, 0, 1}, 0),
        vit::schema::Argument(Kind::Output, 1, images, 0)};
    schedule.commands.push_back(std::move(again));
  }
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  for (const char *binding : {"4096", "1000000"}) {
    Environment small("VIT_VULKAN_MAX_BINDING", binding);
    SessionHandle session = makeVulkanSession(module);
    ASSERT_TRUE(session);
    Call call(3);
    ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
    for (size_t i = 0; i < call.hidden.size(); ++i)
      EXPECT_EQ(call.hidden[i], call.image[i] * Builder::scale[i % 4] * 2 *
                                    Builder::scale[i % 4]);
  }
}

TEST_F(VulkanLimits, WeightsBeyondABinding) {
  Builder builder;
  auto &schedule = addVulkanSchedule(builder, "direct");
  auto large = std::make_unique<vit::schema::ConstantT>();
  large->dims = {2000};
  large->data = std::make_unique<vit::schema::Segment>(
      builder.addSegment(std::vector<float>(2000)));
  builder.module.constants.push_back(std::move(large));
  schedule.commands[0]->arguments[1] = vit::schema::Argument(
      vit::schema::ArgumentKind::Constant, 1, {8000, 0, 1}, 0);
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  Environment small("VIT_VULKAN_MAX_BINDING", "4096");
  std::string message;
  EXPECT_EQ(failToMake(module, vulkanOptions(), message), VIT_UNSUPPORTED);
  EXPECT_NE(message.find("encoder.scale"), std::string::npos) << message;
}

//===----------------------------------------------------------------------===//
// Cancellation
//===----------------------------------------------------------------------===//

TEST_F(Vulkan, CancelledBetweenSubmissions) {
  Environment split("VIT_VULKAN_SUBMIT_GFLOP", "0.0000002");
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  vit_session_options options = vulkanOptions();
  int asked = 0, stopAt = 0;
  struct Stop {
    int &asked, &at;
  } stop = {asked, stopAt};
  options.cancel_context = &stop;
  options.is_cancelled = [](void *context) {
    auto &stop = *static_cast<Stop *>(context);
    return int(stop.asked++ == stop.at);
  };
  SessionHandle session = makeSession(module, &options);
  ASSERT_TRUE(session);
  for (stopAt = 0; stopAt < 5; ++stopAt) {
    asked = 0;
    Call call(16);
    EXPECT_EQ(call.run(session), VIT_CANCELLED);
    for (float value : call.logits)
      EXPECT_EQ(value, -77);
  }
  stopAt = -1;
  Call call(16);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
  EXPECT_GT(asked, 5);
}
