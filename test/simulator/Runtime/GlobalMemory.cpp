//===- GlobalMemory.cpp - Checked device memory ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlobalMemory.h"

#include <cstring>
#include <sys/mman.h>

using namespace vit::sim;

/// Unused addresses before and after each allocation, so that an access out of
/// bounds does not hit another one.
static constexpr size_t gap = 1 << 20;

static const void *toPointer(uintptr_t address) {
  return reinterpret_cast<const void *>(address);
}

static void *mapPages(size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

GlobalMemory::~GlobalMemory() {
  while (!regions.empty())
    release(reinterpret_cast<void *>(regions.begin()->first));
}

void *GlobalMemory::allocate(size_t bytes) {
  size_t rounded = (bytes + 255) / 256 * 256;
  if (!bytes || rounded + 2 * gap < bytes)
    return nullptr;
  auto *pages = static_cast<char *>(mapPages(rounded + 2 * gap));
  if (!pages)
    return nullptr;
  auto *memory = reinterpret_cast<uint32_t *>(pages + gap);
  // Untouched pages of the shadow memory cost nothing, as for weights.
  auto *words = static_cast<Word *>(mapPages(rounded * sizeof(Word)));
  if (!words) {
    munmap(pages, rounded + 2 * gap);
    return nullptr;
  }
  for (size_t i = 0; i < rounded / 4; ++i)
    memory[i] = unwritten;
  auto begin = reinterpret_cast<uintptr_t>(memory);
  regions[begin] = {begin, begin + bytes, words, 0};
  return memory;
}

bool GlobalMemory::release(void *address) {
  auto found = regions.find(reinterpret_cast<uintptr_t>(address));
  if (found == regions.end())
    return false;
  size_t bytes = found->second.end - found->second.begin;
  size_t rounded = (bytes + 255) / 256 * 256;
  munmap(found->second.words, rounded * sizeof(Word));
  munmap(static_cast<char *>(address) - gap, rounded + 2 * gap);
  regions.erase(found);
  return true;
}

const GlobalMemory::Region *GlobalMemory::findRegion(uintptr_t address) const {
  auto after = regions.upper_bound(address);
  if (after == regions.begin())
    return nullptr;
  const Region &region = std::prev(after)->second;
  return address < region.end ? &region : nullptr;
}

bool GlobalMemory::contains(const void *address, size_t bytes) const {
  auto begin = reinterpret_cast<uintptr_t>(address);
  const Region *region = findRegion(begin);
  return region && bytes <= region->end - begin;
}

bool GlobalMemory::isKnown(const Kernel &kernel) {
  bool known = true;
  for (const Argument &argument : kernel.arguments)
    known &= !argument.pointer || argument.memory.times;
  return known;
}

/// By convention the last arguments are the batch and the first unit.
static uint32_t getBatch(const Kernel &kernel, void *const *arguments) {
  uint32_t batch = 0;
  for (size_t i = 0; i < kernel.arguments.size(); ++i)
    if (!kernel.arguments[i].pointer) {
      memcpy(&batch, arguments[i], 4);
      break;
    }
  return batch;
}

std::vector<Range> GlobalMemory::getRanges(const Kernel &kernel,
                                           void *const *arguments) const {
  std::vector<Range> ranges;
  if (!isKnown(kernel)) {
    for (auto &[begin, region] : regions)
      ranges.push_back({begin, region.end, true});
    return ranges;
  }
  uint32_t batch = getBatch(kernel, arguments);
  for (size_t i = 0; i < kernel.arguments.size(); ++i)
    if (const Argument &argument = kernel.arguments[i]; argument.pointer) {
      uintptr_t begin;
      memcpy(&begin, arguments[i], sizeof begin);
      ranges.push_back(
          {begin, begin + argument.memory.evaluate(batch), argument.written});
    }
  return ranges;
}

bool GlobalMemory::open(const Kernel &kernel, void *const *arguments,
                        std::string &finding) {
  shift = kernel.shift;
  windows.clear();
  starts.clear();
  lastWindow = 0;
  for (size_t i = 0; i < kernel.arguments.size(); ++i)
    if (kernel.arguments[i].pointer) {
      uintptr_t begin;
      memcpy(&begin, arguments[i], sizeof begin);
      starts.push_back({begin, static_cast<int>(i)});
    }
  if (!isKnown(kernel)) {
    for (auto &[begin, region] : regions)
      windows.push_back({begin, region.end, &region, -1, true});
    return true;
  }
  uint32_t batch = getBatch(kernel, arguments);
  for (size_t i = 0; i < kernel.arguments.size(); ++i) {
    const Argument &argument = kernel.arguments[i];
    if (!argument.pointer)
      continue;
    uintptr_t begin;
    memcpy(&begin, arguments[i], sizeof begin);
    uint64_t bytes = argument.memory.evaluate(batch);
    const Region *region = findRegion(begin);
    if (!region || bytes > region->end - begin) {
      finding =
          "argument " + std::to_string(i) + " needs " + std::to_string(bytes) +
          " bytes for batch " + std::to_string(batch) + "; where it begins " +
          (region ? std::to_string(region->end - begin) : std::string("none")) +
          " are allocated";
      return false;
    }
    windows.push_back({begin, begin + bytes, &regions.at(region->begin),
                       static_cast<int>(i), argument.written});
  }
  return true;
}

void GlobalMemory::beginRun(uint32_t epoch) {
  runEpoch = epoch;
  log.clear();
}

GlobalMemory::Image GlobalMemory::getWritten() const {
  Image image;
  for (auto &[word, before] : log)
    image[word] = *word;
  return image;
}

void GlobalMemory::rollBack() {
  // The last first: parts of a word are logged one by one.
  for (auto entry = log.rbegin(); entry != log.rend(); ++entry)
    *entry->first = entry->second;
}

void GlobalMemory::reset() {
  for (auto &[begin, region] : regions) {
    size_t rounded = (region.end - begin + 255) / 256 * 256;
    madvise(region.words, rounded * sizeof(Word), MADV_DONTNEED);
    region.writtenInRun = 0;
  }
}

std::string GlobalMemory::describe(const void *address) const {
  auto at = reinterpret_cast<uintptr_t>(address);
  for (const Window &window : windows)
    if (window.argument >= 0 && at >= window.begin && at < window.end)
      return "float " + std::to_string((at - window.begin) / 4) +
             " of argument " + std::to_string(window.argument);
  // Find the nearest argument.
  const std::pair<uintptr_t, int> *nearest = nullptr;
  auto getDistance = [&](uintptr_t begin) {
    return at < begin ? begin - at : at - begin;
  };
  for (const auto &start : starts)
    if (!nearest || getDistance(start.first) < getDistance(nearest->first))
      nearest = &start;
  std::string text = findRegion(at) ? "memory" : "memory that is not allocated";
  if (nearest)
    text += ", " + std::to_string(static_cast<int64_t>(at - nearest->first)) +
            " bytes from where argument " + std::to_string(nearest->second) +
            " begins";
  return text;
}

const GlobalMemory::Window *
GlobalMemory::findWindow(uintptr_t address, uint32_t size, bool write) {
  auto fits = [&](const Window &window) {
    return address >= window.begin && address < window.end &&
           size <= window.end - address && (window.written || !write);
  };
  if (lastWindow < windows.size() && fits(windows[lastWindow]))
    return &windows[lastWindow];
  for (size_t i = 0; i < windows.size(); ++i)
    if (fits(windows[i])) {
      lastWindow = i;
      return &windows[i];
    }
  return nullptr;
}

bool GlobalMemory::check(uintptr_t address, uint32_t size, uint32_t alignment,
                         bool write, std::string &finding) {
  const void *pointer = reinterpret_cast<const void *>(address);
  const char *what = write ? "writes " : "reads ";
  const Window *window = findWindow(address, size, write);
  if (!window) {
    bool readOnly = write && findWindow(address, size, false);
    finding = std::string(readOnly ? "read only: " : "out of bounds: ") + what +
              std::to_string(size) + " bytes at " + describe(pointer);
    return false;
  }
  if (address % alignment) {
    finding = std::string("misaligned: ") + what + std::to_string(size) +
              " bytes, said to be aligned to " + std::to_string(alignment) +
              ", at " + describe(pointer);
    return false;
  }
  return true;
}

bool GlobalMemory::isConflict(const Word &word, const Access &now,
                              uint32_t block, const char *what,
                              const void *address, std::string &finding) const {
  if (word.writer.epoch < runEpoch)
    return false;
  if (word.block != block) {
    finding = std::string("between blocks: ") + what + describe(address) +
              ", which block " + std::to_string(word.block) +
              " of the same launch wrote at " +
              library->getSite(word.writer.site);
    return true;
  }
  if (word.writer.isBefore(now) || order->knows(now.thread, word.writer))
    return false;
  finding = std::string("race: ") + what + describe(address) +
            ", which thread " + std::to_string(word.writer.thread) +
            " wrote at " + library->getSite(word.writer.site) +
            " with no barrier between";
  return true;
}

bool GlobalMemory::read(const void *pointer, uint32_t size, uint32_t alignment,
                        const Access &now, uint32_t block,
                        std::string &finding) {
  auto address = reinterpret_cast<uintptr_t>(pointer);
  if (!check(address, size, alignment, false, finding))
    return false;
  Region &region = *windows[lastWindow].region;
  if (region.writtenInRun == runEpoch) {
    uintptr_t offset = address - region.begin;
    for (uintptr_t i = offset >> shift; i <= (offset + size - 1) >> shift; ++i)
      if (isConflict(region.words[i], now, block, "reads ",
                     toPointer(region.begin + (i << shift)), finding))
        return false;
  }
  auto *data = reinterpret_cast<const uint32_t *>(address & ~uintptr_t(3));
  uint32_t count = (address % 4 + size + 3) / 4;
  for (uint32_t i = 0; i < count; ++i)
    if (data[i] == unwritten) {
      finding = "never written: reads " + describe(data + i) +
                ", which nothing has written";
      return false;
    }
  return true;
}

bool GlobalMemory::write(void *pointer, uint32_t size, uint32_t alignment,
                         const Access &now, uint32_t block,
                         std::string &finding) {
  auto address = reinterpret_cast<uintptr_t>(pointer);
  if (!check(address, size, alignment, true, finding))
    return false;
  Region &region = *windows[lastWindow].region;
  region.writtenInRun = runEpoch;
  uintptr_t offset = address - region.begin;
  for (uintptr_t i = offset >> shift; i <= (offset + size - 1) >> shift; ++i) {
    Word &word = region.words[i];
    uintptr_t at = region.begin + (i << shift);
    if (isConflict(word, now, block, "writes ", toPointer(at), finding))
      return false;
    if (word.writer.epoch < runEpoch) {
      auto *data = reinterpret_cast<uint32_t *>(at & ~uintptr_t(3));
      log.push_back({data, *data});
    }
    word.writer = now;
    word.block = block;
  }
  return true;
}
