//===- Block.cpp - Runs blocks with a fiber per thread --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Block.h"

#include <new>

using namespace vit::sim;

thread_local Block *vit::sim::running = nullptr;

//===----------------------------------------------------------------------===//
// Called by the scheduler
//===----------------------------------------------------------------------===//

bool Block::beginRun(const Library &from, const Kernel &what, void **with,
                     Extent gridSize, Extent blockSize, uint32_t dynamicShared,
                     const Schedule &inOrder) {
  library = &from;
  kernel = &what;
  arguments = with;
  grid = gridSize;
  size = blockSize;
  schedule = inOrder;
  schedule.restart();
  finding.clear();
  failed = false;
  perBlock = static_cast<uint32_t>(size.getCount());
  count = perBlock * kernel->cluster;
  if (!stacks.reserve(count)) {
    finding = "out of memory for the threads' stacks";
    return false;
  }
  threads.resize(count);
  // Epochs have 32 bits to keep the shadow memory small. Half of the range is
  // more than any launch needs; then start again from 0.
  if (epoch > 0x80000000u) {
    epoch = 0;
    global.reset();
    members.clear();
  }
  while (members.size() < kernel->cluster)
    members.push_back(std::make_unique<Member>());
  members.resize(kernel->cluster);
  for (auto &member : members)
    if (!member->shared.layOut(from, what, dynamicShared, finding))
      return false;
  global.setLibrary(library);
  global.beginRun(epoch + 1);
  return true;
}

bool Block::run(uint32_t cluster) {
  firstBlock = cluster * kernel->cluster;
  done = 0;
  ordering.begin(count, kernel->ordered);
  fences.assign(count, 1);
  uint32_t first = epoch + 1;
  for (uint32_t rank = 0; rank < members.size(); ++rank) {
    Member &member = *members[rank];
    member.epoch = ++epoch;
    member.atBarrier = member.done = 0;
    for (NamedBarrier &barrier : member.named)
      barrier = {};
    member.visits.clear();
    member.shared.beginBlock(first, ordering, fences, rank, perBlock);
  }
  global.setOrder(&ordering);
  clusterBarrier = {};
  mbarriers.clear();
  warpgroups.assign((count + 127) / 128, {});
  meetings.assign((count + 31) / 32, {});
  warpEpochs.assign((count + 31) / 32, 0);
  for (uint32_t i = 0; i < count; ++i) {
    threads[i] = {};
    threads[i].stack = stacks.prepare(i, startThread);
    threads[i].state = State::Ready;
  }
  running = this;
  while (done < count && !failed) {
    schedule.order(order, count);
    bool progress = false;
    for (uint32_t thread : order) {
      if (threads[thread].state != State::Ready)
        continue;
      progress = true;
      current = thread;
      own = members[thread / perBlock].get();
      sim_switch(&scheduler, threads[thread].stack);
      if (failed)
        break;
    }
    if (!progress && !landCopy()) {
      failed = true;
      finding = describeDeadlock();
    }
  }
  running = nullptr;
  if (counters)
    counters->endBlock();
  return !failed;
}

std::string Block::describeDeadlock() const {
  std::string text = "deadlock:";
  // One thread for each state and place.
  std::vector<std::pair<State, uint32_t>> seen;
  for (uint32_t i = 0; i < count; ++i) {
    const Thread &thread = threads[i];
    auto place = std::make_pair(thread.state, thread.site);
    bool known = false;
    for (auto &other : seen)
      known |= other == place;
    if (known || thread.state == State::Done)
      continue;
    seen.push_back(place);
    text += (seen.size() > 1 ? "; " : " ") + describeThread(i) +
            (thread.state == State::AtBarrier ? " waits at the barrier at "
             : thread.state == State::InWarp  ? " waits for its warp at "
                                              : " waits at ") +
            library->getSite(thread.site);
  }
  return text;
}

//===----------------------------------------------------------------------===//
// Called by a thread
//===----------------------------------------------------------------------===//

void Block::startThread() {
  running->kernel->entry(running->arguments);
  running->finish();
}

void Block::yield() { sim_switch(&threads[current].stack, scheduler); }

void Block::wait(uint32_t site) {
  threads[current].site = site;
  threads[current].state = State::Waiting;
  yield();
}

void Block::check(bool right, uint32_t site) {
  if (right)
    return;
  finding = "at " + library->getSite(site) + ": " + finding;
  fail();
}

void Block::finish() {
  Thread &thread = threads[current];
  if (thread.storesRead != thread.storeClock)
    fail("pending: it has returned before its bulk stores have read shared "
         "memory");
  if (own->atBarrier)
    for (uint32_t i = getFirst(); i < getFirst() + perBlock; ++i)
      if (threads[i].state == State::AtBarrier)
        fail("divergence: it has returned while " + describeThread(i) +
             " waits at the barrier at " + library->getSite(threads[i].site));
  if (++own->done == perBlock)
    checkVisits();
  thread.state = State::Done;
  ++done;
  completeCluster();
  yield();
  __builtin_unreachable(); // a finished thread is never resumed
}

void Block::fail(const std::string &what) {
  finding = what;
  fail();
}

void Block::fail() {
  finding = "block " + std::to_string(getBlock()) + ", thread " +
            std::to_string(current % perBlock) + ": " + finding;
  failed = true;
  yield();
  __builtin_unreachable();
}

Access Block::getAccess(uint32_t site) const {
  Access access;
  access.epoch = own->epoch;
  access.warpEpoch = warpEpochs[current / 32];
  access.site = site;
  if (ordering.isActive()) {
    access.clock = ordering.getClock(current);
    access.fence = fences[current];
  }
  access.thread = static_cast<uint16_t>(current);
  return access;
}

uint32_t Block::getRegister(Register which) const {
  switch (which) {
  case Register::ThreadX:
    return current % perBlock % size.x;
  case Register::ThreadY:
    return current % perBlock / size.x % size.y;
  case Register::ThreadZ:
    return current % perBlock / size.x / size.y;
  case Register::BlockX:
    return getBlock() % grid.x;
  case Register::BlockY:
    return getBlock() / grid.x % grid.y;
  case Register::BlockZ:
    return getBlock() / grid.x / grid.y;
  case Register::ClusterRank:
    return getRank();
  case Register::ClusterSize:
    return kernel->cluster;
  case Register::BlockSizeX:
    return size.x;
  case Register::BlockSizeY:
    return size.y;
  case Register::BlockSizeZ:
    return size.z;
  case Register::GridX:
    return grid.x;
  case Register::GridY:
    return grid.y;
  case Register::GridZ:
    return grid.z;
  case Register::Lane:
    return current % 32;
  case Register::WarpSize:
    return 32;
  }
  return 0;
}

void Block::switchSometimes() {
  if (schedule.kind == Schedule::Shuffled && schedule.getRandom() % 32 == 0)
    yield();
}

void Block::access(void *address, uint32_t bytes, uint32_t alignment,
                   uint32_t site, bool write, bool isShared) {
  isShared = isShared || own->shared.contains(address);
  if (isShared)
    switchSometimes();
  if (members.size() > 1 && !own->shared.contains(address) &&
      getRank(address) < members.size()) {
    finding = "the simulator knows no loads and stores in the shared memory of "
              "another block";
    check(false, site);
  }
  bool right;
  if (isShared)
    right = write ? own->shared.write(address, bytes, alignment,
                                      getAccess(site), finding)
                  : own->shared.read(address, bytes, alignment, getAccess(site),
                                     finding);
  else if (stacks.contains(current, reinterpret_cast<uintptr_t>(address)))
    return; // local arrays of the thread
  else
    right = write ? global.write(address, bytes, alignment, getAccess(site),
                                 getBlock(), finding)
                  : global.read(address, bytes, alignment, getAccess(site),
                                getBlock(), finding);
  if (right)
    return countRequest(site, isShared ? Space::Shared : Space::Global, write,
                        address, bytes, alignment);
  finding = "at " + library->getSite(site) + ": " + finding;
  fail();
}

void Block::barrier(uint32_t site) {
  uint32_t first = getFirst(), last = first + perBlock;
  if (own->done)
    for (uint32_t i = first; i < last; ++i)
      if (threads[i].state == State::Done)
        fail("divergence: it waits at the barrier at " +
             library->getSite(site) + ", but " + describeThread(i) +
             " has returned");
  if (own->atBarrier)
    for (uint32_t i = first; i < last; ++i)
      if (threads[i].state == State::AtBarrier) {
        if (threads[i].site != site)
          fail("divergence: it waits at the barrier at " +
               library->getSite(site) + ", but " + describeThread(i) +
               " at the one at " + library->getSite(threads[i].site));
        break;
      }
  threads[current].site = site;
  threads[current].state = State::AtBarrier;
  if (++own->atBarrier == perBlock) {
    own->atBarrier = 0;
    own->epoch = ++epoch;
    if (members.size() == 1)
      ordering.forget();
    else
      ordering.synchronize(first, perBlock, warpEpochs);
    for (uint32_t i = first; i < last; ++i)
      threads[i].state = State::Ready;
  }
  yield();
}

/// Counts the current lane in for a warp operation of the lanes in `mask`.
void Block::arrive(uint32_t mask, uint32_t site) {
  uint32_t warp = current / 32, lane = current % 32;
  uint32_t lanes = std::min(32u, count - warp * 32);
  uint32_t existing = lanes == 32 ? ~0u : (1u << lanes) - 1;
  // Code for full warps passes a full mask even if there are fewer lanes.
  uint32_t named = mask == ~0u ? existing : mask;
  Meeting &meeting = meetings[warp];
  if (!(named >> lane & 1) || (named & ~existing))
    fail("divergence: at " + library->getSite(site) +
         ": the mask does not name this lane, or one that does not exist");
  if (meeting.arrived && (meeting.mask != named || meeting.site != site))
    fail("divergence: it is at " + library->getSite(site) +
         ", but other lanes of its warp are at " +
         library->getSite(meeting.site));
  for (uint32_t i = 0; i < lanes; ++i)
    if ((named >> i & 1) && threads[warp * 32 + i].state == State::Done)
      fail("divergence: it waits at " + library->getSite(site) + ", but lane " +
           std::to_string(i) + " of its warp has returned");
  meeting.mask = named;
  meeting.site = site;
  meeting.arrived |= 1u << lane;
  threads[current].site = site;
  threads[current].state = State::InWarp;
}

void Block::warpBarrier(uint32_t mask, uint32_t site) {
  meet(mask, site, [&](Thread *warp, uint32_t named) {
    // One epoch per warp cannot represent a barrier of some lanes: their
    // accesses count as unordered.
    uint32_t lanes = std::min(32u, count - current / 32 * 32);
    if (named == (lanes == 32 ? ~0u : (1u << lanes) - 1))
      ++warpEpochs[current / 32];
    if (!ordering.isActive())
      return;
    // What one lane has acquired, all know now.
    Order::Clocks all;
    uint32_t first = static_cast<uint32_t>(warp - threads.data());
    for (uint32_t lane = 0; lane < 32; ++lane)
      if (named >> lane & 1)
        ordering.release(first + lane, warpEpochs[current / 32], all);
    for (uint32_t lane = 0; lane < 32; ++lane)
      if (named >> lane & 1)
        ordering.acquire(first + lane, all);
  });
}

uint64_t Block::shuffle(uint32_t mask, uint32_t value, uint32_t offset,
                        uint32_t clamp, Shuffle kind, uint32_t site) {
  Thread &self = threads[current];
  self.value = value;
  self.offset = offset & 31;
  self.clamp = clamp;
  meet(mask, site, [&](Thread *warp, uint32_t named) {
    for (int lane = 0; lane < 32; ++lane) {
      if (!(named >> lane & 1))
        continue;
      // As in the PTX manual (shfl.sync).
      Thread &thread = warp[lane];
      int segment = thread.clamp >> 8 & 31, limit = thread.clamp & 31;
      int by = static_cast<int>(thread.offset);
      int last = (lane & segment) | (limit & ~segment & 31);
      int first = lane & segment, source = lane;
      bool valid = true;
      switch (kind) {
      case Shuffle::Butterfly:
        source = lane ^ by;
        valid = source <= last;
        break;
      case Shuffle::Up:
        source = lane - by;
        valid = source >= last;
        break;
      case Shuffle::Down:
        source = lane + by;
        valid = source <= last;
        break;
      case Shuffle::Index:
        source = first | (by & ~segment & 31);
        valid = source <= last;
        break;
      }
      if (!valid)
        source = lane;
      if (!(named >> source & 1))
        fail("shuffle: at " + library->getSite(site) + ": lane " +
             std::to_string(lane) + " reads lane " + std::to_string(source) +
             ", which does not take part");
      thread.result = warp[source].value | uint64_t(valid) << 32;
    }
  });
  return threads[current].result;
}

uint32_t Block::vote(uint32_t mask, bool predicate, Vote kind, uint32_t site) {
  threads[current].value = predicate;
  meet(mask, site, [&](Thread *warp, uint32_t named) {
    uint32_t ballot = 0;
    for (uint32_t lane = 0; lane < 32; ++lane)
      if ((named >> lane & 1) && warp[lane].value)
        ballot |= 1u << lane;
    uint32_t result = ballot;
    if (kind == Vote::Any)
      result = ballot != 0;
    else if (kind == Vote::All)
      result = ballot == named;
    else if (kind == Vote::Uniform)
      result = ballot == named || ballot == 0;
    for (uint32_t lane = 0; lane < 32; ++lane)
      if (named >> lane & 1)
        warp[lane].result =
            kind != Vote::Leader ? result : !(named & ((1u << lane) - 1));
  });
  return static_cast<uint32_t>(threads[current].result);
}

//===----------------------------------------------------------------------===//
// Interface of kernels
//===----------------------------------------------------------------------===//

void sim_read_shared(const void *address, uint32_t bytes, uint32_t alignment,
                     uint32_t site) {
  running->access(const_cast<void *>(address), bytes, alignment, site, false,
                  true);
}
void sim_write_shared(void *address, uint32_t bytes, uint32_t alignment,
                      uint32_t site) {
  running->access(address, bytes, alignment, site, true, true);
}
void sim_read(const void *address, uint32_t bytes, uint32_t alignment,
              uint32_t site) {
  running->access(const_cast<void *>(address), bytes, alignment, site, false,
                  false);
}
void sim_write(void *address, uint32_t bytes, uint32_t alignment,
               uint32_t site) {
  running->access(address, bytes, alignment, site, true, false);
}
void *sim_shared(uint32_t variable) { return running->getShared(variable); }
uint32_t sim_register(uint32_t which) {
  return running->getRegister(static_cast<Register>(which));
}
void sim_execute(uint32_t basicBlock) { running->execute(basicBlock); }
void sim_barrier(uint32_t site) { running->barrier(site); }
void sim_warp_barrier(uint32_t mask, uint32_t site) {
  running->warpBarrier(mask, site);
}
uint64_t sim_shuffle(uint32_t mask, uint32_t value, uint32_t offset,
                     uint32_t clamp, uint32_t kind, uint32_t site) {
  return running->shuffle(mask, value, offset, clamp,
                          static_cast<Shuffle>(kind), site);
}
uint32_t sim_vote(uint32_t mask, uint32_t predicate, uint32_t kind,
                  uint32_t site) {
  return running->vote(mask, predicate != 0, static_cast<Vote>(kind), site);
}
