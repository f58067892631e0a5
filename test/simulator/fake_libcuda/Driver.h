//===- Driver.h - What the fake driver's functions share ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_DRIVER_H
#define VIT_SIMULATOR_DRIVER_H

#include "../Runtime/Simulator.h"

#include <functional>
#include <map>
#include <mutex>
#include <set>

namespace vit::sim {

/// The codes of cuda.h that this driver gives.
enum Result : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialized = 3,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  InvalidHandle = 400,
  NotFound = 500,
  IllegalAddress = 700,
  LaunchFailed = 719,
  CaptureUnsupported = 900,
  Unknown = 999
};

/// A piece of work in a stream: done when the host waits for it, never before.
/// That is as late as a device may be, so a host that forgets to wait, or that
/// changes what a copy still reads, gets wrong numbers.
using Work = std::function<Result()>;

struct Graph {
  std::vector<Work> works;
};
struct Stream {
  std::vector<Work> works;
  std::unique_ptr<Graph> capture; ///< while it captures
};
struct Event {
  Stream *stream = nullptr;
  bool recorded = false;
  double seconds = 0;
};
struct Module {
  const Library *library = nullptr; ///< nothing: launches do nothing
};
struct Function {
  const Library *library = nullptr;
  const Kernel *kernel = nullptr;
};

/// The one device, with what programs hold of it. Each cu* function locks it.
class Driver {
public:
  static Driver &get();

  std::recursive_mutex mutex;
  Simulator simulator;
  bool initialized = false;
  int devices = 1;
  int capability[2] = {12, 0};
  size_t totalMemory = size_t(8) << 30, usedMemory = 0;
  int contexts = 0;               ///< how often the primary context is held
  static thread_local int pushed; ///< contexts on this thread's stack

  std::map<void *, size_t> deviceMemory, hostMemory;
  std::set<Stream *> streams;
  std::set<Event *> events;
  std::set<Graph *> graphs, executables;
  std::set<Module *> modules;
  std::vector<std::unique_ptr<Function>> functions;

  /// What a call is to give before it does anything: VIT_SIM_FAIL's code for
  /// it, or the error that has killed the context.
  Result begin(const char *function, bool needsContext = true);
  /// Does all that waits in the stream.
  Result finish(Stream &stream);
  /// Puts work into the stream, or into the graph that it captures.
  Result enqueue(Stream *stream, Work work);
  bool isPinned(const void *address) const;
  /// Whether a launch does nothing: VIT_SIM_KERNELS=none.
  bool withoutKernels = false;
  /// The kernels of a PTX text; nothing: `error` says why.
  const Library *findLibrary(const char *ptx, std::string &error);

private:
  Driver();
  struct Failure {
    std::string function;
    unsigned call;
    Result result;
  };
  std::vector<Failure> failures;
  std::map<std::string, unsigned> calls;
  Result dead = Success;
  std::vector<std::unique_ptr<Library>> libraries;
  std::string loadError;
};

/// Whether an error is one after which a context takes no more work.
bool isFatal(Result result);

#define VIT_DRIVER(NAME)                                                       \
  vit::sim::Driver &driver = vit::sim::Driver::get();                          \
  std::lock_guard<std::recursive_mutex> lock(driver.mutex);                    \
  if (vit::sim::Result failed = driver.begin(NAME))                            \
    return failed;

#define VIT_DRIVER_WITHOUT_CONTEXT(NAME)                                       \
  vit::sim::Driver &driver = vit::sim::Driver::get();                          \
  std::lock_guard<std::recursive_mutex> lock(driver.mutex);                    \
  if (vit::sim::Result failed = driver.begin(NAME, false))                     \
    return failed;

} // namespace vit::sim

#endif // VIT_SIMULATOR_DRIVER_H
