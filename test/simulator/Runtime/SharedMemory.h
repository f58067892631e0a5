//===- SharedMemory.h - Checked shared memory -------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_SHAREDMEMORY_H
#define VIT_SIMULATOR_SHAREDMEMORY_H

#include "Access.h"
#include "Library.h"
#include "Order.h"

#include "format/DeclaredMemory.h"

#include <memory>
#include <unordered_map>

namespace vit::sim {

/// The shared memory of a block. Each variable has exactly its
/// declared alignment, with a gap before the next one.
class SharedMemory {
public:
  static constexpr uint32_t capacity = 256 * 1024;
  /// What the variables of a kernel may take. More is asked for at a launch.
  static constexpr uint32_t maxDeclared = format::kDeclaredSharedBytes;

  SharedMemory();
  /// Lays out the variables of a kernel; those without a size share the
  /// `dynamic` bytes of the launch. Returns false if they do not fit.
  bool layOut(const Library &library, const Kernel &kernel, uint32_t dynamic,
              std::string &finding);
  /// Fills memory with garbage. `epoch` is the first epoch of the block's
  /// cluster, `order` its order, and `fences` count those of each thread. The
  /// block is that of number `rank` in its cluster, each of which has `threads`
  /// threads.
  void beginBlock(uint32_t epoch, const Order &order,
                  const std::vector<uint16_t> &fences, uint32_t rank,
                  uint32_t threads);
  void *getAddress(uint32_t variable) const;
  bool contains(const void *address) const {
    return reinterpret_cast<uintptr_t>(address) -
               reinterpret_cast<uintptr_t>(bytes.get()) <
           capacity;
  }

  /// Returns false and sets `finding` if the access is invalid.
  bool read(const void *address, uint32_t size, uint32_t alignment,
            const Access &now, std::string &finding) {
    return read(address, size, alignment, now, now, finding);
  }
  bool write(void *address, uint32_t size, uint32_t alignment,
             const Access &now, std::string &finding);
  /// Starts an asynchronous write, which may happen at any time until
  /// `endCopy`.
  bool beginCopy(void *address, uint32_t size, uint32_t alignment, Access now,
                 std::string &finding);
  /// Whether the asynchronous proxy sees the last writes of the range: each
  /// thread must have fenced it after its own.
  bool isFenced(const void *address, uint32_t size, const char *what,
                std::string &finding) const;
  /// Makes the bytes those of a finished write by `now`.
  void endCopy(void *address, uint32_t size, const Access &now);
  /// A read by an asynchronous unit, which may happen at any time until its
  /// `clock` is finished; `now` issues it.
  bool readAsync(const void *address, uint32_t size, const Access &now,
                 uint16_t unit, uint32_t clock, std::string &finding);
  const void *getBase() const { return bytes.get(); }

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

  /// `now` must know the bytes; `reader` is what is recorded.
  bool read(const void *address, uint32_t size, uint32_t alignment,
            const Access &now, const Access &reader, std::string &finding);
  bool place(uint32_t variable, uint32_t size, uint32_t alignment);
  bool isInside(uint32_t offset, uint32_t size, uint32_t alignment,
                const char *what, std::string &finding) const;
  /// Whether `access` is that of a thread of another block.
  bool isRemote(const Access &access) const {
    return access.thread < Order::firstUnit && access.thread / threads != rank;
  }
  bool isOrdered(const Access &access, const Access &now) const {
    // Epochs of different blocks say nothing of their order.
    if (access.epoch >= blockEpoch && (isRemote(access) || isRemote(now)))
      return order->knows(now.thread, access);
    return access.isBefore(now) ||
           (access.epoch == now.epoch && access.kind != Access::Warps &&
            order->knows(now.thread, access));
  }
  const Access *findUnorderedReader(uint32_t index, const Access &now) const;
  bool isPending(const Word &word) const {
    return word.writer.kind == Access::Pending &&
           word.writer.epoch >= blockEpoch;
  }
  std::string describe(uint32_t offset) const;
  std::string describeThread(const Access &access) const;
  bool fail(std::string &finding, const char *what, uint32_t word,
            const Access &other, const char *otherDid) const;

  std::unique_ptr<char, Deleter> bytes;
  std::vector<Word> words; ///< one per 1 << shift bytes
  uint32_t shift = 2;
  std::vector<uint8_t> owner; ///< per word: 1 + index into `placed`; 0: a gap
  std::vector<Placed> placed;
  uint32_t used = 0;
  uint32_t blockEpoch = 0;
  uint32_t rank = 0, threads = 1;
  const Library *library = nullptr;
  const Order *order = nullptr;
  const std::vector<uint16_t> *fences = nullptr;
  /// With an active order: all readers of a location since the last write.
  std::unordered_map<uint32_t, std::vector<Access>> readers;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_SHAREDMEMORY_H
