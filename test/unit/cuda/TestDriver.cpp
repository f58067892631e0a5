//===- TestDriver.cpp - A CUDA driver for tests ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestDriver.h"

#include "devices/cuda/Functions.h"
#include "kernels.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

using namespace vit::runtime::cuda;
using Work = std::vector<std::function<void()>>;
using HostKernel = decltype(&kernelScale);

namespace vit::runtime::cuda {
struct ContextObject {};
struct ModuleObject {};
struct FunctionObject {
  HostKernel run;
  unsigned arguments;
  unsigned mostShared = 48 << 10; ///< bytes that a launch may ask for
};
struct StreamObject {
  bool isCapturing = false;
  Work captured;
};
struct EventObject {
  std::chrono::steady_clock::time_point time;
};
struct GraphObject {
  Work work;
};
struct GraphExecObject {
  Work work;
};
} // namespace vit::runtime::cuda

static vit::test::TestDriver driver;
static ContextObject primary;
static int retained = 0;
static thread_local int pushed = 0;
static std::map<DevicePointer, size_t> allocations;
static std::map<std::string, int> calls;
static FunctionObject functions[] = {
    {kernelScale, 3},    {kernelLinear, 3}, {kernelAdd, 3},
    {kernelGradient, 4}, {kernelBatch, 1},  {kernelLoss, 4},
    {kernelCorrect, 3},  {kernelUpdate, 5}, {kernelAccumulate, 3}};

extern "C" vit::test::TestDriver *vitTestDriver() { return &driver; }
/// Resets the settings and counters of tests, except for live objects.
extern "C" void vitTestDriverReset() {
  int live = driver.liveObjects;
  driver = {};
  driver.liveObjects = live;
  calls.clear();
}

extern "C" void vitTestDriverForgetCalls() { calls.clear(); }

static void require(bool condition, const char *what) {
  if (!condition && !driver.misuse)
    driver.misuse = what;
}

/// The failure that the test requested for this call, if any.
static Result enter(const char *name, bool inContext) {
  require(!inContext || (pushed > 0 && retained > 0), name);
  if (std::strcmp(name, driver.failingFunction) != 0)
    return kSuccess;
  int call = calls[name]++ - driver.failAfter;
  return call >= 0 && call < driver.failTimes ? Result(driver.failure)
                                              : kSuccess;
}

#define ENTER_WHERE(inContext)                                                 \
  if (Result result = enter(__func__, inContext))                              \
  return result
#define ENTER() ENTER_WHERE(true)
#define ENTER_ANYWHERE() ENTER_WHERE(false)

template <typename T> static Result make(T **object) {
  *object = new T();
  ++driver.liveObjects;
  return kSuccess;
}

template <typename T> static Result drop(T *object) {
  require(object != nullptr, "destroys nothing");
  delete object;
  --driver.liveObjects;
  return kSuccess;
}

static void checkRange(DevicePointer begin, size_t bytes) {
  auto after = allocations.upper_bound(begin);
  require(after != allocations.begin(), "address of nothing");
  if (after == allocations.begin())
    return;
  --after;
  require(begin + bytes <= after->first + after->second,
          "goes beyond its memory");
}

static void submit(Stream stream, std::function<void()> work) {
  if (stream->isCapturing)
    stream->captured.push_back(std::move(work));
  else
    work();
}

static void *host(DevicePointer pointer) {
  return reinterpret_cast<void *>(pointer);
}

extern "C" {

Result cuInit(unsigned flags) {
  ENTER_ANYWHERE();
  require(flags == 0, "cuInit with flags");
  return driver.deviceCount == 0 ? kNoDevice : kSuccess;
}
Result cuDriverGetVersion(int *version) {
  ENTER_ANYWHERE();
  *version = driver.version;
  return kSuccess;
}
Result cuGetErrorName(Result error, const char **name) {
  *name = error == kOutOfMemory      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == kLaunchFailed   ? "CUDA_ERROR_LAUNCH_FAILED"
          : error == kInvalidPtx     ? "CUDA_ERROR_INVALID_PTX"
          : error == kNotInitialized ? "CUDA_ERROR_NOT_INITIALIZED"
                                     : nullptr;
  return *name ? kSuccess : Result(1);
}
Result cuGetErrorString(Result error, const char **text) {
  *text = error == kLaunchFailed ? "unspecified launch failure" : nullptr;
  return *text ? kSuccess : Result(1);
}
Result cuDeviceGetCount(int *count) {
  ENTER_ANYWHERE();
  *count = driver.deviceCount;
  return kSuccess;
}
Result cuDeviceGet(Device *device, int ordinal) {
  ENTER_ANYWHERE();
  *device = 100 + ordinal;
  return ordinal < driver.deviceCount ? kSuccess : Result(101);
}
Result cuDeviceGetName(char *name, int size, Device device) {
  ENTER_ANYWHERE();
  std::strncpy(name, device == 100 ? "Test GPU" : "Other GPU", size_t(size));
  return kSuccess;
}
Result cuDeviceTotalMem_v2(size_t *bytes, Device) {
  ENTER_ANYWHERE();
  *bytes = size_t(1) << 33;
  return kSuccess;
}
Result cuDeviceGetAttribute(int *value, DeviceAttribute attribute, Device) {
  ENTER_ANYWHERE();
  switch (attribute) {
  case kMaxThreadsPerBlock:
    *value = 1024;
    break;
  case kMaxSharedMemoryPerBlock:
    *value = 48 << 10;
    break;
  case kMaxSharedMemoryPerBlockOptin:
    *value = driver.mostShared;
    break;
  case kMultiprocessorCount:
    *value = 7;
    break;
  case kComputeCapabilityMajor:
    *value = driver.capability / 10;
    break;
  case kComputeCapabilityMinor:
    *value = driver.capability % 10;
    break;
  }
  return kSuccess;
}
Result cuDevicePrimaryCtxRetain(Context *context, Device) {
  ENTER_ANYWHERE();
  ++retained;
  ++driver.liveObjects;
  *context = &primary;
  return kSuccess;
}
Result cuDevicePrimaryCtxRelease_v2(Device) {
  require(retained > 0, "releases a context that was not retained");
  --retained;
  --driver.liveObjects;
  return kSuccess;
}
Result cuCtxPushCurrent_v2(Context context) {
  ENTER_ANYWHERE();
  require(context == &primary, "pushes no context");
  ++pushed;
  return kSuccess;
}
Result cuCtxPopCurrent_v2(Context *context) {
  require(pushed > 0, "pops no context");
  --pushed;
  *context = &primary;
  return kSuccess;
}
Result cuModuleLoadDataEx(Module *module, const void *image, unsigned count,
                          JitOption *options, void **values) {
  bool isCubin = std::memcmp(image,
                             "\x7f"
                             "ELF",
                             4) == 0;
  if (Result result = enter(__func__, true)) {
    for (unsigned i = 0; i < count; ++i)
      if (options[i] == kJitErrorLogBuffer)
        std::strcpy(static_cast<char *>(values[i]), driver.log);
    return result;
  }
  ++(isCubin ? driver.cubinsLoaded : driver.ptxLoaded);
  return make(module);
}
Result cuModuleUnload(Module module) { return drop(module); }
Result cuModuleGetFunction(Function *function, Module, const char *name) {
  ENTER();
  const char *names[] = {"rows_0",     "gemm_0",   "map_0",
                         "gradient_0", "batch_0",  "loss_0",
                         "correct_0",  "update_0", "accumulate_0"};
  for (size_t i = 0; i < std::size(names); ++i)
    if (std::strcmp(name, names[i]) == 0) {
      *function = &functions[i];
      return kSuccess;
    }
  return kNotFound;
}
Result cuFuncSetAttribute(Function function, FunctionAttribute attribute,
                          int value) {
  ENTER();
  require(attribute == kMaxDynamicSharedSizeBytes && value <= driver.mostShared,
          "an impossible attribute");
  function->mostShared = unsigned(value);
  return kSuccess;
}
Result cuMemAlloc_v2(DevicePointer *memory, size_t bytes) {
  ENTER();
  require(bytes > 0, "allocates nothing");
  void *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(pointer, 0xa5, bytes); // A value that no test expects.
  *memory = reinterpret_cast<DevicePointer>(pointer);
  allocations[*memory] = bytes;
  ++driver.liveObjects;
  return kSuccess;
}
Result cuMemFree_v2(DevicePointer memory) {
  require(allocations.erase(memory) == 1, "frees what is no memory");
  std::free(host(memory));
  --driver.liveObjects;
  return kSuccess;
}
Result cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
  ENTER();
  require(flags == 0, "pinned memory of another kind");
  *memory = std::malloc(bytes);
  ++driver.liveObjects;
  return kSuccess;
}
Result cuMemFreeHost(void *memory) {
  std::free(memory);
  --driver.liveObjects;
  return kSuccess;
}
Result cuMemcpyHtoDAsync_v2(DevicePointer target, const void *source,
                            size_t bytes, Stream stream) {
  ENTER();
  require(!stream->isCapturing, "captures an upload");
  checkRange(target, bytes);
  ++driver.uploads;
  std::memcpy(host(target), source, bytes);
  return kSuccess;
}
Result cuMemcpyDtoHAsync_v2(void *target, DevicePointer source, size_t bytes,
                            Stream stream) {
  ENTER();
  require(!stream->isCapturing, "captures a download");
  checkRange(source, bytes);
  std::memcpy(target, host(source), bytes);
  return kSuccess;
}
Result cuMemcpyDtoDAsync_v2(DevicePointer target, DevicePointer source,
                            size_t bytes, Stream stream) {
  ENTER();
  checkRange(target, bytes);
  checkRange(source, bytes);
  submit(stream, [=] { std::memcpy(host(target), host(source), bytes); });
  return kSuccess;
}
Result cuMemsetD8Async(DevicePointer target, unsigned char value, size_t bytes,
                       Stream stream) {
  ENTER();
  checkRange(target, bytes);
  submit(stream, [=] { std::memset(host(target), value, bytes); });
  return kSuccess;
}
Result cuStreamCreate(Stream *stream, unsigned flags) {
  ENTER();
  require(flags == kStreamNonBlocking, "a stream in order with others");
  return make(stream);
}
Result cuStreamDestroy_v2(Stream stream) { return drop(stream); }
Result cuStreamSynchronize(Stream stream) {
  ENTER();
  require(!stream->isCapturing, "waits for a captured stream");
  return kSuccess;
}
Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY,
                      unsigned gridZ, unsigned blockX, unsigned blockY,
                      unsigned blockZ, unsigned shared, Stream stream,
                      void **parameters, void **extra) {
  ENTER();
  require(gridX > 0 && gridY == 1 && gridZ == 1 && blockX == 64 &&
              blockY == 1 && blockZ == 1 && shared <= function->mostShared &&
              !extra,
          "an impossible launch");
  driver.sharedBytes = std::max(driver.sharedBytes, int(shared));
  std::vector<void *> arguments;
  for (unsigned i = 0; i < function->arguments; ++i) {
    DevicePointer pointer;
    std::memcpy(&pointer, parameters[i], sizeof pointer);
    require(pointer % 16 == 0, "an argument that is not aligned");
    checkRange(pointer, 4);
    arguments.push_back(host(pointer));
  }
  int32_t batch, first;
  std::memcpy(&batch, parameters[function->arguments], 4);
  std::memcpy(&first, parameters[function->arguments + 1], 4);
  driver.kernelLaunches += !stream->isCapturing;
  submit(stream, [=] {
    float scratch[16];
    function->run(arguments.data(), batch, first, int64_t(first) + gridX,
                  scratch);
  });
  return kSuccess;
}
Result cuStreamBeginCapture_v2(Stream stream, int mode) {
  ENTER();
  require(mode == kCaptureModeRelaxed, "captures in another mode");
  stream->isCapturing = true;
  return kSuccess;
}
Result cuStreamEndCapture(Stream stream, Graph *graph) {
  require(stream->isCapturing, "ends no capture");
  stream->isCapturing = false;
  Work work = std::move(stream->captured);
  stream->captured.clear();
  ENTER();
  make(graph);
  (*graph)->work = std::move(work);
  ++driver.captures;
  return kSuccess;
}
Result cuGraphInstantiateWithFlags(GraphExec *executable, Graph graph,
                                   uint64_t flags) {
  ENTER();
  require(flags == 0, "a graph with flags");
  make(executable);
  (*executable)->work = graph->work;
  return kSuccess;
}
Result cuGraphLaunch(GraphExec executable, Stream stream) {
  ENTER();
  require(!stream->isCapturing, "launches into a captured stream");
  ++driver.graphLaunches;
  for (const auto &work : executable->work)
    work();
  return kSuccess;
}
Result cuGraphExecDestroy(GraphExec executable) { return drop(executable); }
Result cuGraphDestroy(Graph graph) { return drop(graph); }
Result cuEventCreate(Event *event, unsigned flags) {
  ENTER();
  require(flags == 0, "an event with flags");
  return make(event);
}
Result cuEventDestroy_v2(Event event) { return drop(event); }
Result cuEventRecord(Event event, Stream stream) {
  ENTER();
  require(!stream->isCapturing, "records an event in a capture");
  event->time = std::chrono::steady_clock::now();
  return kSuccess;
}
Result cuEventSynchronize(Event) {
  ENTER();
  return kSuccess;
}
Result cuEventElapsedTime(float *milliseconds, Event begin, Event end) {
  ENTER();
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return kSuccess;
}

} // extern "C"
