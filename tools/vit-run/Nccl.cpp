//===- Nccl.cpp - Gradients from GPU to GPU -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Nccl.h"

#include "Support.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <new>
#include <unistd.h>
#include <vector>

namespace vit::tools {

using nccl::kFloat32;
using nccl::Result;

/// How long ranks may take to connect their GPUs: NCCL looks for networks and
/// measures none of them, but many ranks take their time.
static constexpr double kConnectSeconds = 300;

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

bool NcclLibrary::open(std::string &fault) {
  const char *path = std::getenv("VIT_NCCL_LIBRARY");
  if (path && !*path) {
    fault = "VIT_NCCL_LIBRARY is empty";
    return false;
  }
  void *opened = dlopen(path ? path : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!opened) {
    fault = std::string("there is no NCCL: ") + dlerror();
    return false;
  }
  const char *missing = nullptr;
#define VIT_NCCL_LOAD(name, parameters)                                        \
  name = reinterpret_cast<decltype(name)>(dlsym(opened, #name));               \
  if (!name && !missing)                                                       \
    missing = #name;
  VIT_NCCL_FUNCTIONS(VIT_NCCL_LOAD)
  VIT_NCCL_LOAD(ncclGetErrorString, )
  VIT_NCCL_LOAD(ncclGetLastError, )
#undef VIT_NCCL_LOAD
  if (!missing && ncclGetVersion(&version) == nccl::kSuccess &&
      version >= nccl::kOldestVersion)
    return true;
  fault = "NCCL " + (version ? versionText() : std::string("of this machine")) +
          " is too old" +
          (missing ? std::string(", it has no ") + missing : std::string()) +
          ": 2.14 or newer is needed";
  return false;
}

std::string NcclLibrary::versionText() const {
  return std::to_string(version / 10000) + "." +
         std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

static vit_status fail(vit_error *error, vit_status status, const char *text) {
  std::snprintf(error->message, sizeof(error->message), "%s", text);
  return status;
}

vit_status Nccl::checkResult(Result result, const char *what,
                             vit_error *error) {
  if (result == nccl::kSuccess)
    return VIT_OK;
  const char *last = library.ncclGetLastError(comm);
  std::string text = std::string("NCCL could not ") + what + ": " +
                     library.ncclGetErrorString(result) +
                     (last && *last ? std::string(" (") + last + ")" : "") +
                     "; NCCL_DEBUG=INFO says more, VIT_NCCL_LIBRARY= sends "
                     "gradients through the host";
  return fail(error, VIT_IO_ERROR, text.c_str());
}

static vit_status tooLong(const char *what, double seconds, vit_error *error) {
  char text[sizeof(error->message)];
  std::snprintf(text, sizeof(text),
                "NCCL did not %s within %.0f seconds: see NCCL_SOCKET_IFNAME "
                "and NCCL_DEBUG=INFO, or send gradients through the host "
                "(VIT_NCCL_LIBRARY=)",
                what, seconds);
  return fail(error, VIT_IO_ERROR, text);
}

/// Waits until what a function began, with this result, is submitted.
vit_status Nccl::finish(Result result, const char *what, double seconds,
                        vit_error *error) {
  for (double began = now(); result == nccl::kInProgress; usleep(20)) {
    if (vit_status status = hostCheck ? hostCheck(error) : VIT_OK)
      return status;
    if (now() - began > seconds)
      return tooLong(what, seconds, error);
    if (Result failed = library.ncclCommGetAsyncError(comm, &result))
      result = failed;
  }
  return checkResult(result, what, error);
}

vit_status Nccl::wait(vit_error *error) {
  if (vit_status status = hostCheck ? hostCheck(error) : VIT_OK)
    return status;
  if (waitsSince < 0)
    waitsSince = now();
  if (now() - waitsSince > timeout)
    return tooLong("exchange gradients", timeout, error);
  Result result = nccl::kSuccess;
  if (Result failed = library.ncclCommGetAsyncError(comm, &result))
    result = failed;
  return result == nccl::kInProgress
             ? VIT_OK
             : checkResult(result, "exchange gradients", error);
}

//===----------------------------------------------------------------------===//
// Opening and closing
//===----------------------------------------------------------------------===//

/// Calls `function` without letting an exception out: callers are C.
template <typename Function>
static vit_status guard(void *self, vit_error *error, Function function) {
  try {
    return function(*static_cast<Nccl *>(self));
  } catch (const std::bad_alloc &) {
    return fail(error, VIT_OUT_OF_MEMORY, "not enough memory");
  }
}

Nccl::Nccl(const NcclLibrary &library, const vit_collective &host, Check check,
           double timeout)
    : library(library), host(host), hostCheck(std::move(check)),
      timeout(timeout) {
  functions.struct_size = sizeof(functions);
  functions.context = this;
  functions.open = [](void *self, vit_error *error) {
    return guard(self, error, [&](Nccl &own) { return own.open(error); });
  };
  functions.exchange = [](void *self, const void *send, const size_t *sizes,
                          void *receive, void *stream, vit_error *error) {
    return guard(self, error, [&](Nccl &own) {
      return own.exchange(static_cast<const char *>(send), sizes,
                          static_cast<char *>(receive), stream, error);
    });
  };
  functions.all_gather = [](void *self, void *data, const size_t *sizes,
                            void *stream, vit_error *error) {
    return guard(self, error, [&](Nccl &own) {
      return own.allGather(static_cast<char *>(data), sizes, stream, error);
    });
  };
  functions.all_reduce = [](void *self, float *data, size_t count, void *stream,
                            vit_error *error) {
    return guard(self, error, [&](Nccl &own) {
      return own.allReduce(data, count, stream, error);
    });
  };
  functions.check = [](void *self, vit_error *error) {
    return guard(self, error, [&](Nccl &own) { return own.wait(error); });
  };
  functions.close = [](void *self, int32_t hasFailed) {
    vit_error ignored;
    guard(self, &ignored, [&](Nccl &own) {
      own.close(hasFailed != 0);
      return VIT_OK;
    });
  };
}

/// Gives all ranks the identity that rank 0 makes.
vit_status Nccl::shareIdentity(nccl::UniqueId &id, vit_error *error) {
  struct Shared {
    int32_t result;
    nccl::UniqueId id;
  } shared = {};
  static_assert(sizeof(Shared) % sizeof(float) == 0);
  if (host.rank == 0)
    shared.result = library.ncclGetUniqueId(&shared.id);
  std::vector<size_t> sizes(host.ranks, 0);
  sizes[0] = sizeof(shared);
  if (vit_status status =
          host.all_gather(host.context, &shared, sizes.data(), error))
    return status;
  id = shared.id;
  return checkResult(Result(shared.result), "make an identity", error);
}

vit_status Nccl::open(vit_error *error) {
  nccl::UniqueId id;
  if (vit_status status = shareIdentity(id, error))
    return status;
  nccl::Config config;
  Result result =
      library.ncclCommInitRankConfig(&comm, host.ranks, id, host.rank, &config);
  vit_status status =
      finish(result, "connect the GPUs of the ranks", kConnectSeconds, error);
  if (status != VIT_OK)
    close(/*hasFailed=*/true);
  return status;
}

void Nccl::close(bool hasFailed) {
  if (!comm)
    return;
  vit_error ignored;
  hasFailed = hasFailed || finish(library.ncclCommFinalize(comm), "disconnect",
                                  timeout, &ignored) != VIT_OK;
  if (hasFailed)
    library.ncclCommAbort(comm);
  else
    library.ncclCommDestroy(comm);
  comm = nullptr;
}

//===----------------------------------------------------------------------===//
// Exchanges
//===----------------------------------------------------------------------===//

vit_status Nccl::exchange(const char *send, const size_t *sizes, char *receive,
                          void *stream, vit_error *error) {
  size_t own = sizes[host.rank];
  Result result = library.ncclGroupStart();
  for (int32_t q = 0; q < host.ranks; ++q) {
    if (result == nccl::kSuccess && sizes[q] > 0)
      result = library.ncclSend(send, sizes[q] / sizeof(float), kFloat32, q,
                                comm, stream);
    if (result == nccl::kSuccess && own > 0)
      result = library.ncclRecv(receive + size_t(q) * own, own / sizeof(float),
                                kFloat32, q, comm, stream);
    send += sizes[q];
  }
  Result ended = library.ncclGroupEnd();
  waitsSince = -1;
  return finish(result == nccl::kSuccess ? ended : result, "send gradients",
                timeout, error);
}

/// The slices are of different lengths: a group of broadcasts, as NCCL's
/// documentation does an "AllGatherV".
vit_status Nccl::allGather(char *data, const size_t *sizes, void *stream,
                           vit_error *error) {
  Result result = library.ncclGroupStart();
  for (int32_t q = 0; q < host.ranks; ++q) {
    if (result == nccl::kSuccess && sizes[q] > 0)
      result = library.ncclBroadcast(data, data, sizes[q] / sizeof(float),
                                     kFloat32, q, comm, stream);
    data += sizes[q];
  }
  Result ended = library.ncclGroupEnd();
  waitsSince = -1;
  return finish(result == nccl::kSuccess ? ended : result, "gather sums",
                timeout, error);
}

vit_status Nccl::allReduce(float *data, size_t count, void *stream,
                           vit_error *error) {
  Result result = library.ncclAllReduce(data, data, count, kFloat32, nccl::kSum,
                                        comm, stream);
  waitsSince = -1;
  return finish(result, "add gradients", timeout, error);
}

} // namespace vit::tools
