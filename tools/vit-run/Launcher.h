//===- Launcher.h - Processes that a launcher has started -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_LAUNCHER_H
#define VIT_TOOLS_LAUNCHER_H

#include "vit/vit-mpi.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace vit::tools {

/// What started this process as one of several.
struct Launcher {
  const char *name;    ///< For messages: "mpirun of Open MPI".
  const char *library; ///< The MPI that it belongs to; "": any.
  int rank, ranks;
};

/// Found by the variables that it sets; nullopt where this process is the only
/// one.
std::optional<Launcher> findLauncher();

/// As long as it lives, ends the process if it lives longer than `seconds` or
/// the launcher has ended. For the start, in which MPI waits for ranks that may
/// never come, and says nothing.
class StartWatch {
public:
  StartWatch(const Launcher &launcher, double seconds);
  ~StartWatch();
  StartWatch(const StartWatch &) = delete;
  StartWatch &operator=(const StartWatch &) = delete;

private:
  void watch();

  const Launcher launcher;
  const double seconds;
  const int parent; ///< the process
  std::mutex mutex;
  std::condition_variable changed;
  bool isStarted = false;
  std::thread thread; ///< The last member: it uses the others.
};

/// Opens the plug-in for the launcher's MPI: what VIT_MPI_LIBRARY names, else
/// that beside the runtime library. Throws if there is none, or if MPI does not
/// see the launcher's processes.
vit_mpi openMpi(const Launcher &launcher);

} // namespace vit::tools

#endif // VIT_TOOLS_LAUNCHER_H
