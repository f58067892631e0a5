//===- AsyncCopy.cpp - Copies from global to shared memory
//---------------===//!!
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cp.async. Its data arrives as late as the PTX manual allows: when the thread
// waits for the group of the copy. Until then the bytes in shared memory are
// neither old nor new, and every access to them is an error, also under
// schedules where the result would be right. Other threads need a barrier after
// that wait.
//
//===----------------------------------------------------------------------===//

#include "Block.h"

#include <cstring>

using namespace vit::sim;

void Block::copyAsync(void *to, const void *from, uint32_t bytes,
                      uint32_t filled, uint32_t site) {
  switchSometimes();
  auto failHere = [&] {
    fail("at " + library->getSite(site) + ": " + finding);
  };
  if (filled > bytes) {
    finding = "copies " + std::to_string(filled) + " bytes to a place of " +
              std::to_string(bytes);
    failHere();
  }
  Access now = getAccess(site);
  if (filled && !global.read(from, filled, bytes, now, getBlock(), finding))
    failHere();
  if (!own->shared.beginCopy(to, bytes, bytes, now, finding))
    failHere();
  if (filled)
    countRequest(site, Space::Global, false, from, filled, bytes);
  countRequest(site, Space::Shared, true, to, bytes, bytes);
  Thread &self = threads[current];
  self.copies.push_back({to, from, bytes, filled, self.groups, site});
}

void Block::commitCopies() { ++threads[current].groups; }

void Block::waitForCopies(uint32_t most) {
  Thread &self = threads[current];
  size_t finished = 0;
  for (const Copy &copy : self.copies) {
    if (copy.group + uint64_t(most) >= self.groups)
      break;
    memcpy(copy.to, copy.from, copy.filled);
    memset(static_cast<char *>(copy.to) + copy.filled, 0,
           copy.bytes - copy.filled);
    own->shared.endCopy(copy.to, copy.bytes, getAccess(copy.site));
    ++finished;
  }
  self.copies.erase(self.copies.begin(),
                    self.copies.begin() + static_cast<ptrdiff_t>(finished));
}

//===----------------------------------------------------------------------===//
// Interface of kernels
//===----------------------------------------------------------------------===//

void sim_copy_async(void *to, const void *from, uint32_t bytes, uint32_t filled,
                    uint32_t site) {
  running->copyAsync(to, from, bytes, filled, site);
}
void sim_commit_copies() { running->commitCopies(); }
void sim_wait_copies(uint32_t most) { running->waitForCopies(most); }
