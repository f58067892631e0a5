//===- Roles.h - What a training step knows of a module ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Modules of format 3 have fields that say this. In older ones it is told from
// names and positions; no other file of the runtime does so.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_ROLES_H
#define VIT_RUNTIME_ROLES_H

#include "Module.h"

namespace vit::runtime {

/// What an input or output of a training entry is to a step.
schema::Role roleOf(const vit_module &module, const schema::Binding &binding);

/// The number of classes that the labels `targets` count; 0 if `targets` are
/// not labels or the number is not known.
int64_t classesOf(const vit_module &module, const schema::Binding &targets);

/// Whether `command` changes variables.
bool isUpdate(const vit_module &module, const schema::Command &command);

/// The state that holds the seed of dropout, two words, the lower one first.
/// NULL if there is none.
const schema::Variable *findSeed(const vit_module &module);

} // namespace vit::runtime

#endif // VIT_RUNTIME_ROLES_H
