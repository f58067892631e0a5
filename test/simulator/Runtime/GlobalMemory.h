//===- GlobalMemory.h - Device memory, checked ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_GLOBALMEMORY_H
#define VIT_SIMULATOR_GLOBALMEMORY_H

#include "Access.h"
#include "Library.h"

#include <map>

namespace vit::sim {

/// All device memory, and what the kernel that runs may do with it.
///
/// A *run* is one launch under one schedule. What it writes is logged, so that
/// the next schedule can begin from the same memory.
class GlobalMemory {
public:
  ~GlobalMemory();

  /// Memory that holds `unwritten` in every word; nothing: out of memory.
  void *allocate(size_t bytes);
  /// False: not the beginning of an allocation.
  bool release(void *address);
  /// Whether all of it lies in one allocation.
  bool contains(const void *address, size_t bytes) const;

  /// Says what a launch may touch: each pointer argument's bytes where they
  /// are known, else all memory. False: an argument exceeds its allocation.
  bool open(const Kernel &kernel, void *const *arguments, std::string &finding);

  /// `epoch` is the first of the run; epochs never decrease.
  void beginRun(uint32_t epoch);
  /// The words that the run has written, by address, with their new values.
  using Image = std::map<uint32_t *, uint32_t>;
  Image getWritten() const;
  /// Undoes the run.
  void rollBack();
  /// "word 12 of argument 3"
  std::string describe(const void *address) const;

  bool read(const void *address, uint32_t size, uint32_t alignment,
            const Access &now, uint32_t block, std::string &finding);
  bool write(void *address, uint32_t size, uint32_t alignment,
             const Access &now, uint32_t block, std::string &finding);
  /// Forgets all accesses: epochs start anew.
  void reset();
  /// Where the names of places come from.
  void setLibrary(const Library *names) { library = names; }

private:
  struct Word {
    Access writer;
    uint32_t block = 0;
  };
  struct Region {
    uintptr_t begin = 0, end = 0;
    Word *words = nullptr;     ///< by 4 bytes of the region
    uint32_t writtenInRun = 0; ///< the first epoch of the last run that wrote
  };
  struct Window {
    uintptr_t begin, end;
    Region *region;
    int argument; ///< -1: not known
    bool written;
  };

  const Region *findRegion(uintptr_t address) const;
  const Window *findWindow(uintptr_t address, uint32_t size, bool write);
  bool check(uintptr_t address, uint32_t size, uint32_t alignment, bool write,
             std::string &finding);
  bool isConflict(const Word &word, const Access &now, uint32_t block,
                  const char *what, const void *address,
                  std::string &finding) const;

  std::map<uintptr_t, Region> regions; ///< by beginning
  std::vector<Window> windows;
  /// Where the pointer arguments begin, and which they are.
  std::vector<std::pair<uintptr_t, int>> starts;
  size_t lastWindow = 0;
  uint32_t runEpoch = 0;
  std::vector<std::pair<uint32_t *, uint32_t>> log; ///< what was there before
  const Library *library = nullptr;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_GLOBALMEMORY_H
