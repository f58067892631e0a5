//===- Counters.h - What a launch costs -------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counts requests of warps to memory and executed ops. The lanes of a warp are
// in one request if it is the same execution of the same op for each of them:
// the n-th time that they reach it.
//
// Shared memory has 32 banks of 4 bytes. A request takes as many wavefronts as
// the busiest bank has different words; one of 8 bytes a lane is served by half
// warps, one of 16 by quarters, and ldmatrix by rows of eight, one after the
// other. Global memory is read and written in sectors of 32 bytes.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_COUNTERS_H
#define VIT_SIMULATOR_COUNTERS_H

#include "Interface.h"
#include "Library.h"

#include <array>
#include <map>
#include <unordered_map>

namespace vit::sim {

enum class Space : uint8_t { Shared, Global };

/// One op's requests to one kind of memory.
struct RequestCounts {
  bool write = false;
  uint64_t requests = 0; ///< of warps
  uint64_t bytes = 0;    ///< each counted once in a request
  /// Shared memory: wavefronts, and what they would be without conflicts.
  /// Global memory: sectors, and how many the bytes would fill.
  uint64_t units = 0, ideal = 0;

  void add(const RequestCounts &other);
};

class Counters {
public:
  /// Call before the blocks of a launch.
  void begin(const Library &library, const Kernel &kernel, uint32_t threads,
             uint32_t dynamicShared);
  /// Call after each cluster, whose lanes may have diverged.
  void endBlock();

  /// The current lane executes a basic block.
  void execute(uint32_t thread, uint32_t basicBlock) {
    ++executions[thread * basicBlocks + basicBlock];
  }
  /// The current lane's part of a request.
  void access(uint32_t thread, uint32_t site, Space space, bool write,
              uintptr_t address, uint32_t bytes, uint32_t alignment);
  /// A whole ldmatrix or stmatrix: the addresses of `count` rows of 16 bytes,
  /// at most 32.
  void matrices(uint32_t site, bool write, const uintptr_t *rows,
                uint32_t count);
  /// A copy of a box of a tensor by one thread: the addresses of its elements
  /// in global memory, in order.
  void copyTensor(uint32_t site, bool write,
                  const std::vector<uintptr_t> &addresses, uint32_t bytes);

  /// Of a block: threads, and bytes of shared memory.
  uint32_t threads = 0, shared = 0;
  /// By op, in the order of the kernel.
  std::map<std::pair<uint32_t, Space>, RequestCounts> sites;
  /// Ops of warps: the most that one of their lanes executed.
  std::array<uint64_t, opClasses> ops = {};

  RequestCounts getTotal(Space space) const;
  std::string getTable() const;
  std::string getJson() const;

private:
  struct Request {
    bool write = false;
    uint32_t bytes = 0; ///< of a lane
    uint32_t lanes = 0; ///< those that take part, as bits
    uintptr_t addresses[32];
  };
  void finish(uint32_t site, Space space, const Request &request);

  std::vector<std::string> places; ///< of ops, by site
  const Kernel *kernel = nullptr;
  uint32_t basicBlocks = 0;
  std::vector<uint32_t> executions;
  /// How often each thread has reached each op, and the requests of which
  /// lanes are missing; keys: (op and space, thread), (op and space, warp,
  /// how often).
  std::unordered_map<uint64_t, uint32_t> reached;
  std::map<std::array<uint32_t, 3>, Request> open;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_COUNTERS_H
