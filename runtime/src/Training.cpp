//===- Training.cpp - What training changes -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Training.h"

#include "Roles.h"

namespace vit::runtime {

vit_status Training::build(vit_error *error) {
  uint32_t total = count(module.root->parameters());
  if (!variableOf.allocate(module.allocator, total))
    return outOfMemory(error, total * sizeof(uint32_t), "weights");
  for (uint32_t v = 0; v < count(module.root->variables()); ++v)
    if (uint32_t number = module.root->variables()->Get(v)->parameter())
      variableOf[number - 1] = v + 1;
  return VIT_OK;
}

vit_status Training::makeArenas(vit_error *error) {
  VIT_TRY(arenas.allocate(*module.root, module.allocator, error));
  if (const schema::Variable *state = findSeed(module))
    std::memcpy(arenas.data(*state), &seed, sizeof seed);
  return VIT_OK;
}

vit_status Training::readState(const schema::Variable &state, void *target,
                               vit_error *error) {
  if (!arenas.exist()) {
    std::memset(target, 0, variableBytes(state));
    if (&state == findSeed(module))
      std::memcpy(target, &seed, sizeof seed);
    return VIT_OK;
  }
  VIT_TRY(arenas.fetch(error));
  std::memcpy(target, arenas.data(state), variableBytes(state));
  return VIT_OK;
}

vit_status Training::writeState(const schema::Variable &state, const void *data,
                                vit_error *error) {
  VIT_TRY(arenas.fetch(error));
  std::memcpy(arenas.data(state), data, variableBytes(state));
  arenas.changed(state.arena());
  return VIT_OK;
}

void Training::setSeed(uint64_t newSeed) {
  seed = newSeed;
  if (!arenas.exist())
    return;
  // What a lost device had cannot be changed; the next call says so.
  if (const schema::Variable *state = findSeed(module))
    writeState(*state, &seed, nullptr);
}

} // namespace vit::runtime
