//===- Arenas.cpp - What training changes ---------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arenas.h"

#include "Verify.h"

namespace vit::runtime {

vit_status Arenas::allocate(const schema::Module &module,
                            const Allocator &allocator, vit_error *error) {
  uint32_t total = count(module.arenas());
  uint64_t bytes = 0; // Verified not to overflow.
  for (uint32_t i = 0; i < total; ++i)
    bytes += module.arenas()->Get(i)->bytes();
  if (!memory.allocate(allocator, bytes) ||
      !versions.allocate(allocator, total) ||
      !pointers.allocate(allocator, total)) {
    memory.clear();
    return outOfMemory(error, bytes, "the variables of training");
  }
  unsigned char *next = memory.data();
  for (uint32_t i = 0; i < total; ++i) {
    pointers[i] = next;
    versions[i] = 1;
    next += module.arenas()->Get(i)->bytes();
  }
  return VIT_OK;
}

vit_status Arenas::fetch(vit_error *error) {
  if (lost)
    return fail(error, VIT_DEVICE_LOST,
                "the newest values of parameters and states were lost with "
                "the device: go on from a checkpoint, with new parameters");
  if (!holder)
    return VIT_OK;
  VIT_TRY(holder->fetchArenas(pointers.data(), error));
  holder = nullptr;
  return VIT_OK;
}

void Arenas::allChanged(ArenaHolder *newHolder) {
  holder = newHolder;
  for (uint64_t &version : versions)
    ++version;
}

} // namespace vit::runtime
