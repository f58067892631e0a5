//===- Barriers.cpp - Named barriers and mbarriers ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Block.h"

using namespace vit::sim;

//===----------------------------------------------------------------------===//
// Named barriers
//===----------------------------------------------------------------------===//

void Block::namedBarrier(uint32_t number, uint32_t expected, bool waits,
                         uint32_t site) {
  if (!expected)
    expected = perBlock;
  if (number >= 16 || expected % 32 || expected > perBlock) {
    finding = "no barrier " + std::to_string(number) + " of " +
              std::to_string(expected) +
              " threads: there are 16, of whole warps of the block";
    check(false, site);
  }
  NamedBarrier &barrier = own->named[number];
  if (barrier.arrived && barrier.expected != expected)
    fail("divergence: barrier " + std::to_string(number) + " is for " +
         std::to_string(expected) + " threads at " + library->getSite(site) +
         ", but for " + std::to_string(barrier.expected) + " at " +
         library->getSite(barrier.site));
  barrier.expected = expected;
  barrier.site = site;
  ordering.release(current, warpEpochs[current / 32], barrier.clocks);
  if (waits)
    barrier.waiting.push_back(current);
  if (++barrier.arrived < expected) {
    if (waits)
      wait(site);
    return;
  }
  NamedBarrier complete = std::move(barrier);
  barrier = {};
  for (uint32_t thread : complete.waiting) {
    ordering.acquire(thread, complete.clocks);
    threads[thread].state = State::Ready;
  }
  yield();
}

//===----------------------------------------------------------------------===//
// Mbarriers
//===----------------------------------------------------------------------===//

void Block::initMbarrier(void *address, uint32_t arrivals, uint32_t site) {
  check(own->shared.write(address, 8, 8, getAccess(site), finding), site);
  if (!arrivals || arrivals >= 1 << 20) {
    finding = "no mbarrier takes " + std::to_string(arrivals) + " arrivals";
    check(false, site);
  }
  if (!ordering.hasUnits()) {
    finding = "too many mbarriers for the simulator";
    check(false, site);
  }
  Mbarrier &barrier = mbarriers[address];
  barrier = {};
  barrier.arrivals = barrier.pending = arrivals;
  barrier.unit = ordering.addUnit();
  barrier.initThread = current;
  barrier.initSite = site;
  barrier.initFence = fences[current];
  barrier.rank = getRank();
}

Block::Mbarrier &Block::findMbarrier(void *address, bool mayBeRemote,
                                     uint32_t site) {
  uint32_t rank = getRank(address);
  if (rank != getRank() && rank < members.size()) {
    if (!mayBeRemote)
      finding = "mbarrier: a thread can only wait for one of its own block";
    else if (members[rank]->done == perBlock)
      finding = "exit: accesses the shared memory of block " +
                std::to_string(rank) + " of the cluster, which has returned";
    check(finding.empty(), site);
  }
  auto found = mbarriers.find(address);
  if (found == mbarriers.end()) {
    finding = "mbarrier: nothing has initialised the one at this address";
    check(false, site);
  }
  // The access must be after the initialisation.
  check(members[rank]->shared.read(address, 8, 8, getAccess(site), finding),
        site);
  return found->second;
}

void Block::fenceInit() {
  fenceAsync();
  ordering.release(current, warpEpochs[current / 32],
                   threads[current].fencedInit);
}

void Block::checkInitFence(const Mbarrier &barrier, uint32_t site) {
  if (fences[barrier.initThread] != barrier.initFence)
    return;
  finding = "fence: completes on the mbarrier that " +
            describeThread(barrier.initThread) + " initialised at " +
            library->getSite(barrier.initSite) +
            " with no fence.mbarrier_init since";
  check(false, site);
}

void Block::completePhase(Mbarrier &barrier) {
  if (barrier.pending || barrier.bytes)
    return;
  barrier.pending = barrier.arrivals;
  ++barrier.phase;
  barrier.completed = std::move(barrier.arrived);
  barrier.arrived.clear();
  ordering.finish(barrier.unit, barrier.phase, barrier.completed);
  for (uint32_t thread : barrier.waiting)
    threads[thread].state = State::Ready;
  barrier.waiting.clear();
}

void Block::arriveAtMbarrier(void *address, uint32_t arrivals, uint32_t bytes,
                             uint32_t site) {
  switchSometimes();
  Mbarrier &barrier = findMbarrier(address, /*mayBeRemote=*/true, site);
  if (barrier.rank != getRank()) {
    checkInitFence(barrier, site);
    members[barrier.rank]->visits[current] = getAccess(site);
  }
  if (arrivals > barrier.pending) {
    finding = "mbarrier: more arrivals than the " +
              std::to_string(barrier.arrivals) + " it was initialised for";
    check(false, site);
  }
  barrier.bytes += bytes;
  barrier.pending -= arrivals;
  if (arrivals)
    ordering.release(current, warpEpochs[current / 32], barrier.arrived);
  completePhase(barrier);
}

void Block::waitForMbarrier(void *address, uint32_t parity, uint32_t site) {
  switchSometimes();
  Mbarrier &barrier = findMbarrier(address, /*mayBeRemote=*/false, site);
  // The phase before the first counts as complete, with parity 1.
  while ((barrier.phase & 1) == (parity & 1)) {
    barrier.waiting.push_back(current);
    wait(site);
  }
  ordering.acquire(current, barrier.completed);
}

//===----------------------------------------------------------------------===//
// Interface of kernels
//===----------------------------------------------------------------------===//

void sim_named_barrier(uint32_t number, uint32_t threads, uint32_t waits,
                       uint32_t site) {
  running->namedBarrier(number, threads, waits != 0, site);
}
void sim_mbarrier_init(void *mbarrier, uint32_t arrivals, uint32_t site) {
  running->initMbarrier(mbarrier, arrivals, site);
}
void sim_mbarrier_arrive(void *mbarrier, uint32_t arrivals, uint32_t bytes,
                         uint32_t site) {
  running->arriveAtMbarrier(mbarrier, arrivals, bytes, site);
}
void sim_mbarrier_wait(void *mbarrier, uint32_t parity, uint32_t site) {
  running->waitForMbarrier(mbarrier, parity, site);
}
void sim_fence_async() { running->fenceAsync(); }
void sim_fence_init() { running->fenceInit(); }
