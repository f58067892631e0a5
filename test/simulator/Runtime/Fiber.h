//===- Fiber.h - Stacks and context switches --------------------*- C++ -*-===//
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

/// Saves the callee-saved registers of the x86-64 calling convention on the
/// current stack and its pointer in `*save`, then resumes at `load`. Keeps the
/// signal mask: the system calls of swapcontext are 100 times slower.
extern "C" void sim_switch(void **save, void *load);

/// The stacks of one block's threads.
class Stacks {
public:
  ~Stacks();
  /// Allocates stacks for `count` threads; returns false if out of memory.
  bool reserve(size_t count);
  /// A stack pointer for sim_switch that calls `start`, which must never
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
