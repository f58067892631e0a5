//===- SharedMemory.h - Workgroup memory, checked ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_SHAREDMEMORY_H
#define VIT_SIMULATOR_SHAREDMEMORY_H

#include "Access.h"
#include "Library.h"

#include <memory>

namespace vit::sim {

/// The shared memory of the one block that runs. Each variable begins at
/// exactly its declared alignment, with a gap before the next.
class SharedMemory {
public:
  static constexpr uint32_t capacity = 256 * 1024;

  SharedMemory();
  /// Lays out the variables of a kernel; false: they do not fit.
  bool layOut(const Library &library, const Kernel &kernel);
  /// What a block finds: rubbish. `epoch` is the block's first.
  void beginBlock(uint32_t epoch);
  void *getAddress(uint32_t variable) const;
  bool contains(const void *address) const {
    return reinterpret_cast<uintptr_t>(address) -
               reinterpret_cast<uintptr_t>(bytes.get()) <
           capacity;
  }

  /// Whether the access is right; if not, `finding` says why.
  bool read(const void *address, uint32_t size, uint32_t alignment,
            const Access &now, std::string &finding);
  bool write(void *address, uint32_t size, uint32_t alignment,
             const Access &now, std::string &finding);
  /// Forgets all accesses: epochs start anew.
  void reset();

private:
  struct Word {
    Access writer, reader;
  };
  struct Placed {
    uint32_t variable, offset, bytes;
  };
  struct Deleter {
    void operator()(char *memory) const;
  };

  bool isInside(uint32_t offset, uint32_t size, uint32_t alignment,
                const char *what, std::string &finding) const;
  std::string describe(uint32_t offset) const;
  bool fail(std::string &finding, const char *what, uint32_t word,
            const Access &other, const char *otherDid) const;

  std::unique_ptr<char, Deleter> bytes;
  std::vector<Word> words;
  std::vector<uint8_t> owner; ///< by word: 1 + index into `placed`; 0: a gap
  std::vector<Placed> placed;
  uint32_t used = 0;
  uint32_t blockEpoch = 0;
  const Library *library = nullptr;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_SHAREDMEMORY_H
