//===- Fiber.cpp - Stacks and context switches ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fiber.h"

#include <sys/mman.h>

using namespace vit::sim;

asm(R"(
  .text
  .globl sim_switch
  .type sim_switch, @function
sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size sim_switch, .-sim_switch
)");

Stacks::~Stacks() {
  if (base)
    munmap(reinterpret_cast<void *>(base), reserved * size);
}

bool Stacks::reserve(size_t count) {
  if (count <= reserved)
    return true;
  void *memory = mmap(nullptr, count * size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return false;
  if (base)
    munmap(reinterpret_cast<void *>(base), reserved * size);
  base = reinterpret_cast<uintptr_t>(memory);
  reserved = count;
  return true;
}

void *Stacks::prepare(size_t thread, void (*start)()) {
  // Staggered, so that the tops of the stacks do not share cache sets.
  uintptr_t top = base + (thread + 1) * size - (thread % 64) * 128 - 128;
  auto *words = reinterpret_cast<uint64_t *>(top);
  // At the entry of a function the stack pointer is 8 bytes off a multiple of
  // 16: the return address, here none, is below the arguments.
  *--words = 0;
  *--words = reinterpret_cast<uint64_t>(start);
  for (int i = 0; i < 6; ++i)
    *--words = 0;
  return words;
}
