//===- TestDriver.cpp - A CUDA driver for tests ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestDriver.h"

#include "devices/cuda/Functions.h"
#include "kernels.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

using namespace vit::runtime::cuda;
using Work = std::function<void()>;
using HostKernel = decltype(&kernelScale);

namespace vit::runtime::cuda {
struct ContextObject {};
struct ModuleObject {};
struct FunctionObject {
  HostKernel run;
  unsigned arguments;
  unsigned mostShared = 48 << 10; ///< bytes that a launch may ask for
};
struct StreamObject {};
struct GraphNodeObject {
  Work work;
  std::vector<GraphNode> dependencies;
  const FunctionObject *function = nullptr; ///< of a kernel
};
struct EventObject {
  bool isRecorded = false;
  bool hasTime = true;
  std::chrono::steady_clock::time_point time;
};
struct GraphObject {
  std::vector<std::unique_ptr<GraphNodeObject>> nodes;
};
struct GraphExecObject {
  GraphObject *graph;
  std::map<GraphNode, Work> work;
};
} // namespace vit::runtime::cuda

static vit::test::TestDriver driver;
/// The primary context of each device.
static ContextObject contexts[8];
static int retained = 0;
static thread_local std::vector<Context> pushed;
struct Allocation {
  size_t bytes;
  int device;
};
static std::map<DevicePointer, Allocation> allocations;
static std::map<std::string, int> calls;
/// The runtime's own kernel. What others have as batch and first unit are its
/// elements and pieces.
static void addPieces(void *const *arguments, int64_t elements, int64_t pieces,
                      int64_t, void *) {
  auto *result = static_cast<float *>(arguments[0]);
  const auto *sums = static_cast<const float *>(arguments[1]);
  const auto *piece = static_cast<const float *>(arguments[2]);
  for (int64_t i = 0; i < elements; ++i) {
    float sum = sums[i];
    for (int64_t p = 0; p < pieces; ++p)
      sum += piece[p * elements + i];
    result[i] = sum;
  }
}

static FunctionObject functions[] = {
    {kernelScale, 3},    {kernelLinear, 3},        {kernelAdd, 3},
    {kernelGradient, 4}, {kernelBatch, 1},         {kernelLoss, 4},
    {kernelCorrect, 3},  {kernelUpdate, 5},        {kernelAccumulate, 3},
    {addPieces, 3},      {kernelLossOfRounded, 5}, {kernelUpdateRounded, 6}};

extern "C" vit::test::TestDriver *vitTestDriver() { return &driver; }
/// Resets the settings and counters of tests, except for live objects.
extern "C" void vitTestDriverReset() {
  int live = driver.liveObjects;
  driver = {};
  driver.liveObjects = live;
  calls.clear();
}

extern "C" void vitTestDriverForgetCalls() { calls.clear(); }

/// Ranks are threads with the same driver.
static std::recursive_mutex mutex;

#define LOCK() std::lock_guard<std::recursive_mutex> lock(mutex)
static void require(bool condition, const char *what) {
  if (!condition && !driver.misuse)
    driver.misuse = what;
}

/// The failure that the test requested for this call, if any.
static Result enter(const char *name, bool inContext) {
  require(!inContext || (!pushed.empty() && retained > 0), name);
  if (std::strcmp(name, driver.failingFunction) != 0)
    return kSuccess;
  int call = calls[name]++ - driver.failAfter;
  return call >= 0 && call < driver.failTimes ? Result(driver.failure)
                                              : kSuccess;
}

#define ENTER_WHERE(inContext)                                                 \
  LOCK();                                                                      \
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
  LOCK();
  require(object != nullptr, "destroys nothing");
  delete object;
  --driver.liveObjects;
  return kSuccess;
}

/// The allocation that has the address; the end if there is none.
static auto findAllocation(DevicePointer pointer) {
  auto found = allocations.upper_bound(pointer);
  if (found == allocations.begin())
    return allocations.end();
  --found;
  return pointer < found->first + found->second.bytes ? found
                                                      : allocations.end();
}

/// `isCopied`: copies may go from a device to another one.
static void checkRange(DevicePointer begin, size_t bytes,
                       bool isCopied = false) {
  auto found = findAllocation(begin);
  require(found != allocations.end(), "address of nothing");
  if (found == allocations.end())
    return;
  require(begin + bytes <= found->first + found->second.bytes,
          "goes beyond its memory");
  require(isCopied || &contexts[found->second.device] == pushed.back(),
          "uses memory of another device");
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
Result cuDeviceGetUuid_v2(DeviceId *id, Device device) {
  ENTER_ANYWHERE();
  *id = {{0xab, 0xcd}};
  id->bytes[15] = static_cast<unsigned char>(device);
  return kSuccess;
}
Result cuDeviceTotalMem_v2(size_t *bytes, Device) {
  ENTER_ANYWHERE();
  *bytes = driver.memory;
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
Result cuDevicePrimaryCtxRetain(Context *context, Device device) {
  ENTER_ANYWHERE();
  ++retained;
  ++driver.liveObjects;
  *context = &contexts[device - 100];
  return kSuccess;
}
Result cuDevicePrimaryCtxRelease_v2(Device) {
  LOCK();
  require(retained > 0, "releases a context that was not retained");
  --retained;
  --driver.liveObjects;
  return kSuccess;
}
Result cuCtxPushCurrent_v2(Context context) {
  ENTER_ANYWHERE();
  require(context >= contexts && context < std::end(contexts),
          "pushes no context");
  pushed.push_back(context);
  return kSuccess;
}
Result cuCtxPopCurrent_v2(Context *context) {
  require(!pushed.empty(), "pops no context");
  *context = pushed.back();
  pushed.pop_back();
  return kSuccess;
}
Result cuModuleLoadDataEx(Module *module, const void *image, unsigned count,
                          JitOption *options, void **values) {
  LOCK();
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
  const char *names[] = {"rows_0",     "gemm_0",         "map_0",
                         "gradient_0", "batch_0",        "loss_0",
                         "correct_0",  "update_0",       "accumulate_0",
                         "add_pieces", "rounded_loss_0", "rounded_update_0"};
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
static size_t getLeft() {
  size_t used = 0;
  for (const auto &[pointer, allocation] : allocations)
    if (&contexts[allocation.device] == pushed.back())
      used += allocation.bytes;
  return driver.memory - std::min<size_t>(driver.memory, used);
}
Result cuMemGetInfo_v2(size_t *left, size_t *all) {
  ENTER();
  *left = getLeft();
  *all = driver.memory;
  return kSuccess;
}
Result cuMemAlloc_v2(DevicePointer *memory, size_t bytes) {
  ENTER();
  require(bytes > 0, "allocates nothing");
  if (bytes > getLeft())
    return kOutOfMemory;
  void *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(pointer, 0xa5, bytes); // A value that no test expects.
  *memory = reinterpret_cast<DevicePointer>(pointer);
  allocations[*memory] = {bytes, int(pushed.back() - contexts)};
  ++driver.liveObjects;
  return kSuccess;
}
Result cuMemFree_v2(DevicePointer memory) {
  LOCK();
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
  LOCK();
  std::free(memory);
  --driver.liveObjects;
  return kSuccess;
}
Result cuMemcpyHtoDAsync_v2(DevicePointer target, const void *source,
                            size_t bytes, Stream) {
  ENTER();
  checkRange(target, bytes);
  ++driver.uploads;
  std::memcpy(host(target), source, bytes);
  return kSuccess;
}
Result cuMemcpyDtoHAsync_v2(void *target, DevicePointer source, size_t bytes,
                            Stream) {
  ENTER();
  checkRange(source, bytes);
  std::memcpy(target, host(source), bytes);
  return kSuccess;
}
Result cuMemcpyDtoDAsync_v2(DevicePointer target, DevicePointer source,
                            size_t bytes, Stream) {
  ENTER();
  checkRange(target, bytes, true);
  checkRange(source, bytes, true);
  ++driver.copies;
  std::memmove(host(target), host(source), bytes);
  return kSuccess;
}
Result cuMemsetD8Async(DevicePointer target, unsigned char value, size_t bytes,
                       Stream) {
  ENTER();
  checkRange(target, bytes);
  std::memset(host(target), value, bytes);
  return kSuccess;
}
Result cuPointerGetAttribute(void *data, PointerAttribute attribute,
                             DevicePointer pointer) {
  ENTER();
  auto found = findAllocation(pointer);
  if (found == allocations.end())
    return kInvalidValue;
  int value =
      attribute == kPointerMemoryType ? kMemoryOfDevice : found->second.device;
  std::memcpy(data, &value, sizeof value);
  return kSuccess;
}
Result cuStreamCreate(Stream *stream, unsigned flags) {
  ENTER();
  require(flags == kStreamNonBlocking, "a stream in order with others");
  return make(stream);
}
Result cuStreamDestroy_v2(Stream stream) { return drop(stream); }
Result cuStreamQuery(Stream) {
  ENTER();
  return driver.notReady > 0 && driver.notReady-- ? kNotReady : kSuccess;
}
Result cuStreamWaitEvent(Stream stream, Event event, unsigned flags) {
  ENTER();
  require(stream && event && event->isRecorded && flags == 0,
          "waits for an event that is not recorded");
  ++driver.waits;
  return kSuccess;
}
Result cuStreamSynchronize(Stream) {
  ENTER();
  return kSuccess;
}

} // extern "C"

/// A launch, checked, whose parameters are copied.
static Work checkLaunch(const KernelNode &launch) {
  const FunctionObject &function = *launch.function;
  require(launch.gridX > 0 && launch.gridY == 1 && launch.gridZ == 1 &&
              launch.blockX == (function.run == addPieces ? 256 : 64) &&
              launch.blockY == 1 && launch.blockZ == 1 &&
              launch.shared <= function.mostShared && !launch.extra,
          "an impossible launch");
  driver.sharedBytes = std::max(driver.sharedBytes, int(launch.shared));
  driver.workgroups = std::max(driver.workgroups, int(launch.gridX));
  std::vector<void *> arguments;
  for (unsigned i = 0; i < function.arguments; ++i) {
    DevicePointer pointer;
    std::memcpy(&pointer, launch.parameters[i], sizeof pointer);
    require(pointer % 16 == 0, "an argument that is not aligned");
    checkRange(pointer, 4);
    arguments.push_back(host(pointer));
  }
  int32_t batch, first;
  std::memcpy(&batch, launch.parameters[function.arguments], 4);
  std::memcpy(&first, launch.parameters[function.arguments + 1], 4);
  unsigned units = launch.gridX;
  HostKernel run = function.run;
  return [=] {
    for (void *argument : arguments)
      driver.kernelArguments.insert(argument);
    float scratch[16];
    run(arguments.data(), batch, first, int64_t(first) + units, scratch);
  };
}

static Result addNode(GraphNode *node, Graph graph,
                      const GraphNode *dependencies, size_t count, Work work,
                      const FunctionObject *function = nullptr) {
  for (size_t i = 0; i < count; ++i)
    require(
        std::any_of(graph->nodes.begin(), graph->nodes.end(),
                    [&](const auto &n) { return n.get() == dependencies[i]; }),
        "depends on a node of another graph");
  auto made = std::make_unique<GraphNodeObject>();
  made->work = std::move(work);
  made->dependencies.assign(dependencies, dependencies + count);
  made->function = function;
  *node = made.get();
  graph->nodes.push_back(std::move(made));
  driver.edges += int(count);
  return kSuccess;
}

extern "C" {

Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY,
                      unsigned gridZ, unsigned blockX, unsigned blockY,
                      unsigned blockZ, unsigned shared, Stream,
                      void **parameters, void **extra) {
  ENTER();
  ++driver.kernelLaunches;
  checkLaunch({function, gridX, gridY, gridZ, blockX, blockY, blockZ, shared,
               parameters, extra})();
  return kSuccess;
}
Result cuGraphCreate(Graph *graph, unsigned flags) {
  ENTER();
  require(flags == 0, "a graph with flags");
  ++driver.graphs;
  return make(graph);
}
Result cuGraphAddKernelNode(GraphNode *node, Graph graph,
                            const GraphNode *dependencies, size_t count,
                            const KernelNode *launch) {
  ENTER();
  return addNode(node, graph, dependencies, count, checkLaunch(*launch),
                 launch->function);
}
Result cuGraphAddMemcpyNode(GraphNode *node, Graph graph,
                            const GraphNode *dependencies, size_t count,
                            const CopyNode *given, Context context) {
  ENTER();
  CopyNode copy = *given;
  auto isPlain = [](const CopyNode::Side &side) {
    return side.memoryType == kMemoryOfDevice && !side.x && !side.y &&
           !side.z && !side.level && !side.host && !side.array;
  };
  require(isPlain(copy.source) && isPlain(copy.target) && copy.height == 1 &&
              copy.depth == 1 && copy.bytes > 0 && context == pushed.back(),
          "an impossible copy");
  checkRange(copy.target.device, copy.bytes);
  checkRange(copy.source.device, copy.bytes);
  return addNode(node, graph, dependencies, count, [=] {
    std::memcpy(host(copy.target.device), host(copy.source.device), copy.bytes);
  });
}
Result cuTensorMapEncodeTiled(TensorMap *map, int type, uint32_t rank,
                              DevicePointer address, const uint64_t *extents,
                              const uint64_t *strides, const uint32_t *box,
                              const uint32_t *elementStrides, int interleave,
                              int swizzle, int, int fill) {
  ENTER();
  require(reinterpret_cast<uintptr_t>(map) % 64 == 0 && type == 1 &&
              (rank == 2 || (rank == 3 && box[2] == 1)) && address % 16 == 0 &&
              strides[0] == 2 * extents[0] && box[0] == 64 &&
              elementStrides[0] == 1 && elementStrides[1] == 1 && !interleave &&
              swizzle == 3 && !fill,
          "an impossible tensor map");
  driver.mapMatrices = rank == 3 ? extents[2] : 1;
  checkRange(address, extents[1] * strides[0] * driver.mapMatrices);
  ++driver.mapsEncoded;
  driver.mapColumns = extents[0];
  driver.mapRows = extents[1];
  driver.mapBoxRows = box[1];
  return kSuccess;
}
Result cuGraphAddMemsetNode(GraphNode *node, Graph graph,
                            const GraphNode *dependencies, size_t count,
                            const FillNode *given, Context context) {
  ENTER();
  FillNode fill = *given;
  require(fill.elementBytes == 1 && fill.rows == 1 && fill.elements > 0 &&
              context == pushed.back(),
          "an impossible fill");
  checkRange(fill.target, fill.elements);
  return addNode(node, graph, dependencies, count, [=] {
    std::memset(host(fill.target), int(fill.value), fill.elements);
  });
}
Result cuGraphInstantiateWithFlags(GraphExec *executable, Graph graph,
                                   uint64_t flags) {
  ENTER();
  require(flags == 0, "a graph with flags");
  make(executable);
  (*executable)->graph = graph;
  for (const auto &node : graph->nodes)
    (*executable)->work[node.get()] = node->work;
  return kSuccess;
}
Result cuGraphExecKernelNodeSetParams(GraphExec executable, GraphNode node,
                                      const KernelNode *launch) {
  ENTER();
  auto found = executable->work.find(node);
  require(found != executable->work.end() && node->function == launch->function,
          "changes a node that is not in the graph");
  found->second = checkLaunch(*launch);
  ++driver.changedNodes;
  return kSuccess;
}
/// Runs what is ready, the latest first, so that a dependency that is missing
/// gives wrong results.
Result cuGraphLaunch(GraphExec executable, Stream) {
  ENTER();
  ++driver.graphLaunches;
  const auto &nodes = executable->graph->nodes;
  std::set<GraphNode> done;
  auto isReady = [&](const auto &node) {
    return !done.count(node.get()) &&
           std::all_of(node->dependencies.begin(), node->dependencies.end(),
                       [&](GraphNode before) { return done.count(before); });
  };
  while (done.size() < nodes.size()) {
    auto next = std::find_if(nodes.rbegin(), nodes.rend(), isReady);
    executable->work.at(next->get())();
    done.insert(next->get());
  }
  return kSuccess;
}
Result cuGraphExecDestroy(GraphExec executable) { return drop(executable); }
Result cuGraphDestroy(Graph graph) { return drop(graph); }
Result cuEventCreate(Event *event, unsigned flags) {
  ENTER();
  require(flags == 0 || flags == kEventWithoutTime, "an event with flags");
  make(event);
  (*event)->hasTime = flags == 0;
  return kSuccess;
}
Result cuEventDestroy_v2(Event event) { return drop(event); }
Result cuEventRecord(Event event, Stream) {
  ENTER();
  event->time = std::chrono::steady_clock::now();
  event->isRecorded = true;
  return kSuccess;
}
Result cuEventSynchronize(Event) {
  ENTER();
  return kSuccess;
}
Result cuEventElapsedTime(float *milliseconds, Event begin, Event end) {
  ENTER();
  require(begin->isRecorded && end->isRecorded && begin->hasTime &&
              end->hasTime,
          "the time of an event without one");
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return kSuccess;
}

} // extern "C"
