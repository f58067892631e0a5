//===- Launcher.cpp - Processes that a launcher has started ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Launcher.h"

#include "CompilerLibrary.h"
#include "Support.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <unistd.h>

namespace vit::tools {

namespace {

/// How a launcher tells a process its place.
struct Variables {
  const char *name, *library;
  const char *ranks, *rank;
};

/// The libraries that plug-ins are built for.
constexpr const char *kLibraries[] = {"openmpi", "mpich"};

// Slurm sets those of PMI, too, with --mpi=pmi2, and PMIX_RANK with --mpi=pmix.
// SLURM_NTASKS is set in a batch script as well, which is one process.
constexpr Variables kLaunchers[] = {
    {"mpirun of Open MPI", "openmpi", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_RANK"},
    {"mpirun of MPICH", "mpich", "PMI_SIZE", "PMI_RANK"},
    {"srun", "", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"},
};

} // namespace

/// The number in a variable; -1 where there is none.
static int numberOf(const char *variable) {
  const char *text = std::getenv(variable);
  char *end = nullptr;
  long value = text ? std::strtol(text, &end, 10) : -1;
  return text && end != text && !*end && value >= 0 && value < (1 << 24)
             ? static_cast<int>(value)
             : -1;
}

std::optional<Launcher> findLauncher() {
  for (const Variables &launcher : kLaunchers) {
    int ranks = numberOf(launcher.ranks), rank = numberOf(launcher.rank);
    if (ranks > 1 && rank >= 0 && rank < ranks)
      return Launcher{launcher.name, launcher.library, rank, ranks};
  }
  return std::nullopt;
}

/// The files to try, the launcher's own MPI first.
static std::vector<std::string> findPlugins(const Launcher &launcher) {
  if (const char *named = std::getenv("VIT_MPI_LIBRARY"); named && *named)
    return {named};
  std::vector<std::string> names, found;
  if (*launcher.library)
    names.push_back(launcher.library);
  else
    names.assign(std::begin(kLibraries), std::end(kLibraries));
  for (const std::string &name : names)
    if (std::string path = besideRuntime("libvit-mpi-" + name + ".so");
        access(path.c_str(), R_OK) == 0)
      found.push_back(path);
  return found;
}

static vit_mpi_open_function findOpen(const std::string &path,
                                      std::string &fault) {
  // Components of Open MPI look for symbols of the library that loads them. Not
  // closed: MPI registers handlers.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  void *symbol = library ? dlsym(library, "vit_mpi_open") : nullptr;
  if (!symbol)
    fault = dlerror();
  return reinterpret_cast<vit_mpi_open_function>(symbol);
}

StartWatch::StartWatch(const Launcher &launcher, double seconds)
    : launcher(launcher), seconds(seconds), parent(getppid()),
      thread([this] { watch(); }) {}

StartWatch::~StartWatch() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    isStarted = true;
  }
  changed.notify_all();
  thread.join();
}

void StartWatch::watch() {
  // The launcher ends all ranks when the first one has ended: of those that
  // wait, one prints the error.
  double until = now() + seconds + 0.5 * std::min(launcher.rank, 8);
  std::unique_lock<std::mutex> lock(mutex);
  while (!isStarted) {
    changed.wait_for(lock, std::chrono::milliseconds(200));
    if (isStarted)
      return;
    if (getppid() != parent) {
      std::fprintf(stderr,
                   "error: rank %d: %s has ended before MPI connected all "
                   "ranks\n",
                   launcher.rank, launcher.name);
      _exit(1);
    }
    if (now() > until) {
      std::fprintf(stderr,
                   "error: rank %d: MPI has not connected the ranks within "
                   "%.0f seconds: one of them has ended, or cannot be reached; "
                   "where starting takes longer, raise --rank-timeout, a third "
                   "of this\n",
                   launcher.rank, seconds);
      _exit(1);
    }
  }
}

vit_mpi openMpi(const Launcher &launcher) {
  std::string started = std::string(launcher.name) + " has started " +
                        std::to_string(launcher.ranks) + " processes";
  std::string independent = "; --mpi off makes each a run of its own";
  std::vector<std::string> paths = findPlugins(launcher);
  if (paths.empty())
    throw Error(started +
                    ", but there is no plug-in for its MPI beside the runtime "
                    "library (" +
                    besideRuntime(
                        std::string("libvit-mpi-") +
                        (*launcher.library ? launcher.library : kLibraries[0]) +
                        ".so") +
                    "); build vit where libopenmpi-dev or libmpich-dev is "
                    "installed, or build runtime/mpi/vit-mpi.c with mpicc and "
                    "name it in VIT_MPI_LIBRARY" +
                    independent,
                VIT_UNSUPPORTED);
  std::string fault;
  vit_mpi_open_function open = nullptr;
  for (const std::string &path : paths)
    if (!open)
      open = findOpen(path, fault);
  if (!open)
    throw Error(started + ", but the plug-in for MPI cannot be opened: " +
                    fault + independent,
                VIT_UNSUPPORTED);
  vit_mpi mpi = {};
  mpi.struct_size = sizeof(mpi);
  vit_error error;
  check(open(&mpi, &error), error);
  if (mpi.collective.ranks != launcher.ranks)
    throw Error(started + ", but " + mpi.library + " sees " +
                    std::to_string(mpi.collective.ranks) +
                    ": they belong to different MPIs (with srun: --mpi=pmix "
                    "for Open MPI, --mpi=pmi2 for MPICH)" +
                    independent,
                VIT_UNSUPPORTED);
  return mpi;
}

} // namespace vit::tools
