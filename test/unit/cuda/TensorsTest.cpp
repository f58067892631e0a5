//===- TensorsTest.cpp - Tensors of the caller in a device's memory -------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaSupport.h"

#include "vit/vit.hpp"

using namespace vit::test;

namespace {

/// Memory of the test driver's device, which is memory of the host.
class DeviceFloats {
public:
  explicit DeviceFloats(size_t count, int ordinal = 0)
      : library(dlopen(VIT_TEST_DRIVER, RTLD_NOW)) {
    call<int *, int>("cuDeviceGet", &device, ordinal);
    call<void **, int>("cuDevicePrimaryCtxRetain", &context, device);
    call<void *>("cuCtxPushCurrent_v2", context);
    uint64_t address = 0;
    call<uint64_t *, size_t>("cuMemAlloc_v2", &address, count * sizeof(float));
    data = reinterpret_cast<float *>(address);
    void *popped = nullptr;
    call<void **>("cuCtxPopCurrent_v2", &popped);
  }
  DeviceFloats(const DeviceFloats &) = delete;
  ~DeviceFloats() {
    call<void *>("cuCtxPushCurrent_v2", context);
    call<uint64_t>("cuMemFree_v2", reinterpret_cast<uint64_t>(data));
    void *popped = nullptr;
    call<void **>("cuCtxPopCurrent_v2", &popped);
    call<int>("cuDevicePrimaryCtxRelease_v2", device);
    dlclose(library);
  }

  float *data = nullptr;

private:
  template <typename... Types> void call(const char *name, Types... values) {
    using Function = int(Types...);
    EXPECT_EQ(reinterpret_cast<Function *>(dlsym(library, name))(values...), 0);
  }

  void *library;
  int device = 0;
  void *context = nullptr;
};

/// DLTensor of DLPack.
struct DlTensor {
  void *data;
  struct {
    int device_type, device_id;
  } device = {2, 0}; // kDLCUDA
  int32_t ndim = 0;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype = {2, 32, 1}; // kDLFloat
  int64_t *shape = nullptr, *strides = nullptr;
  uint64_t byte_offset;

  DlTensor(void *data = nullptr, uint64_t offset = 0)
      : data(data), byte_offset(offset) {}
};

class CudaTensors : public CudaRunTest {
protected:
  static void place(vit_tensor &tensor, const DlTensor &where) {
    DlTensor whole = where;
    whole.ndim = tensor.rank;
    whole.shape = tensor.dims;
    tensor = vit::dlpackTensor(tensor.name, whole);
  }
  /// Runs with the image and the outputs at these places; NULL: in the host's
  /// memory.
  void run(const SessionHandle &session, const DlTensor &image,
           const DlTensor &logits, const DlTensor &hidden) {
    Call call(3);
    if (image.data) {
      place(call.inputs[0], image);
      std::memcpy(call.inputs[0].data, call.image.data(),
                  call.image.size() * sizeof(float));
    }
    if (logits.data)
      place(call.outputs[0], logits);
    if (hidden.data)
      place(call.outputs[1], hidden);
    *counts = {};
    counts->uploads = driver->uploads;
    counts->copies = driver->copies;
    driver->kernelArguments.clear();
    EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
    counts->uploads = driver->uploads - counts->uploads;
    counts->copies = driver->copies - counts->copies;
    if (logits.data)
      std::memcpy(call.logits.data(), call.outputs[0].data,
                  call.logits.size() * sizeof(float));
    if (hidden.data)
      std::memcpy(call.hidden.data(), call.outputs[1].data,
                  call.hidden.size() * sizeof(float));
    call.expectReference();
  }
  bool kernelsHad(const DlTensor &tensor) const {
    return driver->kernelArguments.count(reinterpret_cast<char *>(tensor.data) +
                                         tensor.byte_offset) != 0;
  }

  struct Counts {
    int uploads, copies;
  } lastRun = {}, *counts = &lastRun;
};

TEST_F(CudaTensors, AreUsedWhereTheyAre) {
  SessionHandle session = open();
  const DlTensor host;
  run(session, host, host, host); // uploads the weights, too
  DeviceFloats first(100), second(100);
  DlTensor image = {first.data, 0}, logits = {first.data, 128},
           hidden = {first.data, 256};
  for (int which = 0; which < 8; ++which) {
    const DlTensor &in = which & 1 ? image : host,
                   &out = which & 2 ? logits : host,
                   &other = which & 4 ? hidden : host;
    run(session, in, out, other);
    EXPECT_EQ(lastRun.uploads, which & 1 ? 0 : 1);
    EXPECT_EQ(lastRun.copies, 0);
    EXPECT_EQ(kernelsHad(image), bool(which & 1));
    EXPECT_EQ(kernelsHad(logits), bool(which & 2));
    EXPECT_EQ(kernelsHad(hidden), bool(which & 4));
  }
  // The graph of the same addresses is used again; of others, nodes are
  // changed, unless a copy has one of them.
  run(session, image, logits, hidden);
  int graphs = driver->graphs, nodes = driver->changedNodes;
  run(session, image, logits, hidden);
  EXPECT_EQ(driver->graphs, graphs);
  EXPECT_EQ(driver->changedNodes, nodes);
  run(session, {second.data, 16}, {second.data, 256}, hidden);
  EXPECT_TRUE(kernelsHad({second.data, 16}));
  EXPECT_FALSE(kernelsHad(image));
  EXPECT_EQ(driver->graphs, graphs);
  EXPECT_EQ(driver->changedNodes, nodes + 2);
  run(session, image, logits, {second.data, 0});
  EXPECT_EQ(driver->graphs, graphs + 1);
  // A driver that refuses to change nodes.
  failAt("cuGraphExecKernelNodeSetParams", 801);
  run(session, {second.data, 128}, logits, {second.data, 0});
  EXPECT_EQ(driver->graphs, graphs + 2);
}

TEST_F(CudaTensors, ThatKernelsCannotUseAreCopied) {
  driver->deviceCount = 2;
  SessionHandle session = open();
  const DlTensor host;
  run(session, host, host, host);
  DeviceFloats memory(200), elsewhere(100, 1);
  // Aligned to the element alone.
  DlTensor odd = {memory.data, 4};
  run(session, odd, {memory.data, 256}, {memory.data, 384 + 4});
  EXPECT_EQ(lastRun.copies, 2);
  EXPECT_FALSE(kernelsHad(odd));
  EXPECT_TRUE(kernelsHad({memory.data, 256}));
  // In memory of another device.
  run(session, {elsewhere.data, 0}, {elsewhere.data, 128}, host);
  EXPECT_EQ(lastRun.copies, 2);
  // Outputs in the memory of an input, or of each other (then the last one is
  // there).
  run(session, {memory.data, 0}, host, {memory.data, 16});
  EXPECT_EQ(lastRun.copies, 1);
  EXPECT_TRUE(kernelsHad({memory.data, 0}));
  run(session, {memory.data, 0}, {memory.data, 128}, {memory.data, 0});
  EXPECT_EQ(lastRun.copies, 1);
  Call both(3);
  place(both.outputs[0], {memory.data, 0});
  place(both.outputs[1], {memory.data, 0});
  EXPECT_EQ(both.run(session), VIT_OK) << both.error.message;
  std::memcpy(both.hidden.data(), memory.data,
              both.hidden.size() * sizeof(float));
  Call expected(3);
  EXPECT_EQ(expected.run(session), VIT_OK);
  EXPECT_EQ(both.hidden, expected.hidden);
}

TEST(Dlpack, WhatItMakes) {
  float data[8] = {};
  int64_t shape[] = {2, 1, 4}, packed[] = {4, 77, 1}, other[] = {1, 2, 2};
  DlTensor given(data, 8);
  given.ndim = 3;
  given.shape = shape;
  for (int64_t *strides : {static_cast<int64_t *>(nullptr), packed}) {
    given.strides = strides;
    vit_tensor tensor = vit::dlpackTensor("x", given);
    EXPECT_STREQ(tensor.name, "x");
    EXPECT_EQ(tensor.data, data + 2);
    EXPECT_EQ(tensor.size, 32u);
    EXPECT_EQ(tensor.dtype, VIT_F32);
    EXPECT_EQ(tensor.memory, VIT_DEVICE);
    EXPECT_EQ(tensor.rank, 3);
    EXPECT_EQ(tensor.dims[2], 4);
  }
  given.device.device_type = 1;
  given.dtype = {4, 16, 1};
  EXPECT_EQ(vit::dlpackTensor("x", given).memory, VIT_HOST);
  EXPECT_EQ(vit::dlpackTensor("x", given).dtype, VIT_BF16);
  EXPECT_EQ(vit::dlpackTensor("x", given).size, 16u);
  given.strides = other;
  EXPECT_THROW(vit::dlpackTensor("x", given), std::invalid_argument);
  given.strides = nullptr;
  given.dtype = {2, 32, 4};
  EXPECT_THROW(vit::dlpackTensor("x", given), std::invalid_argument);
  given.dtype = {2, 32, 1};
  given.device.device_type = 7; // Vulkan
  EXPECT_THROW(vit::dlpackTensor("x", given), std::invalid_argument);
  given.device.device_type = 1;
  given.ndim = 9;
  EXPECT_THROW(vit::dlpackTensor("x", given), std::invalid_argument);
}

TEST_F(CudaTensors, ThatAreNotThere) {
  SessionHandle session = open();
  Call call(3);
  call.inputs[0].memory = VIT_DEVICE;
  EXPECT_EQ(call.run(session), VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(call.error.message,
               "input 'image' is said to be in device memory, but its address "
               "is not of memory of a CUDA device");
  call.inputs[0].memory = VIT_HOST;
  call.outputs[1].memory = VIT_DEVICE;
  EXPECT_EQ(call.run(session), VIT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(call.error.message).find("output 'hidden'"),
            std::string::npos);
  EXPECT_EQ(driver->kernelArguments.size(), 0u);
  failAt("cuPointerGetAttribute", 719);
  EXPECT_EQ(call.run(session), VIT_DEVICE_LOST);
}

TEST_F(CudaTensors, WrongKindsOfMemory) {
  SessionHandle session = open();
  Call call(3);
  call.inputs[0].memory = static_cast<vit_memory>(7);
  EXPECT_EQ(call.run(session), VIT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(call.error.message).find("'memory'"),
            std::string::npos);
  options.device = "cpu";
  Builder builder;
  Bytes cpuBytes = builder.write();
  ModuleHandle cpu = load(cpuBytes);
  SessionHandle onCpu = makeSession(cpu, &options);
  Call there(3);
  there.outputs[1].memory = VIT_DEVICE;
  EXPECT_EQ(there.run(onCpu), VIT_UNSUPPORTED);
  EXPECT_NE(std::string(there.error.message).find("output 'hidden'"),
            std::string::npos);
}

} // namespace
