//===- Functions.h - What is used of the CUDA driver ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The driver's interface is stable. This header declares the small part that is
// used, so that no CUDA toolkit is needed. Names and numbers are those of the
// driver API's reference manual; the symbols, with their versions, are exported
// by every driver from `kOldestDriver` on.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_FUNCTIONS_H
#define VIT_RUNTIME_DEVICES_CUDA_FUNCTIONS_H

#include <cstddef>
#include <cstdint>

namespace vit::runtime::cuda {

/// 1000 * major + 10 * minor of the first CUDA whose driver exports all below.
inline constexpr int kOldestDriver = 11040;

using Device = int;
using DevicePointer = uint64_t;
using Context = struct ContextObject *;
using Module = struct ModuleObject *;
using Function = struct FunctionObject *;
using Stream = struct StreamObject *;
using Event = struct EventObject *;
using Graph = struct GraphObject *;
using GraphExec = struct GraphExecObject *;
using GraphNode = struct GraphNodeObject *;

/// The values of CUresult that are distinguished here.
enum Result : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kDeinitialized = 4,
  kStubLibrary = 34,
  kInsufficientDriver = 35,
  kDeviceUnavailable = 46,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kNoBinaryForGpu = 209,
  kEccUncorrectable = 214,
  kInvalidPtx = 218,
  kJitCompilerNotFound = 221,
  kUnsupportedPtxVersion = 222,
  kOperatingSystem = 304,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kLaunchTimeout = 702,
  kContextIsDestroyed = 709,
  kAssert = 710,
  kHardwareStackError = 714,
  kIllegalInstruction = 715,
  kMisalignedAddress = 716,
  kInvalidAddressSpace = 717,
  kInvalidPc = 718,
  kLaunchFailed = 719,
  kSystemNotReady = 802,
  kSystemDriverMismatch = 803,
  kCompatNotSupportedOnDevice = 804,
  kUnknown = 999,
};

/// CUdevice_attribute
enum DeviceAttribute : int {
  kMaxThreadsPerBlock = 1,
  kMaxSharedMemoryPerBlock = 8,
  kMultiprocessorCount = 16,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kMaxSharedMemoryPerBlockOptin = 97,
};

/// CUfunction_attribute
enum FunctionAttribute : int {
  kMaxDynamicSharedSizeBytes = 8,
};

/// CUjit_option
enum JitOption : int {
  kJitErrorLogBuffer = 5,
  kJitErrorLogBufferSizeBytes = 6,
};

/// CU_STREAM_NON_BLOCKING: not ordered with the application's default stream.
inline constexpr unsigned kStreamNonBlocking = 1;

/// CU_EVENT_DISABLE_TIMING
inline constexpr unsigned kEventWithoutTime = 2;

/// CUuuid
struct DeviceId {
  unsigned char bytes[16];
};

/// CUpointer_attribute
enum PointerAttribute : int {
  kPointerMemoryType = 2,
  kPointerDeviceOrdinal = 9,
};

/// CU_MEMORYTYPE_DEVICE
inline constexpr int kMemoryOfDevice = 2;

/// CUDA_KERNEL_NODE_PARAMS_v1
struct KernelNode {
  Function function;
  unsigned gridX, gridY, gridZ;
  unsigned blockX, blockY, blockZ;
  unsigned shared; ///< bytes that the launch asks for
  void **parameters;
  void **extra;
};

/// CUDA_MEMCPY3D_v2
struct CopyNode {
  struct Side {
    size_t x, y, z, level;
    int memoryType;
    void *host;
    DevicePointer device;
    void *array, *reserved;
    size_t pitch, height;
  };
  Side source, target;
  size_t bytes, height, depth;
};

/// CUDA_MEMSET_NODE_PARAMS_v1
struct FillNode {
  DevicePointer target;
  size_t pitch;
  unsigned value, elementBytes;
  size_t elements, rows;
};

/// X(name, parameters)
#define VIT_CUDA_FUNCTIONS(X)                                                  \
  X(cuInit, (unsigned flags))                                                  \
  X(cuDriverGetVersion, (int *version))                                        \
  X(cuGetErrorName, (Result error, const char **name))                         \
  X(cuGetErrorString, (Result error, const char **text))                       \
  X(cuDeviceGetCount, (int *count))                                            \
  X(cuDeviceGet, (Device * device, int ordinal))                               \
  X(cuDeviceGetName, (char *name, int size, Device device))                    \
  X(cuDeviceTotalMem_v2, (size_t *bytes, Device device))                       \
  X(cuDeviceGetUuid_v2, (DeviceId * id, Device device))                        \
  X(cuDeviceGetAttribute,                                                      \
    (int *value, DeviceAttribute attribute, Device device))                    \
  X(cuDevicePrimaryCtxRetain, (Context * context, Device device))              \
  X(cuDevicePrimaryCtxRelease_v2, (Device device))                             \
  X(cuCtxPushCurrent_v2, (Context context))                                    \
  X(cuCtxPopCurrent_v2, (Context * context))                                   \
  X(cuModuleLoadDataEx, (Module * module, const void *image, unsigned count,   \
                         JitOption *options, void **values))                   \
  X(cuModuleUnload, (Module module))                                           \
  X(cuModuleGetFunction,                                                       \
    (Function * function, Module module, const char *name))                    \
  X(cuFuncSetAttribute,                                                        \
    (Function function, FunctionAttribute attribute, int value))               \
  X(cuMemGetInfo_v2, (size_t *left, size_t *all))                              \
  X(cuMemAlloc_v2, (DevicePointer * memory, size_t bytes))                     \
  X(cuMemFree_v2, (DevicePointer memory))                                      \
  X(cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags))             \
  X(cuMemFreeHost, (void *memory))                                             \
  X(cuMemcpyHtoDAsync_v2,                                                      \
    (DevicePointer target, const void *source, size_t bytes, Stream stream))   \
  X(cuMemcpyDtoHAsync_v2,                                                      \
    (void *target, DevicePointer source, size_t bytes, Stream stream))         \
  X(cuMemcpyDtoDAsync_v2,                                                      \
    (DevicePointer target, DevicePointer source, size_t bytes, Stream stream)) \
  X(cuMemsetD8Async,                                                           \
    (DevicePointer target, unsigned char value, size_t bytes, Stream stream))  \
  X(cuStreamCreate, (Stream * stream, unsigned flags))                         \
  X(cuStreamDestroy_v2, (Stream stream))                                       \
  X(cuStreamSynchronize, (Stream stream))                                      \
  X(cuStreamQuery, (Stream stream))                                            \
  X(cuStreamWaitEvent, (Stream stream, Event event, unsigned flags))           \
  X(cuLaunchKernel,                                                            \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ,        \
     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned shared,       \
     Stream stream, void **parameters, void **extra))                          \
  X(cuPointerGetAttribute,                                                     \
    (void *data, PointerAttribute attribute, DevicePointer pointer))           \
  X(cuGraphCreate, (Graph * graph, unsigned flags))                            \
  X(cuGraphAddKernelNode,                                                      \
    (GraphNode * node, Graph graph, const GraphNode *dependencies,             \
     size_t count, const KernelNode *parameters))                              \
  X(cuGraphAddMemcpyNode,                                                      \
    (GraphNode * node, Graph graph, const GraphNode *dependencies,             \
     size_t count, const CopyNode *parameters, Context context))               \
  X(cuGraphAddMemsetNode,                                                      \
    (GraphNode * node, Graph graph, const GraphNode *dependencies,             \
     size_t count, const FillNode *parameters, Context context))               \
  X(cuGraphExecKernelNodeSetParams,                                            \
    (GraphExec executable, GraphNode node, const KernelNode *parameters))      \
  X(cuGraphInstantiateWithFlags,                                               \
    (GraphExec * executable, Graph graph, uint64_t flags))                     \
  X(cuGraphLaunch, (GraphExec executable, Stream stream))                      \
  X(cuGraphExecDestroy, (GraphExec executable))                                \
  X(cuGraphDestroy, (Graph graph))                                             \
  X(cuEventCreate, (Event * event, unsigned flags))                            \
  X(cuEventDestroy_v2, (Event event))                                          \
  X(cuEventRecord, (Event event, Stream stream))                               \
  X(cuEventSynchronize, (Event event))                                         \
  X(cuEventElapsedTime, (float *milliseconds, Event begin, Event end))

/// Of a CUtensorMap.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};
/// CU_TENSOR_MAP_DATA_TYPE_UINT16: f16 or bf16, whose bits are copied.
inline constexpr int kTensorMap16Bits = 1;
/// Columns of a box: those of 16 bits that take 128 bytes.
inline constexpr uint32_t kTensorMapColumns = 64;
/// CU_TENSOR_MAP_SWIZZLE_128B
inline constexpr int kTensorMapSwizzle128 = 3;
/// CU_TENSOR_MAP_L2_PROMOTION_L2_256B
inline constexpr int kTensorMapPromotion256 = 3;

/// The functions that drivers from CUDA 12.0 on export; NULL in others. They
/// serve levels with such an `oldestDriver`.
#define VIT_CUDA_NEWER_FUNCTIONS(X)                                            \
  X(cuTensorMapEncodeTiled,                                                    \
    (TensorMap * map, int type, uint32_t rank, DevicePointer address,          \
     const uint64_t *extents, const uint64_t *strides, const uint32_t *box,    \
     const uint32_t *elementStrides, int interleave, int swizzle,              \
     int promotion, int fill))

/// The driver's functions; NULL before it is opened.
struct Functions {
#define VIT_CUDA_POINTER(name, parameters) Result(*name) parameters = nullptr;
  VIT_CUDA_FUNCTIONS(VIT_CUDA_POINTER)
  VIT_CUDA_NEWER_FUNCTIONS(VIT_CUDA_POINTER)
#undef VIT_CUDA_POINTER
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_FUNCTIONS_H
