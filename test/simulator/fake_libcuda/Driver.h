//===- Driver.h - Shared parts of the fake driver ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_DRIVER_H
#define VIT_SIMULATOR_DRIVER_H

#include "../Runtime/Simulator.h"

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>

namespace vit::sim {

/// The error codes of cuda.h that this driver returns.
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
  NotReady = 600,
  IllegalAddress = 700,
  LaunchFailed = 719,
  Unknown = 999
};

/// Work in a stream. It runs when the host waits for it, which is as late as
/// possible: a host that does not wait, or changes the source of a pending
/// copy, gets wrong results. NotReady: it waits for work of another stream,
/// thread or process, and is run again.
using Work = std::function<Result()>;

struct Graph;
struct GraphNode {
  Graph *graph = nullptr;
  std::string name; ///< of the kernel, "copy" or "fill"
  Work work;
  std::vector<Range> ranges;
  std::vector<GraphNode *> before;
  size_t number = 0; ///< in the graph, in the order in which they were added
};
struct Graph {
  std::vector<std::unique_ptr<GraphNode>> nodes;
};
/// The work of the nodes of a graph, which can be replaced.
struct Executable {
  Graph *graph = nullptr;
  struct Part {
    Work work;
    std::vector<Range> ranges;
  };
  std::vector<Part> parts;
  bool checked = false; ///< nodes without order do not share memory
};
/// Of streams, by their identity: how many pieces of work come before
/// something.
using Clock = std::map<uint64_t, uint64_t>;
struct Stream {
  uint64_t identity = 0; ///< not used again
  std::deque<Work> works;
  uint64_t submitted = 0; ///< pieces of work until now
  Clock before;           ///< of what is submitted next, in other streams
  bool isRunning = false;
};
/// A record of an event.
struct Recording {
  Stream *stream = nullptr; ///< as long as it is not done
  Clock before;             ///< what is done then
  bool done = false;
  double seconds = 0;
};
struct Event {
  std::shared_ptr<Recording> last; ///< null: not recorded
};
struct Module {
  const Library *library = nullptr; ///< null: launches do nothing
};
struct Function {
  const Library *library = nullptr;
  const Kernel *kernel = nullptr;
  /// What a launch may ask for, as set by cuFuncSetAttribute. The default is
  /// what remains of 48 KiB.
  int maxDynamicShared = -1;
};

/// The only device and its objects. Each cu* function locks it.
class Driver {
public:
  static Driver &get();

  std::recursive_mutex mutex;
  Simulator simulator;
  bool initialized = false;
  int devices = 1;
  std::string name; ///< Empty: "vit simulator" and the number.
  int capability[2] = {12, 0};
  size_t totalMemory = size_t(8) << 30, usedMemory = 0;
  int contexts = 0;               ///< references of the primary context
  static thread_local int pushed; ///< contexts on this thread's stack

  std::map<void *, size_t> deviceMemory, hostMemory;
  std::set<Stream *> streams;
  std::set<Event *> events;
  std::set<Graph *> graphs;
  std::set<Executable *> executables;
  /// VIT_SIM_DROP: the number of a dependency that is left out, counted over
  /// all graphs, from 1.
  unsigned droppedDependency = 0, dependencies = 0;
  bool describesGraphs = false; ///< VIT_SIM_GRAPHS
  /// VIT_SIM_DROP_WAIT: the number of a cuStreamWaitEvent that does nothing.
  unsigned droppedWait = 0, waits = 0;
  std::set<Module *> modules;
  std::vector<std::unique_ptr<Function>> functions;

  /// The result of a call before it does anything: the code of VIT_SIM_FAIL, or
  /// the error that made the context unusable.
  Result begin(const char *function, bool needsContext = true);
  /// Runs the pending work of the stream, or as much as `until` needs.
  Result advance(Stream &stream, const Recording *until = nullptr);
  /// Waits until that has run. Other threads go on meanwhile.
  Result wait(Stream &stream, const Recording *until = nullptr);
  /// The host knows that the stream, and what it waited for, has ended.
  void forget(Stream &stream);
  /// Memory is freed: what is there next is something else.
  void forgetMemory(uintptr_t begin, uintptr_t end);
  /// Adds work to the stream. It is found if it may run at the same time as
  /// work of another stream and one writes what the other uses. `ranges`:
  /// empty where they are not known.
  Result enqueue(Stream *stream, Work work, const std::string &name = "",
                 const std::vector<Range> &ranges = {});
  /// Checks a launch and copies its arguments: what it does, and the memory
  /// that it may use.
  Result prepare(Function *function, const Extent &grid, const Extent &block,
                 unsigned sharedBytes, void **parameters, Work &work,
                 std::vector<Range> &ranges);
  bool isPinned(const void *address) const;
  /// Shared memory in bytes of a multiprocessor of this compute capability. A
  /// block may ask for 1 KiB less.
  int getSharedMemory() const;
  /// Whether launches do nothing (VIT_SIM_KERNELS=none).
  bool withoutKernels = false;
  /// Finds the kernels of a PTX text; on failure sets `error`.
  const Library *findLibrary(const char *ptx, std::string &error);

private:
  Driver();
  struct Failure {
    std::string function;
    unsigned call;
    Result result;
  };
  /// Work whose end the host does not know.
  struct Submitted {
    uint64_t stream, number;
    std::string name;
    std::vector<Range> ranges;
  };
  std::vector<Submitted> inFlight;
  std::vector<Failure> failures;
  std::map<std::string, unsigned> calls;
  Result dead = Success;
  std::vector<std::unique_ptr<Library>> libraries;
  std::string loadError;
};

/// Whether the error makes a context unusable.
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
