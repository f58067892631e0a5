//===- Roles.cpp - What a training step knows of a module -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Roles.h"

namespace vit::runtime {

/// The first format version with fields for all of this.
static constexpr uint32_t kRoles = 3;

static bool isNamed(const flatbuffers::String *name, const char *expected) {
  return name && std::strcmp(name->c_str(), expected) == 0;
}

schema::Role roleOf(const vit_module &module, const schema::Binding &binding) {
  if (module.formatVersion >= kRoles)
    return binding.role();
  static constexpr struct {
    const char *name;
    schema::Role role;
  } roles[] = {{"labels", schema::Role::Targets},
               {"learning_rate", schema::Role::LearningRate},
               {"step", schema::Role::Step},
               {"loss", schema::Role::Loss},
               {"correct", schema::Role::Correct}};
  for (const auto &[name, role] : roles)
    if (isNamed(binding.name(), name))
      return role;
  return schema::Role::None;
}

int64_t classesOf(const vit_module &module, const schema::Binding &targets) {
  if (targets.dtype() != schema::DType::I32 || targets.dims()->size() != 1 ||
      targets.dims()->Get(0) != -1)
    return 0;
  if (module.formatVersion >= kRoles)
    return targets.classes();
  for (const schema::Entry *entry : *module.root->entries())
    for (const schema::Binding *output : *entry->outputs())
      if (isNamed(output->name(), "logits") && output->dims()->size() == 2)
        return output->dims()->Get(1);
  return 0;
}

bool isUpdate(const vit_module &module, const schema::Command &command) {
  if (module.formatVersion >= kRoles)
    return command.is_update();
  uint32_t arguments = count(command.arguments());
  return command.kind() == schema::CommandKind::Dispatch && arguments != 0 &&
         command.arguments()->Get(arguments - 1)->kind() ==
             schema::ArgumentKind::Arena;
}

const schema::Variable *findSeed(const vit_module &module) {
  for (uint32_t i = 0; i < count(module.root->variables()); ++i) {
    const schema::Variable &state = *module.root->variables()->Get(i);
    const auto *role =
        module.formatVersion >= kRoles ? state.role() : state.name();
    if (isNamed(role, "random_seed") && state.parameter() == 0 &&
        state.dtype() == schema::DType::I32 &&
        variableBytes(state) == sizeof(uint64_t))
      return &state;
  }
  return nullptr;
}

} // namespace vit::runtime
