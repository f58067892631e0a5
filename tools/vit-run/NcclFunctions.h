//===- NcclFunctions.h - What is used of NCCL -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declares the part of NCCL's stable C interface that is used, so that its
// header is not needed. Names and numbers are those of "NCCL API" in NVIDIA's
// NCCL documentation.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_NCCLFUNCTIONS_H
#define VIT_TOOLS_NCCLFUNCTIONS_H

#include <cstddef>

namespace vit::tools::nccl {

/// 10000 * major + 100 * minor + patch of the first version with all below:
/// communicators whose calls do not block.
inline constexpr int kOldestVersion = 21400;

/// ncclResult_t
enum Result : int {
  kSuccess = 0,
  kInvalidArgument = 4,
  kInvalidUsage = 5,
  kRemoteError = 6,
  kInProgress = 7,
};

/// ncclFloat32 of ncclDataType_t, ncclSum of ncclRedOp_t
inline constexpr int kFloat32 = 7, kSum = 0;

using Comm = struct CommObject *;
using Stream = void *; ///< a CUstream

/// ncclUniqueId
struct UniqueId {
  char bytes[128];
};

/// The members that ncclConfig_t has since version 2.14; later versions take
/// their defaults for the others.
struct Config {
  size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = kOldestVersion;
  int blocking = 0;
};

/// X(name, parameters)
#define VIT_NCCL_FUNCTIONS(X)                                                  \
  X(ncclGetVersion, (int *version))                                            \
  X(ncclGetUniqueId, (UniqueId * id))                                          \
  X(ncclCommInitRankConfig,                                                    \
    (Comm * comm, int ranks, UniqueId id, int rank, Config *config))           \
  X(ncclCommFinalize, (Comm comm))                                             \
  X(ncclCommDestroy, (Comm comm))                                              \
  X(ncclCommAbort, (Comm comm))                                                \
  X(ncclCommGetAsyncError, (Comm comm, Result * error))                        \
  X(ncclGroupStart, ())                                                        \
  X(ncclGroupEnd, ())                                                          \
  X(ncclSend, (const void *data, size_t count, int type, int rank, Comm comm,  \
               Stream stream))                                                 \
  X(ncclRecv,                                                                  \
    (void *data, size_t count, int type, int rank, Comm comm, Stream stream))  \
  X(ncclBroadcast, (const void *send, void *receive, size_t count, int type,   \
                    int root, Comm comm, Stream stream))                       \
  X(ncclAllReduce, (const void *send, void *receive, size_t count, int type,   \
                    int operation, Comm comm, Stream stream))

struct Functions {
#define VIT_NCCL_POINTER(name, parameters) Result(*name) parameters = nullptr;
  VIT_NCCL_FUNCTIONS(VIT_NCCL_POINTER)
#undef VIT_NCCL_POINTER
  const char *(*ncclGetErrorString)(Result result) = nullptr;
  const char *(*ncclGetLastError)(Comm comm) = nullptr;
};

} // namespace vit::tools::nccl

#endif // VIT_TOOLS_NCCLFUNCTIONS_H
