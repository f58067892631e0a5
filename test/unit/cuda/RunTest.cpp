//===- RunTest.cpp - Calls on a CUDA device -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaSupport.h"

#include <ctime>
#include <thread>

using namespace vit::test;

namespace {

using Cuda = CudaRunTest;

TEST_F(Cuda, ComputesWhatTheReferenceDoes) {
  SessionHandle session = open();
  for (int64_t batch : {1, 3, 2, 64, 1, 3}) {
    Call call(batch);
    EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference();
  }
  EXPECT_EQ(driver->graphLaunches, 6);
  EXPECT_EQ(driver->kernelLaunches, 0);
}

TEST_F(Cuda, OneGraphPerBatch) {
  SessionHandle session = open();
  // The largest batch first, so that the arena does not move.
  Call large(64);
  EXPECT_EQ(large.run(session), VIT_OK);
  for (int round = 0; round < 3; ++round)
    for (int64_t batch : {64, 1, 2, 3}) {
      Call call(batch);
      EXPECT_EQ(call.run(session), VIT_OK);
      call.expectReference();
    }
  EXPECT_EQ(driver->graphs, 4);
  EXPECT_EQ(driver->graphLaunches, 13);
  // More batches than the number of graphs that are kept, twice.
  for (int round = 0; round < 2; ++round)
    for (int64_t batch = 1; batch <= 20; ++batch) {
      Call call(batch);
      EXPECT_EQ(call.run(session), VIT_OK);
      call.expectReference();
    }
}

TEST_F(Cuda, WeightsAreUploadedOnceAndAfterAWrite) {
  ParametersHandle parameters = makeParameters(module);
  options.parameters = parameters.get();
  SessionHandle session = open(), other = open();
  Call call(1);
  EXPECT_EQ(call.run(session), VIT_OK);
  // Two forms, a constant, an image; then only the image.
  EXPECT_EQ(driver->uploads, 4);
  EXPECT_EQ(call.run(session), VIT_OK);
  EXPECT_EQ(driver->uploads, 5);
  // The other session has the weights already: only the image.
  EXPECT_EQ(call.run(other), VIT_OK);
  EXPECT_EQ(driver->uploads, 6);

  std::vector<float> q(8, 0.25f);
  ASSERT_EQ(vit_parameters_write(parameters.get(), "q", q.data(), 32, &error),
            VIT_OK);
  for (const SessionHandle *s : {&session, &other}) {
    EXPECT_EQ(call.run(*s), VIT_OK);
    call.expectReference(Builder::scale, q);
  }
  // The changed form, and on each session the image.
  EXPECT_EQ(driver->uploads, 9);
  EXPECT_EQ(call.run(session), VIT_OK);
  call.expectReference(Builder::scale, q);
  EXPECT_EQ(driver->uploads, 10);

  // The weights stay as long as one session has them.
  session.reset();
  EXPECT_EQ(call.run(other), VIT_OK);
  call.expectReference(Builder::scale, q);
  EXPECT_EQ(driver->uploads, 11);
  other.reset();
  SessionHandle again = open();
  EXPECT_EQ(call.run(again), VIT_OK);
  EXPECT_EQ(driver->uploads, 15);
}

TEST_F(Cuda, WarmUp) {
  SessionHandle session = open();
  ASSERT_EQ(vit_session_warm_up(session.get(), nullptr, 3, &error), VIT_OK)
      << error.message;
  EXPECT_EQ(driver->graphs, 1);
  int uploads = driver->uploads;
  Call call(3);
  EXPECT_EQ(call.run(session), VIT_OK);
  call.expectReference();
  EXPECT_EQ(driver->graphs, 1);
  EXPECT_EQ(driver->uploads, uploads + 1);
  EXPECT_EQ(vit_session_warm_up(session.get(), nullptr, 0, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_EQ(vit_session_warm_up(session.get(), "none", 1, &error),
            VIT_NOT_FOUND);
  EXPECT_EQ(vit_session_warm_up(nullptr, nullptr, 1, &error),
            VIT_INVALID_ARGUMENT);
}

TEST_F(Cuda, TwoDevicesInOneProcess) {
  driver->deviceCount = 2;
  ParametersHandle parameters = makeParameters(module);
  options.parameters = parameters.get();
  SessionHandle first = open();
  options.device = "cuda:1";
  SessionHandle second = open();
  for (const SessionHandle *session : {&first, &second, &first}) {
    Call call(2);
    EXPECT_EQ(call.run(*session), VIT_OK) << call.error.message;
    call.expectReference();
  }
  // Each device has its own copy: twice two forms and a constant; three images.
  EXPECT_EQ(driver->uploads, 9);
}

TEST_F(Cuda, UploadsAgainWhatFailed) {
  SessionHandle session = open();
  Call call(1);
  for (int after = 0; after < 4; ++after) {
    failAt("cuMemcpyHtoDAsync_v2", 999, after > 0);
    EXPECT_EQ(call.run(session), VIT_INTERNAL);
    EXPECT_NE(std::string(call.error.message).find("could not copy"),
              std::string::npos)
        << call.error.message;
  }
  failAt("", 0);
  EXPECT_EQ(call.run(session), VIT_OK);
  call.expectReference();
}

TEST_F(Cuda, OutputsMayBeLeftOut) {
  SessionHandle session = open();
  Call call(5);
  call.outputs = {Call::tensor("logits", call.logits, {5, 3})};
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  for (float value : call.hidden)
    EXPECT_EQ(value, -77);
  Call whole(5);
  EXPECT_EQ(whole.run(session), VIT_OK);
  EXPECT_EQ(call.logits, whole.logits);
  whole.expectReference();
  // Neither is part of the graph.
  EXPECT_EQ(driver->graphs, 1);
}

/// Commands that do not touch what others write may run in any order.
TEST_F(Cuda, CommandsWaitForWhatTheyUse) {
  Call call(3);
  EXPECT_EQ(call.run(open()), VIT_OK) << call.error.message;
  call.expectReference();
  // Scale, copy, head and bias wait for each other, and head for clear.
  EXPECT_EQ(driver->edges, 4);
}

TEST_F(Cuda, LargeCallsAndThoseWithoutPinnedMemory) {
  {
    SessionHandle session = open();
    Call call(700'000); // 53 MB of inputs and outputs
    EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference();
  }
  failAt("cuMemHostAlloc", 2);
  SessionHandle session = open();
  Call call(3);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
}

TEST_F(Cuda, KeepsToItsBudget) {
  SessionHandle session = open();
  uint64_t one = 0, many = 0;
  ASSERT_EQ(vit_session_workspace_size(session.get(), nullptr, 1, &one, &error),
            VIT_OK);
  ASSERT_EQ(
      vit_session_workspace_size(session.get(), nullptr, 64, &many, &error),
      VIT_OK);
  // Slots (32 and 12 bytes per image), input, two outputs, padded to 256.
  EXPECT_EQ(one, 256u * 4);
  EXPECT_EQ(many, 64u * 32 + 64 * 12 + 2048 + 768 + 2048);
  options.memory_budget = many;
  session = open();
  Call fits(64), tooLarge(65);
  EXPECT_EQ(fits.run(session), VIT_OK) << fits.error.message;
  EXPECT_EQ(tooLarge.run(session), VIT_OVER_BUDGET);
  EXPECT_NE(std::string(tooLarge.error.message).find("a batch of 64 fits"),
            std::string::npos)
      << tooLarge.error.message;
}

TEST_F(Cuda, OutOfMemory) {
  SessionHandle session = open();
  Call small(1), large(64);
  EXPECT_EQ(small.run(session), VIT_OK);
  failAt("cuMemAlloc_v2", 2);
  EXPECT_EQ(large.run(session), VIT_OUT_OF_MEMORY);
  EXPECT_STREQ(large.error.message,
               "out of memory: no 7680 bytes for the workspace on 'Test GPU', "
               "which has 8589934592 in all");
  failAt("", 0);
  // Memory that was released can be used.
  EXPECT_EQ(small.run(session), VIT_OK) << small.error.message;
  small.expectReference();
  EXPECT_EQ(large.run(session), VIT_OK);
  large.expectReference();
}

/// A call that the device has too little memory for is refused before anything
/// is copied.
TEST_F(Cuda, TooLargeForTheMemory) {
  SessionHandle session = open();
  uint64_t many = 0;
  ASSERT_EQ(
      vit_session_workspace_size(session.get(), nullptr, 64, &many, &error),
      VIT_OK);
  // The weights are 256, 1024 and 256 bytes.
  driver->memory = 256 + 1024 + 256 + many;
  Call small(1), fits(64), tooLarge(65);
  EXPECT_EQ(tooLarge.run(session), VIT_OUT_OF_MEMORY);
  EXPECT_EQ(std::string(tooLarge.error.message),
            "out of memory: a batch of 65 needs 8704 bytes of workspace and "
            "'Test GPU' has " +
                std::to_string(many) + " left: a batch of 64 fits");
  EXPECT_EQ(driver->uploads, 0);
  EXPECT_EQ(small.run(session), VIT_OK) << small.error.message;
  EXPECT_EQ(fits.run(session), VIT_OK) << fits.error.message;
  fits.expectReference();
  EXPECT_EQ(tooLarge.run(session), VIT_OUT_OF_MEMORY);
  driver->memory = 256 + 1024 + 256 + 1000;
  SessionHandle().swap(session);
  session = open();
  EXPECT_EQ(small.run(session), VIT_OUT_OF_MEMORY);
  EXPECT_NE(
      std::string(small.error.message).find("even a batch of 1 needs more"),
      std::string::npos)
      << small.error.message;
  // The driver does not tell: then it is tried.
  failAt("cuMemGetInfo_v2", 999);
  EXPECT_EQ(small.run(session), VIT_OUT_OF_MEMORY);
  EXPECT_NE(std::string(small.error.message).find("for the workspace on"),
            std::string::npos)
      << small.error.message;
  session.reset();
  driver->memory = 1000;
  EXPECT_EQ(tryCreate(module), VIT_OUT_OF_MEMORY);
  EXPECT_STREQ(error.message, "out of memory: no 1536 bytes for weights on "
                              "'Test GPU', which has 1000 in all");
}

TEST_F(Cuda, TooLargeForAGpu) {
  SessionHandle session = open();
  // 8 elements per image, so 2^28 images have 2^31.
  constexpr int64_t batch = int64_t(1) << 28;
  Call call(1);
  float one = 0;
  auto resize = [&](vit_tensor &tensor, size_t perImage) {
    tensor.dims[0] = batch;
    tensor.size = size_t(batch) * perImage * 4;
    tensor.data = &one; // Never accessed.
  };
  resize(call.inputs[0], 8);
  resize(call.outputs[0], 3);
  call.outputs.pop_back();
  EXPECT_EQ(call.run(session), VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(call.error.message,
               "a batch of 268435456 is too large for a GPU: 'encoder.scale' "
               "would count to 2147483648 and 2147483647 is the end; call it "
               "with smaller batches");
}

TEST_F(Cuda, LostDevice) {
  for (const char *function :
       {"cuStreamSynchronize", "cuGraphLaunch", "cuMemcpyHtoDAsync_v2",
        "cuMemcpyDtoHAsync_v2", "cuCtxPushCurrent_v2"}) {
    failAt("", 0);
    SessionHandle session = open();
    Call call(2);
    EXPECT_EQ(call.run(session), VIT_OK);
    failAt(function, 719);
    EXPECT_EQ(call.run(session), VIT_DEVICE_LOST) << function;
    EXPECT_NE(std::string(call.error.message)
                  .find("(CUDA_ERROR_LAUNCH_FAILED, number 719: unspecified "
                        "launch failure)"),
              std::string::npos)
        << call.error.message;
    failAt("", 0);
    EXPECT_EQ(call.run(session), VIT_DEVICE_LOST) << "once lost, always lost";
    EXPECT_STREQ(call.error.message,
                 "the CUDA device was lost in an earlier call of this session: "
                 "start the program again");
  }
}

/// After any failure of a call that is not fatal, the next call works.
TEST_F(Cuda, AnyFailureOfACall) {
  for (bool isTimed : {false, true}) {
    options.on_event = isTimed ? +[](void *, const vit_event *) {} : nullptr;
    for (const char *function :
         {"cuMemAlloc_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2",
          "cuMemcpyDtoDAsync_v2", "cuMemsetD8Async", "cuLaunchKernel",
          "cuGraphCreate", "cuGraphAddKernelNode", "cuGraphAddMemcpyNode",
          "cuGraphAddMemsetNode", "cuGraphInstantiateWithFlags",
          "cuGraphLaunch", "cuStreamSynchronize", "cuEventRecord",
          "cuEventSynchronize", "cuEventElapsedTime"}) {
      // Graphs are for calls without times.
      bool isOfGraphs = std::strstr(function, "Graph");
      bool isOfTimes =
          std::strstr(function, "Event") || std::strstr(function, "Launch") ||
          std::strstr(function, "DtoD") || std::strstr(function, "Memset");
      if (isTimed ? isOfGraphs : isOfTimes && !isOfGraphs)
        continue;
      failAt("", 0);
      SessionHandle session = open();
      Call call(2);
      failAt(function, 2);
      EXPECT_EQ(call.run(session), VIT_OUT_OF_MEMORY) << function;
      failAt("", 0);
      EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
      call.expectReference();
    }
  }
}

/// An allocator that fails after `left` allocations.
struct Host {
  int left = 1 << 30;
  int live = 0;
  vit_allocator allocator = {this, allocate, deallocate};

  static void *allocate(void *context, size_t size, size_t alignment) {
    auto &host = *static_cast<Host *>(context);
    if (host.left-- <= 0)
      return nullptr;
    ++host.live;
    return std::aligned_alloc(alignment, size);
  }
  static void deallocate(void *context, void *memory) {
    --static_cast<Host *>(context)->live;
    std::free(memory);
  }
};

TEST_F(Cuda, HostWithoutMemory) {
  Host host;
  {
    vit_module_options moduleOptions = {};
    moduleOptions.struct_size = sizeof moduleOptions;
    moduleOptions.allocator = &host.allocator;
    ModuleHandle own = load(bytes, &moduleOptions);
    ASSERT_TRUE(own);
    options.on_event = [](void *, const vit_event *) {};
    int before = host.live, least = 0;
    for (;; ++least) {
      host.left = least;
      vit_session *made = nullptr;
      vit_status status =
          vit_session_create(own.get(), &options, &made, &error);
      SessionHandle session(made);
      Call call(2);
      if (status == VIT_OK)
        status = call.run(session);
      if (status == VIT_OK) {
        call.expectReference();
        break;
      }
      ASSERT_EQ(status, VIT_OUT_OF_MEMORY) << error.message;
      EXPECT_EQ(made, nullptr) << "a call allocates nothing of the host's";
      EXPECT_EQ(host.live, before);
    }
    EXPECT_GT(least, 10);
  }
  EXPECT_EQ(host.live, 0);
}

struct Seen {
  std::vector<std::string> names, kernels;
  std::vector<uint64_t> begins, ends;
  std::vector<double> flop;
};

static uint64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_nsec);
}

TEST_F(Cuda, TimesEachCommand) {
  Seen seen;
  options.event_context = &seen;
  options.on_event = [](void *context, const vit_event *event) {
    auto &all = *static_cast<Seen *>(context);
    all.names.emplace_back(event->name);
    all.kernels.emplace_back(event->kernel);
    all.begins.push_back(event->begin_ns);
    all.ends.push_back(event->end_ns);
    all.flop.push_back(event->flop);
  };
  SessionHandle session = open();
  Call call(4);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
  seen = {};
  uint64_t before = now();
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  uint64_t after = now();
  EXPECT_EQ(seen.names, (std::vector<std::string>{"upload", "encoder.scale",
                                                  "clear", "copy", "head",
                                                  "head.bias", "download"}));
  EXPECT_EQ(seen.kernels,
            (std::vector<std::string>{"copy", "rows_0", "fill", "copy",
                                      "gemm_0", "map_0", "copy"}));
  EXPECT_EQ(seen.flop, (std::vector<double>{0, 0, 0, 0, 4 * 48, 0, 0}));
  for (size_t i = 0; i < seen.begins.size(); ++i) {
    EXPECT_LE(before, seen.begins[i]);
    EXPECT_LE(seen.begins[i], seen.ends[i]);
    if (i > 0)
      EXPECT_EQ(seen.begins[i], seen.ends[i - 1]);
    // Allow a difference of 1 ms between the clocks.
    EXPECT_LE(seen.ends[i], after + 1'000'000);
  }
  EXPECT_EQ(driver->graphLaunches, 0);
  EXPECT_EQ(driver->kernelLaunches, 6);
}

TEST_F(Cuda, CanBeCancelled) {
  bool isCancelled = true;
  options.cancel_context = &isCancelled;
  options.is_cancelled = [](void *context) -> int {
    return *static_cast<bool *>(context);
  };
  SessionHandle session = open();
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_CANCELLED);
  EXPECT_STREQ(call.error.message,
               "the call was cancelled before it was submitted");
  EXPECT_EQ(driver->uploads, 0);
  isCancelled = false;
  EXPECT_EQ(call.run(session), VIT_OK);
  call.expectReference();
}

TEST_F(Cuda, FromAnyThread) {
  SessionHandle session = open();
  Call first(2), second(2);
  EXPECT_EQ(first.run(session), VIT_OK);
  std::thread other([&] { EXPECT_EQ(second.run(session), VIT_OK); });
  other.join();
  second.expectReference();
}

} // namespace
