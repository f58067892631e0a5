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
    : bytes(static_cast<char *>(aligned_alloc(capacity, capacity))),
      words(capacity), owner(capacity / 4) {
  if (!bytes)
    throw std::bad_alloc();
}

bool SharedMemory::place(uint32_t variable, uint32_t size, uint32_t alignment) {
  // An odd multiple of the alignment, so that it is not larger.
  uint32_t offset = (used + alignment - 1) / alignment * alignment;
  if (offset / alignment % 2 == 0)
    offset += alignment;
  if (uint64_t(offset) + size + 64 > capacity || placed.size() == 255)
    return false;
  placed.push_back({variable, offset, size});
  for (uint32_t i = offset / 4; i < (offset + size + 3) / 4; ++i)
    owner[i] = placed.size();
  used = offset + size + 64;
  return true;
}

bool SharedMemory::layOut(const Library &from, const Kernel &kernel,
                          uint32_t dynamic, std::string &finding) {
  library = &from;
  shift = kernel.shift;
  placed.clear();
  owner.assign(owner.size(), 0);
  used = 64;
  uint64_t declared = 0;
  const SharedVariable *strictest = nullptr; // of those without a size
  bool fits = true;
  for (uint32_t variable : kernel.shared) {
    const SharedVariable &found = from.shared[variable];
    declared += found.bytes;
    if (found.bytes)
      fits = fits && place(variable, found.bytes, found.alignment);
    else if (!strictest || found.alignment > strictest->alignment)
      strictest = &found;
  }
  if (declared > maxDeclared) {
    finding = "its shared variables take " + std::to_string(declared) +
              " bytes; above " + std::to_string(maxDeclared) +
              " shared memory must be asked for at the launch";
    return false;
  }
  if (strictest)
    fits = fits &&
           place(strictest - from.shared.data(), dynamic, strictest->alignment);
  if (!fits)
    finding = std::to_string(declared + dynamic) +
              " bytes of shared memory are more than any device has";
  return fits;
}

void SharedMemory::beginBlock(uint32_t epoch, const Order &ofBlock,
                              const std::vector<uint16_t> &ofThreads,
                              uint32_t inCluster, uint32_t perBlock) {
  blockEpoch = epoch;
  rank = inCluster;
  threads = perBlock;
  order = &ofBlock;
  fences = &ofThreads;
  readers.clear();
  auto *data = reinterpret_cast<uint32_t *>(bytes.get());
  for (uint32_t i = 0; i < used / 4; ++i)
    data[i] = unwritten;
}

void *SharedMemory::getAddress(uint32_t variable) const {
  // All variables without a size are the same memory.
  for (const Placed &place : placed)
    if (place.variable == variable || (!library->shared[place.variable].bytes &&
                                       !library->shared[variable].bytes))
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

std::string SharedMemory::describeThread(const Access &access) const {
  std::string text = "thread " + std::to_string(access.thread % threads);
  if (isRemote(access))
    text += " of block " + std::to_string(access.thread / threads) +
            " of the cluster";
  return text;
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
  if (other.kind == Access::Pending) {
    finding = std::string("pending: ") + what + " " + describe(word << shift) +
              ", which the asynchronous copy of " + describeThread(other) +
              " at " + library->getSite(other.site) +
              " may write until it is waited for";
    return false;
  }
  finding = std::string("race: ") + what + " " + describe(word << shift) +
            ", which " +
            (other.thread >= Order::firstUnit
                 ? "an asynchronous unit"
                 : (other.kind == Access::One ? "" : "others and ") +
                       describeThread(other)) +
            " " + otherDid + " at " + library->getSite(other.site) +
            " with no barrier between";
  return false;
}

/// Adds `now` to the readers of a location, of which one stands for all.
static void addReader(Access &reader, const Access &now) {
  if (reader.epoch != now.epoch)
    reader = now;
  else if (reader.kind == Access::Warps)
    return;
  else if (!reader.isSameWarp(now))
    reader.kind = Access::Warps;
  else if (reader.warpEpoch != now.warpEpoch)
    reader = now;
  else if (reader.thread != now.thread)
    reader.kind = Access::Lanes;
}

static void addReader(std::vector<Access> &all, const Access &now) {
  for (Access &reader : all)
    if (reader.thread == now.thread) {
      reader = now;
      return;
    }
  all.push_back(now);
}

const Access *SharedMemory::findUnorderedReader(uint32_t index,
                                                const Access &now) const {
  if (!order->isActive())
    return words[index].reader.isBefore(now) ? nullptr : &words[index].reader;
  auto found = readers.find(index);
  if (found != readers.end())
    for (const Access &reader : found->second)
      if (!isOrdered(reader, now))
        return &reader;
  return nullptr;
}

bool SharedMemory::read(const void *address, uint32_t size, uint32_t alignment,
                        const Access &now, const Access &reader,
                        std::string &finding) {
  uint32_t offset = static_cast<const char *>(address) - bytes.get();
  if (!isInside(offset, size, alignment, "reads", finding))
    return false;
  bool isActive = order->isActive();
  for (uint32_t i = offset >> shift; i <= (offset + size - 1) >> shift; ++i) {
    Word &word = words[i];
    if (word.writer.epoch < blockEpoch) {
      finding = "never written: reads " + describe(i << shift) +
                ", which nothing in this block has written";
      return false;
    }
    if (isPending(word) || !isOrdered(word.writer, now))
      return fail(finding, "reads", i, word.writer, "wrote");
    if (isActive)
      addReader(readers[i], reader);
    else
      addReader(word.reader, reader);
  }
  return true;
}

bool SharedMemory::readAsync(const void *address, uint32_t size,
                             const Access &now, uint16_t unit, uint32_t clock,
                             std::string &finding) {
  Access reader = now;
  reader.thread = unit;
  reader.clock = clock;
  return read(address, size, 16, now, reader, finding);
}

bool SharedMemory::write(void *address, uint32_t size, uint32_t alignment,
                         const Access &now, std::string &finding) {
  uint32_t offset = static_cast<char *>(address) - bytes.get();
  if (!isInside(offset, size, alignment, "writes", finding))
    return false;
  for (uint32_t i = offset >> shift; i <= (offset + size - 1) >> shift; ++i) {
    Word &word = words[i];
    if (isPending(word) || !isOrdered(word.writer, now))
      return fail(finding, "writes", i, word.writer, "wrote");
    if (const Access *reader = findUnorderedReader(i, now))
      return fail(finding, "writes", i, *reader, "read");
    if (order->isActive())
      readers.erase(i);
    word.writer = now;
  }
  return true;
}

bool SharedMemory::beginCopy(void *address, uint32_t size, uint32_t alignment,
                             Access now, std::string &finding) {
  if (!write(address, size, alignment, now, finding))
    return false;
  now.kind = Access::Pending;
  uint32_t offset = static_cast<char *>(address) - bytes.get();
  for (uint32_t i = offset >> shift; i <= (offset + size - 1) >> shift; ++i)
    words[i].writer = now;
  return true;
}

void SharedMemory::endCopy(void *address, uint32_t size, const Access &now) {
  uint32_t offset = static_cast<char *>(address) - bytes.get();
  for (uint32_t i = offset >> shift; i <= (offset + size - 1) >> shift; ++i)
    words[i].writer = now;
}

bool SharedMemory::isFenced(const void *address, uint32_t size,
                            const char *what, std::string &finding) const {
  uint32_t offset = static_cast<const char *>(address) - bytes.get();
  for (uint32_t i = offset >> shift; i <= (offset + size - 1) >> shift; ++i) {
    const Access &writer = words[i].writer;
    if (writer.epoch < blockEpoch || writer.thread >= Order::firstUnit ||
        (*fences)[writer.thread] != writer.fence)
      continue;
    finding = std::string("fence: ") + what + " " + describe(i << shift) +
              ", which " + describeThread(writer) + " wrote at " +
              library->getSite(writer.site) +
              " with no fence.proxy.async since";
    return false;
  }
  return true;
}
