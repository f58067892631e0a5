//===- Memory.h - Memory of the host's allocator ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The core is built without exceptions: whatever allocates says whether it
// could, and the caller passes that on.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_MEMORY_H
#define VIT_FORMAT_MEMORY_H

#include "format/Alignment.h"
#include "vit/vit.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <type_traits>
#include <utility>

namespace vit::format {

inline constexpr size_t kHugePage = size_t(2) << 20;

/// Where memory comes from: the host's callbacks or malloc.
class Allocator {
public:
  Allocator() = default;
  explicit Allocator(const vit_allocator *host) {
    if (host)
      callbacks = *host;
  }

  /// Aligned to 64 bytes, and to huge pages (of which the kernel is asked)
  /// where it is large. NULL where there is none.
  void *allocate(size_t size) const {
    bool large = size >= 2 * kHugePage;
    size_t alignment = large ? kHugePage : kAlignment;
    if (size == 0)
      size = 1;
    if (size > PTRDIFF_MAX - alignment)
      return nullptr;
    size = (size + alignment - 1) / alignment * alignment;
    void *memory = callbacks.allocate
                       ? callbacks.allocate(callbacks.context, size, alignment)
                       : std::aligned_alloc(alignment, size);
    if (reinterpret_cast<uintptr_t>(memory) % alignment != 0) {
      deallocate(memory); // A host that does not heed `alignment`.
      return nullptr;
    }
    // Advice: a kernel without huge pages refuses it, which does no harm.
    if (memory && large)
      madvise(memory, size, MADV_HUGEPAGE);
    return memory;
  }

  void deallocate(void *memory) const {
    if (!memory)
      return;
    if (callbacks.allocate)
      callbacks.deallocate(callbacks.context, memory);
    else
      std::free(memory);
  }

private:
  vit_allocator callbacks = {nullptr, nullptr, nullptr};
};

/// An object of the library in the host's memory.
template <typename T, typename... Arguments>
T *create(const Allocator &allocator, Arguments &&...arguments) {
  void *memory = allocator.allocate(sizeof(T));
  return memory ? new (memory) T(std::forward<Arguments>(arguments)...)
                : nullptr;
}

template <typename T> void destroy(const Allocator &allocator, T *object) {
  if (!object)
    return;
  object->~T();
  allocator.deallocate(object);
}

/// Elements of a fixed number, zero at first. T is plain data.
template <typename T> class Array {
  static_assert(std::is_trivially_copyable_v<T>);

public:
  Array() = default;
  Array(const Array &) = delete;
  Array &operator=(const Array &) = delete;
  ~Array() { clear(); }

  /// Drops what was there; false where there is no memory.
  [[nodiscard]] bool allocate(const Allocator &from, size_t elements) {
    clear();
    if (elements > PTRDIFF_MAX / sizeof(T))
      return false;
    void *memory = from.allocate(elements * sizeof(T));
    if (!memory)
      return false;
    std::memset(memory, 0, elements * sizeof(T));
    allocator = from;
    items = static_cast<T *>(memory);
    count = elements;
    return true;
  }

  /// The same without writing to the memory, for large buffers.
  [[nodiscard]] bool allocateRaw(const Allocator &from, size_t elements) {
    clear();
    if (elements > PTRDIFF_MAX / sizeof(T))
      return false;
    items = static_cast<T *>(from.allocate(elements * sizeof(T)));
    if (!items)
      return false;
    allocator = from;
    count = elements;
    return true;
  }

  void clear() {
    allocator.deallocate(static_cast<void *>(items));
    items = nullptr;
    count = 0;
  }

  size_t size() const { return count; }
  T *data() { return items; }
  const T *data() const { return items; }
  T *begin() { return items; }
  T *end() { return items + count; }
  const T *begin() const { return items; }
  const T *end() const { return items + count; }
  T &operator[](size_t index) { return items[index]; }
  const T &operator[](size_t index) const { return items[index]; }

private:
  Allocator allocator;
  T *items = nullptr;
  size_t count = 0;
};

} // namespace vit::format

#endif // VIT_FORMAT_MEMORY_H
