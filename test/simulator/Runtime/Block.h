//===- Block.h - Runs blocks with a fiber per thread ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_BLOCK_H
#define VIT_SIMULATOR_BLOCK_H

#include "Counters.h"
#include "Fiber.h"
#include "GlobalMemory.h"
#include "Interface.h"
#include "Order.h"
#include "Schedule.h"
#include "SharedMemory.h"
#include "TensorMap.h"

#include <map>
#include <memory>

namespace vit::sim {

struct Extent {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t getCount() const { return uint64_t(x) * y * z; }
};

/// Runs the blocks of one cluster at a time, mostly one block, and implements
/// the calls of their threads. Threads are numbered over the cluster.
class Block {
public:
  static constexpr uint32_t maxThreads = 1024;
  /// Of a cluster: numbers from Order::firstUnit on are not of threads.
  static constexpr uint32_t maxClusterThreads = Order::firstUnit;

  GlobalMemory global;

  /// Call before the blocks of a run. On failure sets `finding`.
  bool beginRun(const Library &library, const Kernel &kernel, void **arguments,
                Extent grid, Extent size, uint32_t dynamicShared,
                const Schedule &schedule);
  /// Runs the blocks of one cluster to their ends. On failure sets `finding`.
  bool run(uint32_t cluster);
  std::string finding;
  /// If not null, the blocks are counted.
  Counters *counters = nullptr;

  /// For the current thread:
  uint32_t getRegister(Register which) const;
  void access(void *address, uint32_t bytes, uint32_t alignment, uint32_t site,
              bool write, bool isShared);
  void execute(uint32_t basicBlock) {
    if (counters)
      counters->execute(current, basicBlock);
  }
  void barrier(uint32_t site);
  void warpBarrier(uint32_t mask, uint32_t site);
  uint64_t shuffle(uint32_t mask, uint32_t value, uint32_t offset,
                   uint32_t clamp, Shuffle kind, uint32_t site);
  uint32_t vote(uint32_t mask, bool predicate, Vote kind, uint32_t site);
  void *getShared(uint32_t variable) const {
    return own->shared.getAddress(variable);
  }
  // AsyncCopy.cpp
  void copyAsync(void *to, const void *from, uint32_t bytes, uint32_t filled,
                 uint32_t site);
  void commitCopies();
  void waitForCopies(uint32_t most);
  // Matrix.cpp
  void loadMatrices(const void *row, uint32_t number, bool transposed,
                    uint32_t *results, uint32_t site);
  void storeMatrices(void *row, uint32_t number, bool transposed,
                     uint32_t *words, uint32_t site);
  void multiply(uint32_t *registers, MatrixType type, uint32_t depth,
                uint32_t site);
  // Barriers.cpp
  void namedBarrier(uint32_t number, uint32_t expected, bool waits,
                    uint32_t site);
  void initMbarrier(void *address, uint32_t arrivals, uint32_t site);
  void arriveAtMbarrier(void *address, uint32_t arrivals, uint32_t bytes,
                        uint32_t site);
  void waitForMbarrier(void *address, uint32_t parity, uint32_t site);
  void fenceAsync() { ++fences[current]; }
  void fenceInit();
  // Cluster.cpp
  /// The address of `address`, in shared memory, in block `rank` of the
  /// cluster.
  void *mapShared(void *address, uint32_t rank, uint32_t site);
  /// If `relaxed`, only what the thread has done before its last fence of
  /// mbarriers is before what others do after they have waited.
  void arriveAtCluster(bool relaxed, uint32_t site);
  void waitForCluster(uint32_t site);
  // TensorCopy.cpp
  /// `mask`: the blocks of the cluster that receive the copy, each at the same
  /// place, and whose mbarriers it completes on; 0: this one.
  void loadTensor(void *to, const TensorMap *map, const int32_t *coordinates,
                  uint32_t rank, void *mbarrier, uint32_t mask, uint32_t site);
  void storeTensor(const void *from, const TensorMap *map,
                   const int32_t *coordinates, uint32_t rank, uint32_t site);
  void commitStores();
  void waitForStores(uint32_t most);
  // Warpgroup.cpp
  void fenceProducts() { threads[current].touchedRegisters = false; }
  void touchRegisters() { threads[current].touchedRegisters = true; }
  void multiplyAsync(const WarpgroupProduct &product, uint32_t site);
  float getSum(float sum, uint32_t site);
  void commitProducts();
  void waitForProducts(uint32_t most);
  void setRegisters(uint32_t number, uint32_t site);

private:
  enum class State : uint8_t { Ready, AtBarrier, InWarp, Waiting, Done };
  /// A cp.async that no wait has covered.
  struct Copy {
    void *to;
    const void *from;
    uint32_t bytes, filled, group, site;
  };
  struct Thread {
    void *stack = nullptr;
    State state = State::Done;
    uint32_t site = 0; ///< where it waits
    // Operands and results of a warp operation.
    uint32_t value = 0, offset = 0, clamp = 0;
    uint64_t result = 0;
    uint32_t *registers = nullptr;
    const void *address = nullptr;
    std::vector<Copy> copies; ///< in order
    uint32_t groups = 0;      ///< of copies, committed
    /// Bulk stores: their unit, its clock, and the clocks of committed groups.
    uint16_t storeUnit = 0;
    uint32_t storeClock = 0, storesRead = 0;
    std::vector<uint32_t> storeGroups;
    // Products of its warpgroup: the clocks of committed groups.
    /// Registers of products have been used by others since the last fence.
    bool touchedRegisters = true;
    std::vector<uint32_t> productGroups;
    WarpgroupProduct product;
    /// Of the last products: the sums, by number, and the clock of each.
    std::vector<std::vector<float>> sums;
    std::vector<uint32_t> sumClocks;
    uint32_t products = 0, productsFinished = 0;
    uint32_t maxRegisters = 0; ///< as set by setmaxnreg
    /// Has arrived at the cluster's barrier, in this phase, and not waited.
    bool atCluster = false;
    uint32_t clusterPhase = 0;
    Order::Clocks fencedInit; ///< what it knew at its last fence of mbarriers
  };
  /// bar.sync with a number of threads.
  struct NamedBarrier {
    uint32_t expected = 0, arrived = 0, site = 0;
    std::vector<uint32_t> waiting; ///< threads
    Order::Clocks clocks;
  };
  /// A copy into shared memory that completes on an mbarrier.
  struct TensorCopy {
    char *to;
    const TensorMap *map;
    int32_t coordinates[TensorMap::maxRank];
    uint32_t site;
    uint32_t thread; ///< which has issued it
  };
  struct Mbarrier {
    uint32_t arrivals = 0, pending = 0;
    int64_t bytes = 0; ///< expected and not yet there
    uint32_t phase = 0;
    uint16_t unit = 0;
    uint32_t initThread = 0, initSite = 0;
    uint16_t initFence = 0;
    std::vector<uint32_t> waiting; ///< threads
    Order::Clocks arrived, completed;
    std::vector<TensorCopy> copies; ///< not landed
    uint32_t rank = 0;              ///< of its block
  };
  /// A block of the cluster.
  struct Member {
    SharedMemory shared;
    uint32_t epoch = 0, atBarrier = 0, done = 0;
    NamedBarrier named[16];
    /// The last arrival of each thread of another block at a barrier of this.
    std::map<uint32_t, Access> visits;
  };
  struct ClusterBarrier {
    uint32_t arrived = 0, phase = 0;
    std::vector<uint32_t> waiting; ///< threads
    Order::Clocks arrivals, completed;
  };
  /// Four warps that multiply together.
  struct Warpgroup {
    uint32_t arrived = 0, site = 0, clock = 0;
    uint16_t unit = 0;
  };
  /// A warp operation for which lanes wait.
  struct Meeting {
    uint32_t mask = 0, arrived = 0, site = 0;
  };

  static void startThread();
  [[noreturn]] void finish();
  [[noreturn]] void fail();
  [[noreturn]] void fail(const std::string &what);
  void yield();
  /// Waits for the lanes of `mask`. The last one calls `complete` for all.
  template <typename Function>
  void meet(uint32_t mask, uint32_t site, Function complete);
  /// The same for an operation of a whole warp, which must have 32 lanes.
  template <typename Function> void meetAll(uint32_t site, Function complete);
  void arrive(uint32_t mask, uint32_t site);
  void switchSometimes();
  /// Waits until something sets the state to Ready.
  void wait(uint32_t site);
  /// Stops with `finding` if `right` is false.
  void check(bool right, uint32_t site);
  /// The mbarrier, which may be another block's if `mayBeRemote`.
  Mbarrier &findMbarrier(void *address, bool mayBeRemote, uint32_t site);
  void checkInitFence(const Mbarrier &barrier, uint32_t site);
  void completePhase(Mbarrier &barrier);
  /// Finishes a copy that threads wait for. Returns false if there is none.
  bool landCopy();
  void beginLoad(void *to, const TensorMap *map, const int32_t *coordinates,
                 void *mbarrier, uint32_t site);
  // Cluster.cpp
  uint32_t getRank() const { return current / perBlock; }
  uint32_t getRank(const void *address) const;
  uint32_t getBlock() const { return firstBlock + getRank(); }
  /// The first thread of the current block.
  uint32_t getFirst() const { return getRank() * perBlock; }
  std::string describeThread(uint32_t thread) const;
  void completeCluster();
  /// At the end of the last thread of a block: that no other one may still
  /// access its shared memory.
  void checkVisits();
  float findSum(float sum, bool mustBeFinished, uint32_t site);
  void countTensor(const TensorMap &map, const int32_t *coordinates, bool write,
                   uint32_t site);
  /// Whether a sum in registers is that of a product.
  static bool isSum(float sum);
  /// The left operand that the threads of `group` have in registers, 64 x 16.
  static std::vector<double> joinWords(const Thread *group);
  /// Reads an operand of a product of `group`: `extent` x 16.
  bool readOperand(uint64_t descriptor, bool transposed, uint32_t extent,
                   MatrixType type, const char *name, const Warpgroup &group,
                   uint32_t site, std::vector<double> &values);
  void countRequest(uint32_t site, Space space, bool write, const void *address,
                    uint32_t bytes, uint32_t alignment) {
    if (counters)
      counters->access(current, site, space, write,
                       reinterpret_cast<uintptr_t>(address), bytes, alignment);
  }
  Access getAccess(uint32_t site) const;
  std::string describeDeadlock() const;

  const Library *library = nullptr;
  const Kernel *kernel = nullptr;
  void **arguments = nullptr;
  Extent grid, size;
  Schedule schedule;
  Stacks stacks;
  void *scheduler = nullptr;
  std::vector<Thread> threads;
  std::vector<uint32_t> order;
  std::vector<Meeting> meetings; ///< one per warp
  std::vector<uint32_t> warpEpochs;
  uint32_t count = 0;    ///< threads of a cluster
  uint32_t perBlock = 0; ///< threads of a block
  uint32_t current = 0;  ///< the current thread
  uint32_t firstBlock = 0;
  uint32_t epoch = 0; ///< the last one of any block
  uint32_t done = 0;
  bool failed = false;
  std::vector<std::unique_ptr<Member>> members; ///< of a cluster, by rank
  Member *own = nullptr;                        ///< of the current thread
  ClusterBarrier clusterBarrier;
  Order ordering;
  std::vector<uint16_t> fences;         ///< of the async proxy, by thread
  std::map<void *, Mbarrier> mbarriers; ///< by address
  std::vector<Warpgroup> warpgroups;
};

template <typename Function>
void Block::meet(uint32_t mask, uint32_t site, Function complete) {
  uint32_t warp = current / 32;
  arrive(mask, site);
  Meeting &meeting = meetings[warp];
  if (meeting.arrived == meeting.mask) {
    uint32_t named = meeting.mask;
    complete(&threads[warp * 32], named);
    meeting = {};
    for (uint32_t i = 0; i < 32; ++i)
      if (named >> i & 1)
        threads[warp * 32 + i].state = State::Ready;
  }
  yield();
}

template <typename Function>
void Block::meetAll(uint32_t site, Function complete) {
  if (count - current / 32 * 32 < 32)
    fail("divergence: at " + library->getSite(site) +
         ": needs 32 lanes, but the last warp has " +
         std::to_string(count % 32));
  meet(~0u, site, complete);
}

/// The block that this host thread runs, used by the sim_* functions.
extern thread_local Block *running;

} // namespace vit::sim

#endif // VIT_SIMULATOR_BLOCK_H
