//===- Nccl.cpp - libnccl for the fake driver -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions of NcclFunctions.h between ranks that are threads or processes
// of one machine, with the fake driver's streams. As in a communicator that
// does not block, nothing is submitted before the host has asked whether it is
// (ncclCommGetAsyncError). Sums are in another order than that of ranks.
//
//===----------------------------------------------------------------------===//

#include "../fake_libcuda/Driver.h"
#include "Transport.h"

#include <cstring>
#include <sstream>
#include <unistd.h>

using namespace vit::sim;

namespace {

enum NcclResult : int {
  NcclSuccess = 0,
  NcclUnhandledCudaError = 1,
  NcclSystemError = 2,
  NcclInvalidArgument = 4,
  NcclInvalidUsage = 5,
  NcclRemoteError = 6,
  NcclInProgress = 7
};

constexpr int versionCode = 22809, float32 = 7, sumOperation = 0;

struct UniqueId {
  char name[128];
};

struct Config {
  size_t size;
  unsigned magic, version;
  int blocking;
};

/// A message to or from a rank, as far as it has come.
struct Part {
  bool isSend;
  int rank;
  void *data;
  Message message;
  size_t done = 0; ///< bytes, with the message before them
};

/// What is submitted to a stream at once.
struct Operation {
  Stream *stream = nullptr;
  std::vector<Part> parts;
  std::vector<Range> ranges;
  /// Called when all parts have ended.
  std::vector<std::function<void()>> last;
};

} // namespace

struct Comm {
  std::unique_ptr<Transport> transport;
  int rank = 0, ranks = 0;
  bool isConnected = false;
  /// Shared with works in streams, which may outlive the communicator.
  struct State {
    bool aborted = false;
    NcclResult error = NcclSuccess;
  };
  std::shared_ptr<State> state = std::make_shared<State>();
  std::vector<Operation> pending; ///< not submitted yet
  int asked = 0;                  ///< how often, since there is one
  uint64_t operations = 0;
};

static std::recursive_mutex mutex;
static thread_local int groupDepth = 0;
static thread_local Comm *groupComm = nullptr;
static thread_local Operation group;

/// The result of a call before it does anything: that of VIT_SIM_NCCL_FAIL.
static NcclResult begin(const char *function) {
  static std::map<std::string, int> calls;
  int call = ++calls[function], wanted = 0, code = NcclSystemError;
  const char *text = getenv("VIT_SIM_NCCL_FAIL");
  std::istringstream in(text ? text : "");
  for (std::string item; std::getline(in, item, ',');) {
    size_t colon = item.find(':');
    if (item.substr(0, colon) == function && colon != std::string::npos &&
        sscanf(item.c_str() + colon, ":%d=%d", &wanted, &code) >= 1 &&
        wanted == call)
      return static_cast<NcclResult>(code);
  }
  return NcclSuccess;
}

#define VIT_NCCL(NAME)                                                         \
  std::lock_guard<std::recursive_mutex> lock(mutex);                           \
  if (NcclResult failed = begin(NAME))                                         \
    return failed;

//===----------------------------------------------------------------------===//
// Work in a stream
//===----------------------------------------------------------------------===//

/// Moves what can be moved. False if a message is not the one that is expected.
static bool advance(Transport &transport, Operation &operation, bool &isDone,
                    std::string &finding) {
  isDone = true;
  // Messages from one rank to another have an order.
  std::set<std::pair<bool, int>> waiting;
  for (Part &part : operation.parts) {
    size_t all = sizeof(Message) + part.message.bytes;
    if (part.done == all || waiting.count({part.isSend, part.rank}))
      continue;
    if (!(part.isSend
              ? transport.send(part.rank, part.message, part.data, part.done)
              : transport.receive(part.rank, part.message, part.data, part.done,
                                  finding)))
      return false;
    if (part.done < all) {
      isDone = false;
      waiting.insert({part.isSend, part.rank});
    }
  }
  return true;
}

static NcclResult submit(Comm &comm, Operation &operation) {
  Driver &driver = Driver::get();
  std::lock_guard<std::recursive_mutex> lock(driver.mutex);
  auto shared = std::make_shared<Operation>(std::move(operation));
  Transport *transport = comm.transport.get();
  std::shared_ptr<Comm::State> state = comm.state;
  int rank = comm.rank;
  Work work = [shared, transport, state, rank] {
    if (state->aborted)
      return Success;
    bool isDone = false;
    std::string finding;
    if (!advance(*transport, *shared, isDone, finding)) {
      fprintf(stderr, "simulator: NCCL, rank %d: %s\n", rank, finding.c_str());
      state->error = NcclInvalidUsage;
      return LaunchFailed;
    }
    if (!isDone)
      return NotReady;
    for (const auto &function : shared->last)
      function();
    return Success;
  };
  return driver.enqueue(shared->stream, work, "an exchange of ranks",
                        shared->ranges)
             ? NcclUnhandledCudaError
             : NcclSuccess;
}

/// Adds a message to the group of this thread.
static NcclResult add(Comm *comm, Stream *stream, bool isSend, int rank,
                      void *data, size_t bytes, const char *kind) {
  if (!comm || !comm->isConnected || rank < 0 || rank >= comm->ranks ||
      (groupComm && groupComm != comm) ||
      (group.stream && group.stream != stream))
    return NcclInvalidArgument;
  groupComm = comm;
  group.stream = stream;
  Part part = {isSend, rank, data, {}};
  part.message.bytes = bytes;
  part.message.operation = comm->operations;
  snprintf(part.message.kind, sizeof part.message.kind, "%s", kind);
  group.parts.push_back(part);
  return NcclSuccess;
}

/// Notes what the device reads or writes; it must be memory of the device.
static NcclResult use(void *data, size_t bytes, bool isWritten) {
  Driver &driver = Driver::get();
  std::lock_guard<std::recursive_mutex> lock(driver.mutex);
  if (!driver.simulator.getMemory().contains(data, bytes))
    return NcclInvalidArgument;
  auto begin = reinterpret_cast<uintptr_t>(data);
  group.ranges.push_back({begin, begin + bytes, isWritten});
  return NcclSuccess;
}

static NcclResult endGroup() {
  if (--groupDepth > 0)
    return NcclSuccess;
  Comm *comm = groupComm;
  Operation operation = std::move(group);
  groupComm = nullptr;
  group = {};
  if (!comm)
    return NcclSuccess;
  ++comm->operations;
  comm->pending.push_back(std::move(operation));
  comm->asked = 0;
  return NcclInProgress;
}

/// Runs `function` in a group, which is this call alone where there is none.
template <typename Function> static NcclResult inGroup(Function function) {
  ++groupDepth;
  NcclResult result = function(), ended = endGroup();
  return result ? result : ended;
}

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

extern "C" {

NcclResult ncclGetVersion(int *version) {
  *version = versionCode;
  if (const char *text = getenv("VIT_SIM_NCCL_VERSION"))
    *version = atoi(text);
  return NcclSuccess;
}

const char *ncclGetErrorString(NcclResult result) {
  return result == NcclSystemError          ? "unhandled system error"
         : result == NcclUnhandledCudaError ? "unhandled cuda error"
         : result == NcclInvalidArgument    ? "invalid argument"
         : result == NcclInvalidUsage       ? "invalid usage"
         : result == NcclRemoteError        ? "remote process exited"
                                            : "another result";
}

const char *ncclGetLastError(Comm *) { return ""; }

NcclResult ncclGetUniqueId(UniqueId *id) {
  VIT_NCCL("ncclGetUniqueId")
  static unsigned made = 0;
  memset(id, 0, sizeof *id);
  snprintf(id->name, sizeof id->name, "/vit-fake-nccl-%d-%u", getpid(), ++made);
  return NcclSuccess;
}

NcclResult ncclCommInitRankConfig(Comm **comm, int ranks, UniqueId id, int rank,
                                  Config *config) {
  VIT_NCCL("ncclCommInitRankConfig")
  if (config->magic != 0xcafebeef || config->blocking != 0 || ranks < 1 ||
      rank < 0 || rank >= ranks || !Driver::pushed)
    return NcclInvalidArgument;
  auto made = std::make_unique<Comm>();
  made->transport = Transport::open(id.name, rank, ranks);
  if (!made->transport)
    return NcclSystemError;
  made->rank = rank;
  made->ranks = ranks;
  *comm = made.release();
  return NcclInProgress;
}

NcclResult ncclCommGetAsyncError(Comm *comm, NcclResult *error) {
  VIT_NCCL("ncclCommGetAsyncError")
  *error = comm->state->error;
  if (*error)
    return NcclSuccess;
  if (!comm->isConnected) {
    comm->isConnected = comm->transport->areAllThere();
    *error = comm->isConnected ? NcclSuccess : NcclInProgress;
  } else if (!comm->pending.empty()) {
    *error = NcclInProgress;
    if (++comm->asked < 2)
      return NcclSuccess;
    *error = NcclSuccess;
    for (Operation &operation : comm->pending)
      if (NcclResult failed = submit(*comm, operation))
        *error = failed;
    comm->pending.clear();
  }
  return NcclSuccess;
}

NcclResult ncclCommFinalize(Comm *) {
  VIT_NCCL("ncclCommFinalize")
  return NcclSuccess;
}

NcclResult ncclCommAbort(Comm *comm) {
  VIT_NCCL("ncclCommAbort")
  comm->state->aborted = true;
  // Works in streams do not use it any more.
  std::lock_guard<std::recursive_mutex> driver(Driver::get().mutex);
  delete comm;
  return NcclSuccess;
}

NcclResult ncclCommDestroy(Comm *comm) { return ncclCommAbort(comm); }

NcclResult ncclGroupStart() {
  VIT_NCCL("ncclGroupStart")
  ++groupDepth;
  return NcclSuccess;
}

NcclResult ncclGroupEnd() {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  NcclResult failed = begin("ncclGroupEnd"), ended = endGroup();
  return failed ? failed : ended;
}

NcclResult ncclSend(void *data, size_t count, int type, int rank, Comm *comm,
                    Stream *stream) {
  VIT_NCCL("ncclSend")
  return inGroup([&] {
    size_t bytes = count * sizeof(float);
    if (type != float32 || use(data, bytes, false))
      return NcclInvalidArgument;
    return add(comm, stream, true, rank, data, bytes, "send");
  });
}

NcclResult ncclRecv(void *data, size_t count, int type, int rank, Comm *comm,
                    Stream *stream) {
  VIT_NCCL("ncclRecv")
  return inGroup([&] {
    size_t bytes = count * sizeof(float);
    if (type != float32 || use(data, bytes, true))
      return NcclInvalidArgument;
    return add(comm, stream, false, rank, data, bytes, "send");
  });
}

NcclResult ncclBroadcast(void *send, void *receive, size_t count, int type,
                         int root, Comm *comm, Stream *stream) {
  VIT_NCCL("ncclBroadcast")
  return inGroup([&] {
    size_t bytes = count * sizeof(float);
    bool isRoot = comm->rank == root;
    if (type != float32 || send != receive || use(receive, bytes, !isRoot))
      return NcclInvalidArgument;
    if (!isRoot)
      return add(comm, stream, false, root, receive, bytes, "broadcast");
    NcclResult result = NcclSuccess;
    for (int rank = 0; rank < comm->ranks && !result; ++rank)
      if (rank != root)
        result = add(comm, stream, true, rank, receive, bytes, "broadcast");
    return result;
  });
}

NcclResult ncclAllReduce(void *send, void *receive, size_t count, int type,
                         int operation, Comm *comm, Stream *stream) {
  VIT_NCCL("ncclAllReduce")
  return inGroup([&] {
    size_t bytes = count * sizeof(float);
    if (type != float32 || operation != sumOperation || send != receive ||
        use(receive, bytes, true))
      return NcclInvalidArgument;
    auto all = std::make_shared<std::vector<std::vector<float>>>(
        size_t(comm->ranks), std::vector<float>(count));
    NcclResult result = NcclSuccess;
    for (int rank = 0; rank < comm->ranks && !result; ++rank) {
      result = add(comm, stream, true, rank, send, bytes, "all_reduce");
      if (!result)
        result = add(comm, stream, false, rank, (*all)[size_t(rank)].data(),
                     bytes, "all_reduce");
    }
    group.last.push_back([all, receive, count] {
      auto *sums = static_cast<float *>(receive);
      for (size_t i = 0; i < count; ++i) {
        sums[i] = 0;
        for (size_t rank = all->size(); rank-- > 0;)
          sums[i] += (*all)[rank][i];
      }
    });
    return result;
  });
}
}
