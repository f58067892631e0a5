//===- Driver.cpp - Shared parts of the fake driver -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <unistd.h>

using namespace vit::sim;

thread_local int Driver::pushed = 0;

Driver &Driver::get() {
  // Never destroyed: threads may call functions at process exit.
  static Driver *driver = new Driver;
  return *driver;
}

Driver::Driver() {
  std::string error;
  const char *schedules = getenv("VIT_SIM_SCHEDULES");
  if (!parseSchedules(schedules ? schedules : defaultSchedules,
                      simulator.schedules, error)) {
    fprintf(stderr, "simulator: VIT_SIM_SCHEDULES: %s\n", error.c_str());
    exit(1);
  }
  if (const char *text = getenv("VIT_SIM_DEVICES"))
    devices = atoi(text);
  if (const char *text = getenv("VIT_SIM_CAPABILITY"))
    sscanf(text, "%d.%d", &capability[0], &capability[1]);
  if (const char *text = getenv("VIT_SIM_NAME"))
    name = text;
  if (const char *text = getenv("VIT_SIM_MEMORY"))
    totalMemory = strtoull(text, nullptr, 10);
  if (const char *text = getenv("VIT_SIM_DROP"))
    droppedDependency = unsigned(strtoul(text, nullptr, 10));
  if (const char *text = getenv("VIT_SIM_DROP_WAIT"))
    droppedWait = unsigned(strtoul(text, nullptr, 10));
  describesGraphs = getenv("VIT_SIM_GRAPHS") != nullptr;

  // NAME:CALL[=CODE],...
  std::istringstream in(getenv("VIT_SIM_FAIL") ? getenv("VIT_SIM_FAIL") : "");
  for (std::string item; std::getline(in, item, ',');) {
    Failure failure{item.substr(0, item.find(':')), 1, Unknown};
    int code = failure.function.rfind("cuMem", 0) == 0 ? OutOfMemory : Unknown;
    if (item.find(':') == std::string::npos ||
        sscanf(item.c_str() + item.find(':'), ":%u=%d", &failure.call, &code) <
            1) {
      fprintf(stderr,
              "simulator: VIT_SIM_FAIL is a list of FUNCTION:CALL[=CODE], not "
              "\"%s\"\n",
              item.c_str());
      exit(1);
    }
    failure.result = static_cast<Result>(code);
    failures.push_back(failure);
  }

  std::istringstream paths(getenv("VIT_SIM_KERNELS") ? getenv("VIT_SIM_KERNELS")
                                                     : "");
  for (std::string path; std::getline(paths, path, ':');) {
    if (path == "none") {
      withoutKernels = true;
      continue;
    }
    if (auto library = Library::open(path, error))
      libraries.push_back(std::move(library));
    else
      loadError = error;
  }
}

bool vit::sim::isFatal(Result result) {
  return result == IllegalAddress || result == LaunchFailed ||
         (result >= 714 && result <= 718) || result == 702;
}

Result Driver::begin(const char *function, bool needsContext) {
  unsigned call = ++calls[function];
  for (const Failure &failure : failures)
    if (failure.function == function && failure.call == call) {
      if (isFatal(failure.result))
        dead = failure.result;
      return failure.result;
    }
  if (!needsContext)
    return Success;
  if (!initialized)
    return NotInitialized;
  if (!contexts || !pushed)
    return InvalidContext;
  return dead;
}

Result Driver::advance(Stream &stream, const Recording *until) {
  if (stream.isRunning)
    return NotReady;
  stream.isRunning = true;
  Result result = Success;
  while (!result && !stream.works.empty() && !(until && until->done)) {
    result = dead ? dead : stream.works.front()();
    if (!result)
      stream.works.pop_front();
  }
  stream.isRunning = false;
  if (!result || result == NotReady)
    return result;
  stream.works.clear();
  if (isFatal(result))
    dead = result;
  return result;
}

Result Driver::wait(Stream &stream, const Recording *until) {
  for (;;) {
    Result result = advance(stream, until);
    if (result != NotReady) {
      if (!until)
        forget(stream);
      return result;
    }
    mutex.unlock();
    usleep(100);
    mutex.lock();
  }
}

void Driver::forget(Stream &stream) {
  inFlight.erase(std::remove_if(inFlight.begin(), inFlight.end(),
                                [&](const Submitted &work) {
                                  return work.stream == stream.identity ||
                                         work.number <=
                                             stream.before[work.stream];
                                }),
                 inFlight.end());
}

void Driver::forgetMemory(uintptr_t begin, uintptr_t end) {
  for (Submitted &work : inFlight)
    work.ranges.erase(std::remove_if(work.ranges.begin(), work.ranges.end(),
                                     [&](const Range &range) {
                                       return range.begin < end &&
                                              begin < range.end;
                                     }),
                      work.ranges.end());
}

static bool overlap(const std::vector<Range> &one,
                    const std::vector<Range> &other) {
  for (const Range &a : one)
    for (const Range &b : other)
      if ((a.written || b.written) && a.begin < b.end && b.begin < a.end)
        return true;
  return false;
}

Result Driver::enqueue(Stream *stream, Work work, const std::string &name,
                       const std::vector<Range> &ranges) {
  if (!streams.count(stream))
    return InvalidHandle;
  ++stream->submitted;
  for (const Submitted &other : inFlight)
    if (other.stream != stream->identity &&
        other.number > stream->before[other.stream] &&
        overlap(ranges, other.ranges)) {
      fprintf(stderr,
              "simulator: unordered: %s and %s in another stream may run at "
              "the same time, and one writes what the other uses\n",
              name.c_str(), other.name.c_str());
      work = [] { return LaunchFailed; };
      break;
    }
  if (!ranges.empty())
    inFlight.push_back({stream->identity, stream->submitted, name, ranges});
  stream->works.push_back(std::move(work));
  return Success;
}

int Driver::getSharedMemory() const {
  // "Technical specifications per compute capability" of the CUDA C++
  // programming guide.
  int version = 10 * capability[0] + capability[1], kibibytes = 100;
  if (version == 80 || version == 87)
    kibibytes = 164;
  else if (version >= 90 && version < 120)
    kibibytes = 228;
  return kibibytes * 1024;
}

bool Driver::isPinned(const void *address) const {
  auto after = hostMemory.upper_bound(const_cast<void *>(address));
  if (after == hostMemory.begin())
    return false;
  --after;
  return static_cast<const char *>(address) <
         static_cast<const char *>(after->first) + after->second;
}

const Library *Driver::findLibrary(const char *ptx, std::string &error) {
  uint64_t hash = hashText(ptx, strlen(ptx));
  const Library *unnamed = nullptr;
  for (auto &library : libraries) {
    if (library->ptxHash == hash)
      return library.get();
    if (!library->ptxHash)
      unnamed = library.get();
  }
  if (!unnamed)
    error = !loadError.empty() ? loadError
            : libraries.empty()
                ? "VIT_SIM_KERNELS names no shared object from vit-simulate"
                : "VIT_SIM_KERNELS was made from other kernels than this PTX: "
                  "run vit-simulate again";
  return unnamed;
}
