//===- GlobalMemory.h - Checked device memory -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_GLOBALMEMORY_H
#define VIT_SIMULATOR_GLOBALMEMORY_H

#include "Access.h"
#include "Library.h"
#include "Order.h"

#include <map>

namespace vit::sim {

/// Memory that a launch may use.
struct Range {
  uintptr_t begin, end;
  bool written;
};

/// All device memory, and the accesses that the current kernel may make.
///
/// A *run* is one launch under one schedule. Its writes are logged, so that the
/// next schedule can start from the same memory.
class GlobalMemory {
public:
  ~GlobalMemory();

  /// Fills memory with `unwritten`; returns null if out of memory.
  void *allocate(size_t bytes);
  /// Returns false if `address` is not the start of an allocation.
  bool release(void *address);
  /// Whether the whole range is in one allocation.
  bool contains(const void *address, size_t bytes) const;

  /// Allows a launch the memory of each pointer argument, or all memory if
  /// sizes are unknown. Returns false if an argument exceeds its allocation.
  bool open(const Kernel &kernel, void *const *arguments, std::string &finding);

  /// Whether the sizes of all pointer arguments are known.
  static bool isKnown(const Kernel &kernel);
  /// The memory of each pointer argument, or all memory if sizes are unknown.
  std::vector<Range> getRanges(const Kernel &kernel,
                               void *const *arguments) const;

  /// `epoch` is the first epoch of the run; epochs never decrease.
  void beginRun(uint32_t epoch);
  /// The words that the run has written, by address, with their new values.
  using Image = std::map<uint32_t *, uint32_t>;
  Image getWritten() const;
  /// Undoes the writes of the run.
  void rollBack();
  /// "word 12 of argument 3"
  std::string describe(const void *address) const;

  bool read(const void *address, uint32_t size, uint32_t alignment,
            const Access &now, uint32_t block, std::string &finding);
  bool write(void *address, uint32_t size, uint32_t alignment,
             const Access &now, uint32_t block, std::string &finding);
  /// Forgets all accesses, so that epochs can restart.
  void reset();
  /// Sets the library that has the names of locations.
  void setLibrary(const Library *names) { library = names; }
  /// Sets the order of the current block.
  void setOrder(const Order *ofBlock) { order = ofBlock; }

private:
  struct Word {
    Access writer;
    uint32_t block = 0;
  };
  struct Region {
    uintptr_t begin = 0, end = 0;
    Word *words = nullptr;     ///< one per 1 << shift bytes of the region
    uint32_t writtenInRun = 0; ///< the first epoch of the last run that wrote
  };
  struct Window {
    uintptr_t begin, end;
    Region *region;
    int argument; ///< -1: unknown
    bool written;
  };

  const Region *findRegion(uintptr_t address) const;
  const Window *findWindow(uintptr_t address, uint32_t size, bool write);
  bool check(uintptr_t address, uint32_t size, uint32_t alignment, bool write,
             std::string &finding);
  bool isConflict(const Word &word, const Access &now, uint32_t block,
                  const char *what, const void *address,
                  std::string &finding) const;

  std::map<uintptr_t, Region> regions; ///< by start address
  std::vector<Window> windows;
  /// Start addresses and indices of the pointer arguments.
  std::vector<std::pair<uintptr_t, int>> starts;
  size_t lastWindow = 0;
  uint32_t runEpoch = 0;
  uint32_t shift = 2;                               ///< of the kernel
  std::vector<std::pair<uint32_t *, uint32_t>> log; ///< the previous values
  const Library *library = nullptr;
  const Order *order = nullptr;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_GLOBALMEMORY_H
