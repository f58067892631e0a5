//===- training.cpp - Parameters and states in arenas ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "parameters.h"

using namespace vit::runtime;
namespace schema = vit::schema;

/// The state that holds dropout's seed: two words, the lower first.
static bool isSeed(const schema::Variable &state) {
  return std::strcmp(state.name()->c_str(), "random_seed") == 0 &&
         state.parameter() == 0 && state.dtype() == schema::DType::I32 &&
         variableBytes(state) == sizeof(uint64_t);
}

static const schema::Variable *findSeed(const schema::Module &module) {
  for (uint32_t i = 0; i < count(module.variables()); ++i)
    if (isSeed(*module.variables()->Get(i)))
      return module.variables()->Get(i);
  return nullptr;
}

vit_status vit_parameters::makeArenas(vit_error *error) {
  Lock lock(mutex);
  if (arenas.exist() || count(module->root->arenas()) == 0)
    return VIT_OK;
  Sources sources(*module);
  for (uint32_t i = 0; i < parameterCount(); ++i)
    if (variable(i) && isAtSource(i))
      VIT_TRY(sources.openFor(parameter(i), error));
  VIT_TRY(arenas.allocate(*module->root, module->allocator, error));
  for (uint32_t i = 0; i < parameterCount(); ++i) {
    const schema::Variable *v = variable(i);
    if (!v)
      continue;
    readRange(i, sources, reinterpret_cast<float *>(arenas.data(*v)), 0,
              elements(*v->dims()));
    module->allocator.deallocate(places[i].written);
    places[i].written = nullptr;
  }
  if (const schema::Variable *state = findSeed(*module->root))
    std::memcpy(arenas.data(*state), &seed, sizeof seed);
  return VIT_OK;
}

vit_status vit_parameters::readState(const schema::Variable &state,
                                     void *target, vit_error *error) const {
  Lock lock(mutex);
  if (!arenas.exist()) {
    std::memset(target, 0, variableBytes(state));
    if (isSeed(state))
      std::memcpy(target, &seed, sizeof seed);
    return VIT_OK;
  }
  VIT_TRY(arenas.fetch(error));
  std::memcpy(target, arenas.data(state), variableBytes(state));
  return VIT_OK;
}

vit_status vit_parameters::writeState(const schema::Variable &state,
                                      const void *data, vit_error *error) {
  VIT_TRY(makeArenas(error));
  VIT_TRY(arenas.fetch(error));
  std::memcpy(arenas.data(state), data, variableBytes(state));
  arenas.changed(state.arena());
  return VIT_OK;
}

void vit_parameters::setSeed(uint64_t newSeed) {
  seed = newSeed;
  if (!arenas.exist())
    return;
  const schema::Variable *state = findSeed(*module->root);
  // What a lost device had cannot be changed; the next call says so.
  if (!state || arenas.fetch(nullptr) != VIT_OK)
    return;
  std::memcpy(arenas.data(*state), &seed, sizeof seed);
  arenas.changed(state->arena());
}

vit_status vit_parameters::prepare(const schema::Schedule &schedule,
                                   bool usesArenas, const ArenaHolder *executor,
                                   vit_error *error) {
  if (usesArenas) {
    VIT_TRY(makeArenas(error));
    Lock lock(mutex);
    if (!arenas.isHeldBy(executor))
      VIT_TRY(arenas.fetch(error));
  }
  if (!anyStale)
    return VIT_OK;
  Lock lock(mutex);
  return refresh(schedule, error);
}

void vit_parameters::trained(ArenaHolder *holder) {
  arenas.allChanged(holder);
  for (HeldForm &form : forms)
    form.stale = form.stale || form.trained;
  anyStale = true;
}

void vit_parameters::letGo(const ArenaHolder *holder) {
  if (arenas.isHeldBy(holder) && arenas.fetch(nullptr) != VIT_OK)
    arenas.lose();
}
