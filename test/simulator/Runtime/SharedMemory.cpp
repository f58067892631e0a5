//===- SharedMemory.cpp - Checked shared memory ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedMemory.h"

#include <cstdlib>
#include <cstring>
#include <new>

using namespace vit::sim;

void SharedMemory::Deleter::operator()(char *memory) const { free(memory); }

SharedMemory::SharedMemory()
    : bytes(static_cast<char *>(aligned_alloc(4096, capacity))),
      words(capacity / 4), owner(capacity / 4) {
  if (!bytes)
    throw std::bad_alloc();
}

bool SharedMemory::layOut(const Library &from, const Kernel &kernel) {
  library = &from;
  placed.clear();
  owner.assign(owner.size(), 0);
  used = 64;
  for (uint32_t variable : kernel.shared) {
    const SharedVariable &declared = from.shared[variable];
    uint32_t alignment = declared.alignment;
    // An odd multiple of the alignment, so that it is not larger.
    uint32_t offset = (used + alignment - 1) / alignment * alignment;
    if (offset / alignment % 2 == 0)
      offset += alignment;
    if (uint64_t(offset) + declared.bytes + 64 > capacity ||
        placed.size() == 255)
      return false;
    placed.push_back({variable, offset, declared.bytes});
    for (uint32_t i = offset / 4; i < (offset + declared.bytes + 3) / 4; ++i)
      owner[i] = placed.size();
    used = offset + declared.bytes + 64;
  }
  return true;
}

void SharedMemory::beginBlock(uint32_t epoch) {
  blockEpoch = epoch;
  auto *data = reinterpret_cast<uint32_t *>(bytes.get());
  for (uint32_t i = 0; i < used / 4; ++i)
    data[i] = unwritten;
}

void SharedMemory::reset() { words.assign(words.size(), {}); }

void *SharedMemory::getAddress(uint32_t variable) const {
  for (const Placed &place : placed)
    if (place.variable == variable)
      return bytes.get() + place.offset;
  return nullptr; // any access to it is out of bounds
}

std::string SharedMemory::describe(uint32_t offset) const {
  const Placed *nearest = placed.empty() ? nullptr : &placed.front();
  for (const Placed &place : placed)
    if (offset >= place.offset)
      nearest = &place;
  if (!nearest)
    return "shared memory";
  int64_t inside = int64_t(offset) - nearest->offset;
  return "byte " + std::to_string(inside) + " of shared @" +
         library->shared[nearest->variable].name + " (" +
         std::to_string(nearest->bytes) + " bytes)";
}

bool SharedMemory::isInside(uint32_t offset, uint32_t size, uint32_t alignment,
                            const char *what, std::string &finding) const {
  uint32_t last = offset + size - 1;
  bool inside = offset < capacity && last < capacity && owner[offset / 4] &&
                owner[offset / 4] == owner[last / 4];
  if (inside) {
    const Placed &place = placed[owner[offset / 4] - 1];
    inside = offset >= place.offset && last < place.offset + place.bytes;
  }
  if (!inside) {
    finding = std::string("out of bounds: ") + what + " " +
              std::to_string(size) + " bytes at " + describe(offset);
    return false;
  }
  if (offset % alignment) {
    finding =
        std::string("misaligned: ") + what + " " + std::to_string(size) +
        " bytes, said to be aligned to " + std::to_string(alignment) + ", at " +
        describe(offset) + ", which is declared with " +
        std::to_string(
            library->shared[placed[owner[offset / 4] - 1].variable].alignment);
    return false;
  }
  return true;
}

bool SharedMemory::fail(std::string &finding, const char *what, uint32_t word,
                        const Access &other, const char *otherDid) const {
  finding = std::string("race: ") + what + " " + describe(word * 4) +
            ", which " +
            (other.several == Access::One ? "thread " : "others and thread ") +
            std::to_string(other.thread) + " " + otherDid + " at " +
            library->getSite(other.site) + " with no barrier between";
  return false;
}

bool SharedMemory::read(const void *address, uint32_t size, uint32_t alignment,
                        const Access &now, std::string &finding) {
  uint32_t offset = static_cast<const char *>(address) - bytes.get();
  if (!isInside(offset, size, alignment, "reads", finding))
    return false;
  for (uint32_t i = offset / 4; i <= (offset + size - 1) / 4; ++i) {
    Word &word = words[i];
    if (word.writer.epoch < blockEpoch) {
      finding = "never written: reads " + describe(i * 4) +
                ", which nothing in this block has written";
      return false;
    }
    if (!word.writer.isBefore(now))
      return fail(finding, "reads", i, word.writer, "wrote");
    Access &reader = word.reader;
    if (reader.epoch != now.epoch)
      reader = now;
    else if (reader.several == Access::Warps)
      continue;
    else if (!reader.isSameWarp(now))
      reader.several = Access::Warps;
    else if (reader.warpEpoch != now.warpEpoch)
      reader = now;
    else if (reader.thread != now.thread)
      reader.several = Access::Lanes;
  }
  return true;
}

bool SharedMemory::write(void *address, uint32_t size, uint32_t alignment,
                         const Access &now, std::string &finding) {
  uint32_t offset = static_cast<char *>(address) - bytes.get();
  if (!isInside(offset, size, alignment, "writes", finding))
    return false;
  for (uint32_t i = offset / 4; i <= (offset + size - 1) / 4; ++i) {
    Word &word = words[i];
    if (!word.writer.isBefore(now))
      return fail(finding, "writes", i, word.writer, "wrote");
    if (!word.reader.isBefore(now))
      return fail(finding, "writes", i, word.reader, "read");
    word.writer = now;
  }
  return true;
}
