//===- Training.h - What training changes -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_TRAINING_H
#define VIT_RUNTIME_TRAINING_H

#include "Arenas.h"
#include "Module.h"

namespace vit::runtime {

/// The variables of a module: parameters and states that entries change. They
/// are in arenas from the first training call on.
class Training {
public:
  explicit Training(const vit_module &module) : module(module) {}

  vit_status build(vit_error *error);

  /// The variable that a parameter is, or NULL if no entry changes it.
  const schema::Variable *variable(uint32_t parameter) const {
    uint32_t number = variableOf[parameter];
    return number ? module.root->variables()->Get(number - 1) : nullptr;
  }
  /// Whether the value of a parameter is in an arena.
  bool holds(uint32_t parameter) const {
    return arenas.exist() && variableOf[parameter] != 0;
  }

  /// Makes the arenas. States are zero but for the seed; the caller fills in
  /// the parameters.
  vit_status makeArenas(vit_error *error);

  vit_status readState(const schema::Variable &state, void *target,
                       vit_error *error);
  /// The arenas must exist.
  vit_status writeState(const schema::Variable &state, const void *data,
                        vit_error *error);
  /// Sets the seed of dropout.
  void setSeed(uint64_t newSeed);

  Arenas arenas;
  uint64_t steps = 0;

private:
  const vit_module &module;
  Array<uint32_t> variableOf; ///< per parameter, counted from 1; 0: none
  uint64_t seed = 0;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_TRAINING_H
