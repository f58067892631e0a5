//===- Nccl.h - Gradients from GPU to GPU -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_NCCL_H
#define VIT_TOOLS_NCCL_H

#include "NcclFunctions.h"
#include "vit/vit.h"

#include <functional>
#include <string>

namespace vit::tools {

/// NCCL's library. It is never unloaded: it has threads.
struct NcclLibrary : nccl::Functions {
  /// Opens libnccl.so.2 or the library that VIT_NCCL_LIBRARY names. If that is
  /// empty or cannot be used, returns false and says why in `fault`.
  bool open(std::string &fault);
  /// "2.28.9"
  std::string versionText() const;

  int version = 0;
};

/// A vit_device_collective of NCCL, for one rank. Its functions return as soon
/// as the work is submitted or another rank is known to have failed, so the
/// communicator is one whose calls do not block.
class Nccl {
public:
  /// What an application knows of the other ranks: fails if one is gone.
  using Check = std::function<vit_status(vit_error *)>;

  /// `host` is the communicator of the same ranks through which they exchange
  /// NCCL's identity. An exchange that lasts longer than `timeout` seconds
  /// after this rank has nothing else to do fails.
  Nccl(const NcclLibrary &library, const vit_collective &host, Check check,
       double timeout);
  Nccl(const Nccl &) = delete;
  Nccl &operator=(const Nccl &) = delete;

  /// For vit_collective; this object outlives the session.
  const vit_device_collective &collective() const { return functions; }

private:
  vit_status open(vit_error *error);
  vit_status shareIdentity(nccl::UniqueId &id, vit_error *error);
  vit_status exchange(const char *send, const size_t *sizes, char *receive,
                      void *stream, vit_error *error);
  vit_status allGather(char *data, const size_t *sizes, void *stream,
                       vit_error *error);
  vit_status allReduce(float *data, size_t count, void *stream,
                       vit_error *error);
  vit_status wait(vit_error *error);
  void close(bool hasFailed);

  vit_status finish(nccl::Result result, const char *what, double seconds,
                    vit_error *error);
  vit_status checkResult(nccl::Result result, const char *what,
                         vit_error *error);

  const NcclLibrary &library;
  vit_collective host;
  Check hostCheck;
  double timeout;
  vit_device_collective functions = {};
  nccl::Comm comm = nullptr;
  double waitsSince = -1; ///< For the last exchange; -1: not yet.
};

} // namespace vit::tools

#endif // VIT_TOOLS_NCCL_H
