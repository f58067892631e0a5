//===- RunTest.cpp - Calling a module -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "format/ControlGroup.h"

#include "vit/vit.hpp"

#include <thread>

using namespace vit::test;

namespace {

TEST(Run, ComputesBothOutputs) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  ASSERT_TRUE(module);
  SessionHandle session = makeSession(module);
  ASSERT_TRUE(session);
  for (int64_t batch : {1, 3, 64, 2}) {
    Call call(batch);
    EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference();
  }
}

TEST(Run, TakesAnyAlignmentOfElements) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  Call call(2);
  std::vector<float> shifted(call.image.size() + 1);
  std::copy(call.image.begin(), call.image.end(), shifted.begin() + 1);
  call.inputs[0].data = shifted.data() + 1;
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
  call.inputs[0].data = reinterpret_cast<char *>(shifted.data()) + 1;
  EXPECT_EQ(call.run(session), VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(call.error.message,
               "input 'image' is not aligned to its elements");
}

TEST(Run, LeavesOutOutputs) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  Call call(5);
  for (size_t keep : {0u, 1u}) {
    vit_tensor one = call.outputs[keep];
    vit_error error;
    EXPECT_EQ(vit_session_run(session.get(), "forward", call.inputs.data(), 1,
                              &one, 1, &error),
              VIT_OK);
  }
  call.expectReference();
}

TEST(Run, NamesOutputsByAliasAndFillsShapesIn) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  Call call(2);
  call.outputs[0].name = "classification_head_logits";
  call.outputs[0].rank = 0;
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  EXPECT_EQ(call.outputs[0].rank, 2);
  EXPECT_EQ(call.outputs[0].dims[0], 2);
  EXPECT_EQ(call.outputs[0].dims[1], 3);
  call.expectReference();
  call.outputs[0].name = nullptr; // the first output
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
}

TEST(Run, RefusesWrongTensors) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  auto expect = [&](auto change, vit_status status, const char *message) {
    Call call(2);
    change(call);
    EXPECT_EQ(call.run(session), status) << message;
    EXPECT_STREQ(call.error.message, message);
  };
  expect([](Call &c) { c.inputs[0].dims[0] = 0; }, VIT_INVALID_ARGUMENT,
         "input 'image' has a batch of 0: 1 to 2147483647 are possible");
  expect([](Call &c) { c.inputs[0].dims[0] = -1; }, VIT_INVALID_ARGUMENT,
         "input 'image' has a batch of -1: 1 to 2147483647 are possible");
  expect([](Call &c) { c.inputs[0].dims[2] = 5; }, VIT_INVALID_ARGUMENT,
         "input 'image' has shape [2, 2, 5], expected [2, 2, 4]");
  expect([](Call &c) { c.inputs[0].rank = 2; }, VIT_INVALID_ARGUMENT,
         "input 'image' has shape [2, 2], expected [1, 2, 4]");
  expect(
      [](Call &c) { c.inputs[0].rank = 100; }, VIT_INVALID_ARGUMENT,
      "input 'image' has shape [2, 2, 4, 0, 0, 0, 0, 0], expected [1, 2, 4]");
  expect([](Call &c) { c.inputs[0].dtype = VIT_F16; }, VIT_INVALID_ARGUMENT,
         "input 'image' is f16, expected f32");
  expect(
      [](Call &c) {
        int number = 77;
        std::memcpy(&c.inputs[0].dtype, &number, sizeof number);
      },
      VIT_INVALID_ARGUMENT, "input 'image' is of no known type, expected f32");
  expect([](Call &c) { c.inputs[0].size = 63; }, VIT_INVALID_ARGUMENT,
         "input 'image' has 63 bytes, expected 64");
  expect([](Call &c) { c.inputs[0].data = nullptr; }, VIT_INVALID_ARGUMENT,
         "input 'image' has 0 bytes, expected 64");
  expect([](Call &c) { c.inputs[0].name = "picture"; }, VIT_NOT_FOUND,
         "there is no input 'picture': there is 'image'");
  expect([](Call &c) { c.inputs.push_back(c.inputs[0]); }, VIT_INVALID_ARGUMENT,
         "input 'image' is given twice");
  expect([](Call &c) { c.inputs.clear(); }, VIT_INVALID_ARGUMENT,
         "input 'image' is not given");
  expect([](Call &c) { c.outputs[1].name = "attention_0"; }, VIT_NOT_FOUND,
         "there is no output 'attention_0': there is 'logits', 'hidden'");
  expect([](Call &c) { c.outputs[1].name = "logits"; }, VIT_INVALID_ARGUMENT,
         "output 'logits' is given twice");
  expect([](Call &c) { c.outputs[1].dims[0] = 3; }, VIT_INVALID_ARGUMENT,
         "output 'hidden' has shape [3, 2, 4], expected [2, 2, 4]");
  expect([](Call &c) { c.outputs[0].size = 20; }, VIT_INVALID_ARGUMENT,
         "output 'logits' has 20 bytes, expected 24");
  expect([](Call &c) { c.entry = "train"; }, VIT_NOT_FOUND,
         "'module in memory' has no entry 'train'; its first is 'forward'");
}

TEST(Run, GivesTheSameBitsForAnyThreads) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  std::vector<float> first;
  for (int threads : {1, 2, 3, 7}) {
    vit_session_options options = {};
    options.struct_size = sizeof options;
    options.threads = threads;
    SessionHandle session = makeSession(module, &options);
    ASSERT_TRUE(session);
    for (int repeat = 0; repeat < 20; ++repeat) {
      Call call(37);
      ASSERT_EQ(call.run(session), VIT_OK);
      if (first.empty())
        first = call.logits;
      ASSERT_EQ(std::memcmp(first.data(), call.logits.data(),
                            first.size() * sizeof(float)),
                0);
    }
  }
}

TEST(Run, GivesAnImageTheSameBitsInAnyBatch) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  Call large(64);
  ASSERT_EQ(large.run(session), VIT_OK);
  for (int64_t batch : {1, 3, 8}) {
    Call small(batch);
    ASSERT_EQ(small.run(session), VIT_OK);
    EXPECT_EQ(std::memcmp(small.logits.data(), large.logits.data(),
                          small.logits.size() * sizeof(float)),
              0);
  }
}

TEST(Run, UsesTheHostsPool) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = 3;
  size_t calls = 0;
  options.parallel_context = &calls;
  // In reverse order, one by one: the pieces must not need concurrency.
  options.parallel_for = [](void *context, size_t count,
                            void (*work)(void *, size_t), void *argument) {
    ++*static_cast<size_t *>(context);
    for (size_t i = count; i-- > 0;)
      work(argument, i);
  };
  SessionHandle session = makeSession(module, &options);
  Call call(9);
  EXPECT_EQ(call.run(session), VIT_OK);
  call.expectReference();
  EXPECT_EQ(calls, 3u);
}

TEST(Run, ReportsEvents) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  std::vector<std::pair<std::string, vit_event>> events;
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.event_context = &events;
  options.on_event = [](void *context, const vit_event *event) {
    static_cast<decltype(events) *>(context)->push_back({event->name, *event});
  };
  SessionHandle session = makeSession(module, &options);
  Call call(4);
  EXPECT_EQ(call.run(session), VIT_OK);
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[0].first, "encoder.scale");
  EXPECT_STREQ(events[0].second.kernel, "rows_0");
  EXPECT_EQ(events[3].first, "head");
  EXPECT_EQ(events[3].second.flop, 4 * 48.0);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_LE(events[i].second.begin_ns, events[i].second.end_ns);
    if (i > 0) {
      EXPECT_LE(events[i - 1].second.end_ns, events[i].second.begin_ns);
    }
  }
}

TEST(Run, StopsWhenCancelled) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  int left = 2;
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.cancel_context = &left;
  options.is_cancelled = [](void *context) -> int {
    return (*static_cast<int *>(context))-- == 0;
  };
  SessionHandle session = makeSession(module, &options);
  Call call(1);
  EXPECT_EQ(call.run(session), VIT_CANCELLED);
  EXPECT_STREQ(call.error.message,
               "the call was cancelled after 2 of 6 commands");
  left = 100;
  EXPECT_EQ(call.run(session), VIT_OK);
  call.expectReference();
}

TEST(Run, KeepsToItsBudget) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = 2;
  // Per image: slots of 32 and 12 bytes; per thread: 64 bytes of scratch.
  options.memory_budget = 64 * 32 + 64 * 12 + 2 * 64;
  SessionHandle session = makeSession(module, &options);
  Call fits(64);
  EXPECT_EQ(fits.run(session), VIT_OK) << fits.error.message;
  Call tooLarge(65);
  EXPECT_EQ(tooLarge.run(session), VIT_OVER_BUDGET);
  EXPECT_STREQ(tooLarge.error.message,
               "a batch of 65 needs 3072 bytes of workspace and the budget is "
               "2944: a batch of 64 fits");
  EXPECT_EQ(fits.run(session), VIT_OK);
  uint64_t size = 0;
  EXPECT_EQ(
      vit_module_workspace_size(module.get(), nullptr, 64, &size, nullptr),
      VIT_OK);
  EXPECT_EQ(size, 64u * 32 + 64 * 12);
  EXPECT_EQ(vit_module_workspace_size(module.get(), nullptr, 0, &size, nullptr),
            VIT_INVALID_ARGUMENT);
  options.memory_budget = 100;
  session = makeSession(module, &options);
  EXPECT_EQ(fits.run(session), VIT_OVER_BUDGET);
  EXPECT_NE(
      std::string(fits.error.message).find("even a batch of 1 needs more"),
      std::string::npos);
}

TEST(Run, NeedsNoMoreThanTheMachineHas) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  uint64_t needed = 0;
  ASSERT_EQ(vit_session_workspace_size(session.get(), nullptr, INT32_MAX,
                                       &needed, nullptr),
            VIT_OK);
  if (vit::format::usableMemory() >= needed)
    GTEST_SKIP() << "this machine has the memory for any batch";
  // Refused before inputs are read.
  Call call(1);
  call.inputs[0].dims[0] = INT32_MAX;
  call.inputs[0].size = SIZE_MAX;
  call.outputs.clear();
  EXPECT_EQ(call.run(session), VIT_OVER_BUDGET);
  EXPECT_NE(std::string(call.error.message)
                .find("and the memory of the machine or control group is "),
            std::string::npos)
      << call.error.message;
  Call small(2);
  EXPECT_EQ(small.run(session), VIT_OK) << small.error.message;
  small.expectReference();
}

TEST(Run, ServesThreadsAtOnce) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      vit_session_options options = {};
      options.struct_size = sizeof options;
      options.threads = 2;
      for (int repeat = 0; repeat < 5; ++repeat) {
        SessionHandle session = makeSession(module, &options);
        for (int64_t batch = 1; batch < 30; ++batch) {
          Call call(batch);
          ASSERT_EQ(call.run(session), VIT_OK);
          call.expectReference();
        }
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Wrapper, ClassifiesInThreeLines) {
  TemporaryFile file(Builder().write());
  vit::Module module(file.path());
  vit::Session session(module);
  EXPECT_GE(session.workspaceSize(nullptr, 64), 64u * 44);
  Call call(2);
  std::vector<float> logits = session.run(call.image.data(), {2, 2, 4});
  call.logits = logits;
  ASSERT_EQ(logits.size(), 6u);
  std::vector<float> hidden, expected;
  evaluateReference(call.image, 2, Builder::scale, Builder::q, Builder::kv,
                    hidden, expected);
  EXPECT_EQ(logits, expected);
  EXPECT_EQ(module.label(0), "cat");
  EXPECT_EQ(module.label(7), "7");
  EXPECT_THROW(session.run(call.image.data(), {2, 2, 5}), vit::Error);
  EXPECT_THROW(vit::Module("no/such/file.vitm"), vit::Error);
}

} // namespace
