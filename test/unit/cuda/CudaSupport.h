//===- CudaSupport.h - Shared parts of the CUDA tests -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_CUDA_SUPPORT_H
#define VIT_TEST_CUDA_SUPPORT_H

#include "TestDriver.h"
#include "TestSupport.h"

#include <dlfcn.h>

namespace vit::test {

/// Each test starts with a working driver, and ends by checking that no object
/// is left and that the driver was not misused.
class CudaTest : public testing::Test {
protected:
  CudaTest() {
    setenv("VIT_CUDA_LIBRARY", VIT_TEST_DRIVER, 1);
    // Listing devices must not open another driver of the machine.
    setenv("VIT_VULKAN_LIBRARY", "libno-such-vulkan.so", 1);
    void *library = dlopen(VIT_TEST_DRIVER, RTLD_NOW | RTLD_NODELETE);
    EXPECT_NE(library, nullptr) << dlerror();
    if (!library)
      std::abort();
    using Get = TestDriver *();
    using Reset = void();
    reinterpret_cast<Reset *>(dlsym(library, "vitTestDriverReset"))();
    driver = reinterpret_cast<Get *>(dlsym(library, "vitTestDriver"))();
    forget =
        reinterpret_cast<Reset *>(dlsym(library, "vitTestDriverForgetCalls"));
    dlclose(library);
    options.struct_size = sizeof options;
    options.device = "cuda";
  }

  ~CudaTest() override {
    unsetenv("VIT_CUDA_LIBRARY");
    unsetenv("VIT_VULKAN_LIBRARY");
  }

  void TearDown() override {
    EXPECT_EQ(driver->liveObjects, 0);
    EXPECT_EQ(driver->misuse, nullptr) << driver->misuse;
  }

  /// Makes `function` fail in the next session or call.
  void failAt(const char *function, int result, int after = 0) {
    driver->failingFunction = function;
    driver->failure = result;
    driver->failAfter = after;
    driver->failTimes = 1 << 30;
    forget();
  }

  vit_status tryCreate(const ModuleHandle &module) {
    vit_session *session = nullptr;
    error.message[0] = 0;
    vit_status status =
        vit_session_create(module.get(), &options, &session, &error);
    EXPECT_EQ(status == VIT_OK, session != nullptr);
    EXPECT_EQ(status == VIT_OK, error.message[0] == 0);
    vit_session_release(session);
    return status;
  }

  static Bytes moduleForCuda() {
    Builder builder;
    builder.addGpu(schema::Target::Cuda);
    return builder.write();
  }

  TestDriver *driver = nullptr;
  void (*forget)() = nullptr; ///< number of calls per function
  vit_session_options options = {};
  vit_error error = {};
};

/// Sessions of moduleForCuda.
class CudaRunTest : public CudaTest {
protected:
  Bytes bytes = moduleForCuda();
  ModuleHandle module = load(bytes);
  SessionHandle open() { return makeSession(module, &options); }
};

} // namespace vit::test

#endif // VIT_TEST_CUDA_SUPPORT_H
