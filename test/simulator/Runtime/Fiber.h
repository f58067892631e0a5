//===- Fiber.h - Stacks to switch between ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_FIBER_H
#define VIT_SIMULATOR_FIBER_H

#include <cstddef>
#include <cstdint>

namespace vit::sim {

/// Saves what the x86-64 calling convention preserves on the current stack,
/// that stack's pointer in `*save`, and goes on where `load` was saved. No
/// signal mask is switched: swapcontext's system calls would cost a
/// hundredfold.
extern "C" void sim_switch(void **save, void *load);

/// The stacks of one block's threads.
class Stacks {
public:
  ~Stacks();
  /// Makes room for `count` threads; false: out of memory.
  bool reserve(size_t count);
  /// A saved stack pointer that, switched to, calls `start`, which must never
  /// return.
  void *prepare(size_t thread, void (*start)());
  bool contains(size_t thread, uintptr_t address) const {
    return address - (base + thread * size) < size;
  }

private:
  static constexpr size_t size = 64 * 1024;
  uintptr_t base = 0;
  size_t reserved = 0;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_FIBER_H
