//===- Cluster.cpp - Blocks that run together -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The blocks of a cluster are scheduled together. A block may arrive at the
// mbarriers of another one, and TMA may write into its memory; its threads may
// not load and store there. What a block accesses in another one must be
// ordered by vector clocks: after the initialisation of the mbarrier, before
// the end of the other block.
//
//===----------------------------------------------------------------------===//

#include "Block.h"

using namespace vit::sim;

uint32_t Block::getRank(const void *address) const {
  for (uint32_t rank = 0; rank < members.size(); ++rank)
    if (members[rank]->shared.contains(address))
      return rank;
  return static_cast<uint32_t>(members.size());
}

std::string Block::describeThread(uint32_t thread) const {
  std::string text = "thread " + std::to_string(thread % perBlock);
  if (members.size() > 1)
    text +=
        " of block " + std::to_string(thread / perBlock) + " of the cluster";
  return text;
}

void *Block::mapShared(void *address, uint32_t rank, uint32_t site) {
  if (!own->shared.contains(address) || rank >= members.size()) {
    finding = "mapa: there is no block " + std::to_string(rank) +
              " in a cluster of " + std::to_string(members.size()) +
              ", or the address is not in the shared memory of this one";
    check(false, site);
  }
  ptrdiff_t offset = static_cast<char *>(address) -
                     static_cast<const char *>(own->shared.getBase());
  return static_cast<char *>(
             const_cast<void *>(members[rank]->shared.getBase())) +
         offset;
}

void Block::arriveAtCluster(bool relaxed, uint32_t site) {
  Thread &self = threads[current];
  if (self.atCluster)
    fail("divergence: at " + library->getSite(site) +
         ": it arrives at the barrier of the cluster a second time, without "
         "having waited");
  self.atCluster = true;
  self.clusterPhase = clusterBarrier.phase;
  if (relaxed)
    Order::add(self.fencedInit, clusterBarrier.arrivals);
  else
    ordering.release(current, warpEpochs[current / 32],
                     clusterBarrier.arrivals);
  ++clusterBarrier.arrived;
  completeCluster();
}

void Block::completeCluster() {
  ClusterBarrier &barrier = clusterBarrier;
  if (!barrier.arrived || barrier.arrived < count - done)
    return;
  barrier.arrived = 0;
  ++barrier.phase;
  barrier.completed = std::move(barrier.arrivals);
  barrier.arrivals.clear();
  for (uint32_t thread : barrier.waiting)
    threads[thread].state = State::Ready;
  barrier.waiting.clear();
}

void Block::waitForCluster(uint32_t site) {
  Thread &self = threads[current];
  if (!self.atCluster)
    fail("divergence: at " + library->getSite(site) +
         ": it waits for the barrier of the cluster without having arrived");
  while (clusterBarrier.phase == self.clusterPhase) {
    clusterBarrier.waiting.push_back(current);
    wait(site);
  }
  self.atCluster = false;
  ordering.acquire(current, clusterBarrier.completed);
}

void Block::checkVisits() {
  uint32_t first = getFirst();
  for (const auto &[thread, visit] : own->visits) {
    bool isKnown = false;
    for (uint32_t i = first; i < first + perBlock; ++i)
      isKnown |= ordering.knows(i, visit);
    if (!isKnown)
      fail(
          "exit: its block returns, and nothing has ordered before that what " +
          describeThread(thread) + " does at " + library->getSite(visit.site) +
          " in its shared memory");
  }
  for (const auto &[address, barrier] : mbarriers)
    for (const TensorCopy &copy : barrier.copies)
      if (barrier.rank == getRank() && copy.thread / perBlock != getRank())
        fail("exit: its block returns, and the copy of " +
             describeThread(copy.thread) + " at " +
             library->getSite(copy.site) +
             " may still write its shared memory");
}

//===----------------------------------------------------------------------===//
// Interface of kernels
//===----------------------------------------------------------------------===//

void *sim_map_shared(void *address, uint32_t rank, uint32_t site) {
  return running->mapShared(address, rank, site);
}
void sim_cluster_arrive(uint32_t relaxed, uint32_t site) {
  running->arriveAtCluster(relaxed != 0, site);
}
void sim_cluster_wait(uint32_t site) { running->waitForCluster(site); }
