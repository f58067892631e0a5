//===- TensorCopy.cpp - Copies of boxes of tensors (TMA) ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A load arrives when no thread can go on, one copy after the other: as late as
// possible. Until then its bytes are pending. A store takes effect at once; the
// bytes in shared memory count as read until the thread has waited.
//
//===----------------------------------------------------------------------===//

#include "Block.h"

#include <cstring>
#include <functional>

using namespace vit::sim;

/// Calls `visit` for each element of a box: its offset in the box in bytes, and
/// its address in global memory, null outside of the tensor. Stops if that
/// returns false.
static bool forEachElement(const TensorMap &map, const int32_t *coordinates,
                           const std::function<bool(uint64_t, char *)> &visit) {
  uint32_t rows = 1;
  for (uint32_t i = 1; i < map.rank; ++i)
    rows *= map.box[i];
  for (uint32_t row = 0; row < rows; ++row) {
    char *address = map.base;
    bool inside = true;
    for (uint32_t i = 1, rest = row; i < map.rank; ++i) {
      int64_t at = int64_t(coordinates[i]) + rest % map.box[i];
      rest /= map.box[i];
      inside &= at >= 0 && at < map.extents[i];
      address += at * static_cast<int64_t>(map.strides[i - 1]);
    }
    for (uint32_t i = 0; i < map.box[0]; ++i) {
      int64_t at = int64_t(coordinates[0]) + i;
      bool valid = inside && at >= 0 && at < map.extents[0];
      if (!visit((uint64_t(row) * map.box[0] + i) * map.elementBytes,
                 valid ? address + at * map.elementBytes : nullptr))
        return false;
    }
  }
  return true;
}

static char *getSwizzled(const void *begin, uint64_t offset, uint32_t row) {
  return reinterpret_cast<char *>(
      swizzleAddress(reinterpret_cast<uint64_t>(begin) + offset, row));
}

/// Whether a copy with this map may be.
static bool isValid(const TensorMap *map, uint32_t rank, const void *address,
                    std::string &finding) {
  if (!map || map->magic != TensorMap::mark)
    finding = "tensor map: it is not made by cuTensorMapEncodeTiled";
  else if (map->rank != rank)
    finding = "tensor map: it has " + std::to_string(map->rank) +
              " dimensions, but there are " + std::to_string(rank) +
              " coordinates";
  else if (reinterpret_cast<uintptr_t>(address) % 128)
    finding = "misaligned: boxes of tensors must be aligned to 128 bytes in "
              "shared memory";
  else
    return true;
  return false;
}

void Block::countTensor(const TensorMap &map, const int32_t *coordinates,
                        bool write, uint32_t site) {
  if (!counters)
    return;
  std::vector<uintptr_t> addresses;
  forEachElement(map, coordinates, [&](uint64_t, char *address) {
    if (address)
      addresses.push_back(reinterpret_cast<uintptr_t>(address));
    return true;
  });
  counters->copyTensor(site, write, addresses, map.elementBytes);
}

/// A load into the memory of one block, at `to`.
void Block::beginLoad(void *to, const TensorMap *map,
                      const int32_t *coordinates, void *mbarrier,
                      uint32_t site) {
  Mbarrier &barrier = findMbarrier(mbarrier, /*mayBeRemote=*/true, site);
  checkInitFence(barrier, site);
  auto bytes = static_cast<uint32_t>(map->getBoxBytes());
  check(members[barrier.rank]->shared.beginCopy(to, bytes, 128, getAccess(site),
                                                finding),
        site);
  TensorCopy copy{static_cast<char *>(to), map, {}, site, current};
  memcpy(copy.coordinates, coordinates, map->rank * sizeof *coordinates);
  barrier.copies.push_back(copy);
}

void Block::loadTensor(void *to, const TensorMap *map,
                       const int32_t *coordinates, uint32_t rank,
                       void *mbarrier, uint32_t mask, uint32_t site) {
  switchSometimes();
  check(isValid(map, rank, to, finding), site);
  if (getRank(to) != getRank() || getRank(mbarrier) != getRank()) {
    finding = "multicast: the addresses must be those of this block";
    check(false, site);
  }
  if (mask >> members.size()) {
    finding = "multicast: the mask " + std::to_string(mask) +
              " names blocks that a cluster of " +
              std::to_string(members.size()) + " does not have";
    check(false, site);
  }
  for (uint32_t other = 0; other < members.size(); ++other)
    if (mask ? mask >> other & 1 : other == getRank())
      beginLoad(mapShared(to, other, site), map, coordinates,
                mapShared(mbarrier, other, site), site);
  Access now = getAccess(site);
  check(forEachElement(*map, coordinates,
                       [&](uint64_t, char *from) {
                         return !from || global.read(from, map->elementBytes,
                                                     map->elementBytes, now,
                                                     getBlock(), finding);
                       }),
        site);
  countTensor(*map, coordinates, false, site);
}

bool Block::landCopy() {
  for (auto &[address, barrier] : mbarriers) {
    if (barrier.copies.empty() || barrier.waiting.empty())
      continue;
    TensorCopy copy = barrier.copies.front();
    barrier.copies.erase(barrier.copies.begin());
    const TensorMap &map = *copy.map;
    forEachElement(map, copy.coordinates, [&](uint64_t offset, char *from) {
      char *to = getSwizzled(copy.to, offset, map.swizzle);
      if (from)
        memcpy(to, from, map.elementBytes);
      else
        memset(to, 0, map.elementBytes);
      return true;
    });
    auto bytes = static_cast<uint32_t>(map.getBoxBytes());
    Access written;
    written.epoch = members[barrier.rank]->epoch;
    written.site = copy.site;
    written.clock = barrier.phase + 1;
    written.thread = barrier.unit;
    members[barrier.rank]->shared.endCopy(copy.to, bytes, written);
    barrier.bytes -= bytes;
    completePhase(barrier);
    return true;
  }
  return false;
}

void Block::storeTensor(const void *from, const TensorMap *map,
                        const int32_t *coordinates, uint32_t rank,
                        uint32_t site) {
  switchSometimes();
  check(isValid(map, rank, from, finding), site);
  Thread &self = threads[current];
  if (!self.storeClock) {
    if (!ordering.hasUnits()) {
      finding = "too many threads store tensors for the simulator";
      check(false, site);
    }
    self.storeUnit = ordering.addUnit();
  }
  ++self.storeClock;
  auto bytes = static_cast<uint32_t>(map->getBoxBytes());
  Access now = getAccess(site);
  check(own->shared.readAsync(from, bytes, now, self.storeUnit, self.storeClock,
                              finding),
        site);
  check(own->shared.isFenced(from, bytes, "stores", finding), site);
  check(forEachElement(*map, coordinates,
                       [&](uint64_t offset, char *to) {
                         if (!to)
                           return true;
                         if (!global.write(to, map->elementBytes,
                                           map->elementBytes, now, getBlock(),
                                           finding))
                           return false;
                         memcpy(to, getSwizzled(from, offset, map->swizzle),
                                map->elementBytes);
                         return true;
                       }),
        site);
  countTensor(*map, coordinates, true, site);
}

void Block::commitStores() {
  threads[current].storeGroups.push_back(threads[current].storeClock);
}

void Block::waitForStores(uint32_t most) {
  Thread &self = threads[current];
  if (self.storeGroups.size() <= most || !self.storeClock)
    return;
  self.storesRead = self.storeGroups[self.storeGroups.size() - 1 - most];
  ordering.acquireUnit(current, self.storeUnit, self.storesRead);
}

//===----------------------------------------------------------------------===//
// Interface of kernels
//===----------------------------------------------------------------------===//

void sim_load_tensor(void *to, const void *map, const int32_t *coordinates,
                     uint32_t rank, void *mbarrier, uint32_t mask,
                     uint32_t site) {
  running->loadTensor(to, static_cast<const TensorMap *>(map), coordinates,
                      rank, mbarrier, mask, site);
}
void sim_store_tensor(const void *from, const void *map,
                      const int32_t *coordinates, uint32_t rank,
                      uint32_t site) {
  running->storeTensor(from, static_cast<const TensorMap *>(map), coordinates,
                       rank, site);
}
void sim_commit_stores() { running->commitStores(); }
void sim_wait_stores(uint32_t most) { running->waitForStores(most); }
