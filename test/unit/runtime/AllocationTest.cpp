//===- AllocationTest.cpp - Allocations that fail -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cstdlib>
#include <map>

using namespace vit::test;

namespace {

/// Tracks allocations; fails one of them, and those above a size.
struct Host {
  size_t failAt = SIZE_MAX; ///< index of the allocation that fails
  size_t most = SIZE_MAX;   ///< largest size in bytes
  size_t calls = 0;
  std::map<void *, size_t> held;

  vit_allocator callbacks() {
    return {this,
            [](void *context, size_t size, size_t alignment) -> void * {
              Host &host = *static_cast<Host *>(context);
              if (host.calls++ == host.failAt || size > host.most)
                return nullptr;
              void *memory = std::aligned_alloc(alignment, size);
              std::memset(memory, 0xa5, size);
              host.held[memory] = size;
              return memory;
            },
            [](void *context, void *memory) {
              Host &host = *static_cast<Host *>(context);
              EXPECT_EQ(host.held.erase(memory), 1u);
              std::free(memory);
            }};
  }
};

/// Makes every call of an application in turn until one fails.
vit_status doEverything(const Bytes &bytes, Host &host, vit_error &error) {
  vit_allocator callbacks = host.callbacks();
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.allocator = &callbacks;
  vit_module *raw = nullptr;
  vit_status status = vit_module_load_memory(bytes.data(), bytes.size(), "/tmp",
                                             &options, &raw, &error);
  ModuleHandle module(raw);
  if (status)
    return status;
  vit_parameters *rawParameters = nullptr;
  status = vit_parameters_create(module.get(), &rawParameters, &error);
  ParametersHandle parameters(rawParameters);
  if (status)
    return status;
  vit_session_options sessionOptions = {};
  sessionOptions.struct_size = sizeof sessionOptions;
  sessionOptions.parameters = parameters.get();
  sessionOptions.threads = 2;
  vit_session *rawSession = nullptr;
  status =
      vit_session_create(module.get(), &sessionOptions, &rawSession, &error);
  SessionHandle session(rawSession);
  if (status)
    return status;
  for (int64_t batch : {1, 9}) {
    Call call(batch);
    status = call.run(session);
    if (status) {
      error = call.error;
      // The failure was temporary: the next call works.
      EXPECT_EQ(call.run(session), VIT_OK);
      call.expectReference();
      return status;
    }
    call.expectReference();
  }
  std::vector<float> scale = Builder::scale;
  status =
      vit_parameters_write(parameters.get(), "scale", scale.data(), 16, &error);
  if (status)
    return status;
  vit_session *own = nullptr; // with its own parameters
  sessionOptions.parameters = nullptr;
  status = vit_session_create(module.get(), &sessionOptions, &own, &error);
  vit_session_release(own);
  if (status)
    return status;
  char *text = nullptr;
  status = vit_module_describe(module.get(), &text, &error);
  vit_module_free_text(module.get(), text);
  return status;
}

void failEach(Builder &builder) {
  Bytes bytes = builder.write();
  size_t total = 0;
  {
    Host host;
    vit_error error;
    ASSERT_EQ(doEverything(bytes, host, error), VIT_OK) << error.message;
    EXPECT_TRUE(host.held.empty());
    total = host.calls;
  }
  ASSERT_GT(total, 20u);
  for (size_t i = 0; i < total; ++i) {
    Host host;
    host.failAt = i;
    vit_error error = {};
    EXPECT_EQ(doEverything(bytes, host, error), VIT_OUT_OF_MEMORY)
        << "allocation " << i;
    EXPECT_EQ(std::string(error.message).rfind("out of memory: ", 0), 0u)
        << error.message;
    EXPECT_TRUE(host.held.empty()) << "allocation " << i;
  }
}

TEST(Allocation, EachInTurnFailsCleanly) {
  Builder builder;
  failEach(builder);
}

TEST(Allocation, EachInTurnFailsCleanlyWithInitializers) {
  Builder builder;
  for (auto &p : builder.module.parameters) {
    // The same constants, from initialisers.
    p->source = vit::schema::Source::Init;
    p->data.reset();
  }
  builder.module.parameters.resize(3);
  Bytes bytes = builder.write();
  Host host;
  vit_allocator callbacks = host.callbacks();
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.allocator = &callbacks;
  ModuleHandle module = load(bytes, &options);
  size_t before = host.calls;
  {
    ParametersHandle parameters = makeParameters(module);
  }
  size_t total = host.calls - before;
  for (size_t i = 0; i < total; ++i) {
    host.failAt = host.calls + i;
    vit_parameters *parameters = nullptr;
    vit_error error;
    EXPECT_EQ(vit_parameters_create(module.get(), &parameters, &error),
              VIT_OUT_OF_MEMORY);
    EXPECT_EQ(parameters, nullptr);
  }
  module.reset();
  EXPECT_TRUE(host.held.empty());
}

TEST(Allocation, EachInTurnFailsCleanlyWithStoredForms) {
  Builder builder;
  builder.storeForms();
  failEach(builder);
}

TEST(Allocation, HugeBatchHasNoMemory) {
  Bytes bytes = Builder().write();
  Host host;
  host.most = 1 << 20;
  vit_allocator callbacks = host.callbacks();
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.allocator = &callbacks;
  {
    ModuleHandle module = load(bytes, &options);
    vit_session_options one = {};
    one.struct_size = sizeof one;
    one.threads = 1;
    one.memory_budget = UINT64_MAX;
    SessionHandle session = makeSession(module, &one);
    Call call(2);
    call.inputs[0].dims[0] = INT32_MAX;
    call.inputs[0].size = SIZE_MAX;
    call.outputs.clear();
    EXPECT_EQ(call.run(session), VIT_OUT_OF_MEMORY);
    // Per image: slots 32 + 12, outputs 12 + 32 bytes; all padded to 64.
    EXPECT_STREQ(call.error.message,
                 "out of memory: no 188978561088 bytes for the workspace");
  }
  EXPECT_TRUE(host.held.empty());
}

TEST(Allocation, HeedsAlignmentAndPairs) {
  vit_allocator half = {nullptr, nullptr, nullptr};
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.allocator = &half;
  Bytes bytes = Builder().write();
  vit_module *module = nullptr;
  vit_error error;
  EXPECT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), nullptr,
                                   &options, &module, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message,
               "the allocator needs both allocate and deallocate");
  // Memory with the wrong alignment is a failure.
  vit_allocator crooked = {nullptr,
                           [](void *, size_t size, size_t alignment) -> void * {
                             return static_cast<char *>(std::aligned_alloc(
                                        alignment, size + alignment)) +
                                    16;
                           },
                           [](void *, void *memory) {
                             std::free(static_cast<char *>(memory) - 16);
                           }};
  options.allocator = &crooked;
  EXPECT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), nullptr,
                                   &options, &module, &error),
            VIT_OUT_OF_MEMORY);
}

} // namespace
