//===- DriverTest.cpp - Opening the CUDA driver ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaSupport.h"

#include <nlohmann/json.hpp>

using namespace vit::test;

namespace {

class Driver : public CudaTest {
protected:
  Bytes bytes = moduleForCuda();
  ModuleHandle module = load(bytes);

  void expectFailure(vit_status status, const char *part) {
    EXPECT_EQ(tryCreate(module), status);
    EXPECT_NE(std::string(error.message).find(part), std::string::npos)
        << error.message;
  }

  static nlohmann::json lastDevice() {
    char *text = nullptr;
    EXPECT_EQ(vit_devices_describe("cuda", &text, nullptr), VIT_OK);
    nlohmann::json json = nlohmann::json::parse(text);
    std::free(text);
    return json.back();
  }
};

TEST_F(Driver, MissingLibrary) {
  setenv("VIT_CUDA_LIBRARY", "libno-such-cuda.so", 1);
  expectFailure(VIT_UNSUPPORTED, "there is no CUDA driver: libno-such-cuda.so");
  expectFailure(VIT_UNSUPPORTED, "install NVIDIA's driver");
  nlohmann::json device = lastDevice();
  EXPECT_EQ(device["device"], "cuda");
  EXPECT_EQ(std::string(device["unavailable"]).rfind("there is no CUDA", 0),
            0u);
}

TEST_F(Driver, MissingFunctions) {
  setenv("VIT_CUDA_LIBRARY", VIT_TEST_EMPTY_DRIVER, 1);
  expectFailure(VIT_UNSUPPORTED, "the CUDA driver is too old");
  expectFailure(VIT_UNSUPPORTED,
                "has no cuInit: install one for CUDA 11.4 or newer");
}

TEST_F(Driver, TooOld) {
  driver->version = 11030;
  expectFailure(VIT_UNSUPPORTED, "the CUDA driver is too old: it is for CUDA "
                                 "11.3, install one for 11.4 or newer");
}

TEST_F(Driver, DoesNotStart) {
  failAt("cuInit", 3);
  expectFailure(VIT_UNSUPPORTED,
                "the CUDA driver does not start (CUDA_ERROR_NOT_INITIALIZED, "
                "number 3: no description)");
  failAt("cuInit", 34);
  expectFailure(VIT_UNSUPPORTED, "(CUDA_ERROR_STUB_LIBRARY, number 34");
  expectFailure(VIT_UNSUPPORTED, "is the stub of the CUDA toolkit");
  EXPECT_NE(std::string(lastDevice()["unavailable"]).find("stub"),
            std::string::npos);
  failAt("cuInit", 803);
  expectFailure(VIT_UNSUPPORTED, "restart the machine");
  failAt("cuInit", 100);
  expectFailure(VIT_UNSUPPORTED, "sees no device");
  failAt("cuDeviceGetCount", 999);
  expectFailure(VIT_UNSUPPORTED, "CUDA_ERROR_UNKNOWN");
  failAt("cuInit", 12345);
  expectFailure(VIT_UNSUPPORTED, "(unknown error, number 12345");
}

TEST_F(Driver, NoDevice) {
  driver->deviceCount = 0;
  expectFailure(VIT_UNSUPPORTED, "it sees no device: check CUDA_VISIBLE");
  EXPECT_NE(std::string(lastDevice()["unavailable"]).find("sees no device"),
            std::string::npos);
}

TEST_F(Driver, SelectsByNumber) {
  driver->deviceCount = 2;
  options.device = "cuda:1";
  EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  options.device = "cuda:2";
  expectFailure(VIT_NOT_FOUND, "there is no device cuda:2; the CUDA driver "
                               "sees 2: cuda:0: ");
  expectFailure(VIT_NOT_FOUND, ", cuda:1: ");
  options.device = "cuda:99999999999999999999";
  expectFailure(VIT_NOT_FOUND, "the CUDA driver sees 2");
  for (const char *wrong : {"cuda:x", "cuda:-1", "cuda:1x", "cuda: 1"}) {
    options.device = wrong;
    expectFailure(VIT_INVALID_ARGUMENT,
                  "is no device: cuda and cuda:N, with N from 0 to 1, are");
  }
}

TEST_F(Driver, DeviceWithoutCode) {
  driver->capability = 75;
  expectFailure(VIT_UNSUPPORTED,
                "it has code for Cpu avx2, Cuda sm_80, and 'Test GPU' takes "
                "Cuda sm_75 (vit needs sm_80 or newer)");
  auto statusOn = [&](int capability, const char *level) {
    Builder builder;
    builder.addGpu(vit::schema::Target::Cuda);
    builder.gpu().level = level;
    Bytes other = builder.write();
    driver->capability = capability;
    return tryCreate(load(other));
  };
  EXPECT_EQ(statusOn(90, "sm_100"), VIT_UNSUPPORTED);
  EXPECT_STREQ(error.message,
               "'module in memory' cannot run here: it has code for Cpu avx2, "
               "Cuda sm_100 (of a newer vit), and 'Test GPU' takes Cuda sm_90; "
               "compile it again "
               "with --level");
  EXPECT_EQ(statusOn(100, "sm_80"), VIT_OK) << error.message;
  // Future levels may need more than an architecture.
  for (const char *level : {"sm_", "sm_90", "sm_80a", "tiled"})
    EXPECT_EQ(statusOn(90, level), VIT_UNSUPPORTED) << level;
}

TEST_F(Driver, LevelOfTheOptions) {
  options.level = "sm_80";
  EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  options.level = "sm_10";
  expectFailure(VIT_INVALID_ARGUMENT,
                "the option level is set to no level of the target; choose one "
                "of sm_90a, sm_80");
}

TEST_F(Driver, NeedsNoFeatureThatIsUnknown) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Cuda);
  builder.gpu().features = {"tensor_cores_of_tomorrow"};
  Bytes newer = builder.write();
  ModuleHandle other = load(newer);
  EXPECT_EQ(tryCreate(other), VIT_UNSUPPORTED);
}

TEST_F(Driver, DescribesDevices) {
  driver->deviceCount = 2;
  nlohmann::json device = lastDevice();
  EXPECT_EQ(device["device"], "cuda:1");
  EXPECT_EQ(device["name"], "Other GPU");
  EXPECT_EQ(device["compute_capability"], "9.0");
  EXPECT_EQ(device["driver"], "CUDA 12.4");
  EXPECT_EQ(device["memory"], int64_t(1) << 33);
  EXPECT_EQ(device["multiprocessors"], 7);
  EXPECT_EQ(device["level"], "sm_90a");
  EXPECT_EQ(device["precisions"],
            nlohmann::json({"f32", "tf32", "f16", "bf16", "int8"}));
  driver->version = 11080; // has no tensor maps
  EXPECT_EQ(lastDevice()["level"], "sm_80");
  driver->version = 12040;
  driver->capability = 120;
  EXPECT_EQ(lastDevice()["level"], "sm_80");
  driver->capability = 75;
  EXPECT_EQ(lastDevice()["level"], "none");
}

TEST_F(Driver, TakesTheCubinForItsDeviceAlone) {
  EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  EXPECT_EQ(driver->cubinsLoaded, 1);
  EXPECT_EQ(driver->ptxLoaded, 0);
  driver->capability = 86;
  EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  EXPECT_EQ(driver->cubinsLoaded, 1);
  EXPECT_EQ(driver->ptxLoaded, 1);
}

TEST_F(Driver, TakesTheCubinOfTheMajorVersion) {
  auto loadsCubin = [&](const char *arch, int capability) {
    Builder builder;
    builder.addGpu(vit::schema::Target::Cuda);
    builder.module.images.back()->arch = arch;
    Bytes other = builder.write();
    driver->capability = capability;
    driver->cubinsLoaded = 0;
    EXPECT_EQ(tryCreate(load(other)), VIT_OK) << error.message;
    return driver->cubinsLoaded == 1;
  };
  EXPECT_TRUE(loadsCubin("sm_80", 80));
  EXPECT_TRUE(loadsCubin("sm_80", 89));
  EXPECT_TRUE(loadsCubin("sm_120", 121));
  EXPECT_FALSE(loadsCubin("sm_86", 80));
  EXPECT_FALSE(loadsCubin("sm_80", 90));
  EXPECT_FALSE(loadsCubin("sm_100a", 103));
  EXPECT_FALSE(loadsCubin("sm_100", 120));
}

TEST_F(Driver, TakesPtxWhereTheCubinIsTooNew) {
  for (int result : {200, 209}) {
    failAt("cuModuleLoadDataEx", result);
    driver->failTimes = 1;
    EXPECT_EQ(tryCreate(module), VIT_OK) << error.message;
  }
  EXPECT_EQ(driver->cubinsLoaded, 0);
  EXPECT_EQ(driver->ptxLoaded, 2);
  failAt("cuModuleLoadDataEx", 209);
  driver->log = "all are refused\nwith two lines";
  expectFailure(VIT_UNSUPPORTED,
                "the CUDA driver does not take the code of 'module in memory' "
                "(unknown error, number 209: no description): all are refused "
                "with two lines");
}

TEST_F(Driver, SaysWhyItRefusesPtx) {
  driver->capability = 80;
  driver->log = "ptxas application ptx input, line 7; fatal : Parsing error";
  failAt("cuModuleLoadDataEx", 218);
  expectFailure(VIT_UNSUPPORTED,
                "(CUDA_ERROR_INVALID_PTX, number 218: no description): ptxas "
                "application ptx input, line 7; fatal : Parsing error");
  driver->log = "";
  expectFailure(VIT_UNSUPPORTED, "): it does not say why");
  failAt("cuModuleLoadDataEx", 222);
  expectFailure(VIT_UNSUPPORTED, "the CUDA driver, for CUDA 12.4, is too old "
                                 "for the code of 'module in memory'");
  failAt("cuModuleLoadDataEx", 2);
  expectFailure(VIT_OUT_OF_MEMORY, "could not load the module's code");
}

TEST_F(Driver, CodeWithoutAKernel) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Cuda);
  builder.gpu().kernels[1]->name = "gemm_9";
  Bytes wrong = builder.write();
  ModuleHandle other = load(wrong);
  EXPECT_EQ(tryCreate(other), VIT_CORRUPT);
  EXPECT_STREQ(error.message, "'module in memory' is damaged: its CUDA code "
                              "has no kernel 'gemm_9'");
}

TEST_F(Driver, KernelBeyondTheDevice) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Cuda);
  builder.gpu().kernels[0]->shared = 100 << 10;
  Bytes large = builder.write();
  ModuleHandle other = load(large);
  EXPECT_EQ(tryCreate(other), VIT_UNSUPPORTED);
  EXPECT_STREQ(error.message,
               "kernel 'rows_0' needs 64 threads and 102400 bytes of workgroup "
               "memory, and 'Test GPU' has 1024 and 101376");
}

/// What code cannot declare is asked for, by each launch.
TEST_F(Driver, WorkgroupMemoryOfALaunch) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Cuda);
  builder.gpu().kernels[0]->shared = 99 << 10;
  Bytes large = builder.write();
  ModuleHandle other = load(large);
  SessionHandle session = makeSession(other, &options);
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
  EXPECT_EQ(driver->sharedBytes, 99 << 10);
  failAt("cuFuncSetAttribute", 1);
  EXPECT_NE(tryCreate(other), VIT_OK);
}

/// Code of sm_90a runs on its capability alone, by a driver that knows it.
TEST_F(Driver, LevelOfTheDriver) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Cuda);
  builder.gpu().level = "sm_90a";
  Bytes bytes = builder.write();
  ModuleHandle newer = load(bytes);
  EXPECT_EQ(tryCreate(newer), VIT_OK) << error.message;
  driver->version = 11080;
  EXPECT_EQ(tryCreate(newer), VIT_UNSUPPORTED);
  driver->version = 12000;
  driver->capability = 100;
  EXPECT_EQ(tryCreate(newer), VIT_UNSUPPORTED);
}

TEST_F(Driver, TensorMaps) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Cuda);
  // 32 bytes per image are two rows of 8 elements of 2 bytes.
  builder.gpu().kernels[0]->maps = {vit::schema::TensorMap(0, 8, 16, 0)};
  Bytes bytes = builder.write();
  ModuleHandle other = load(bytes);
  SessionHandle session = makeSession(other, &options);
  Call call(3);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
  EXPECT_EQ(driver->mapsEncoded, 1);
  EXPECT_EQ(driver->mapColumns, 8u);
  EXPECT_EQ(driver->mapRows, 6u);
  EXPECT_EQ(driver->mapBoxRows, 16u);
  // One matrix of two rows per image.
  builder.gpu().kernels[0]->maps = {vit::schema::TensorMap(0, 8, 16, 2)};
  Bytes several = builder.write();
  ModuleHandle third = load(several);
  SessionHandle inSession = makeSession(third, &options);
  EXPECT_EQ(call.run(inSession), VIT_OK) << call.error.message;
  EXPECT_EQ(driver->mapRows, 2u);
  EXPECT_EQ(driver->mapMatrices, 3u);
  failAt("cuTensorMapEncodeTiled", 1);
  Call another(2);
  EXPECT_NE(another.run(session), VIT_OK);
  EXPECT_NE(std::string(another.error.message).find("record a call"),
            std::string::npos)
      << another.error.message;
}

/// Of 10 units, on 7 multiprocessors.
TEST_F(Driver, WorkgroupsOfResidentKernels) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Cuda);
  vit::schema::KernelT &kernel = *builder.gpu().kernels[0];
  auto launch = [&] {
    driver->workgroups = 0;
    Bytes bytes = builder.write();
    ModuleHandle module = load(bytes);
    Call call(5);
    EXPECT_EQ(call.run(makeSession(module, &options)), VIT_OK);
    return driver->workgroups;
  };
  EXPECT_EQ(launch(), 10);
  kernel.is_resident = true;
  EXPECT_EQ(launch(), 7);
  kernel.cluster = 2;
  EXPECT_EQ(launch(), 6);
}

/// Whichever call fails while a session is created, there is a message, and no
/// object is left (checked by TearDown).
TEST_F(Driver, AnyFailureOfCreating) {
  options.on_event = [](void *, const vit_event *) {};
  for (const char *function :
       {"cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet",
        "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute",
        "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent_v2", "cuStreamCreate",
        "cuModuleLoadDataEx", "cuModuleGetFunction", "cuMemAlloc_v2",
        "cuEventCreate"})
    for (int result : {2, 3, 100, 201, 719, 999}) {
      failAt(function, result);
      EXPECT_NE(tryCreate(module), VIT_OK) << function << " " << result;
    }
  failAt("cuEventCreate", 2, 3);
  EXPECT_EQ(tryCreate(module), VIT_OUT_OF_MEMORY);
}

} // namespace
