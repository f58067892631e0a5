//===- DeviceParameters.cpp - Parameters on a CUDA device -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/DeviceParameters.h"

namespace vit::runtime::cuda {

vit_status DeviceParameters::allocate(const vit_module &module,
                                      const Schedules &schedules,
                                      const Adapter &adapter,
                                      vit_error *error) {
  const schema::Module &root = *module.root;
  if (!forms.allocate(module.allocator, count(root.derived())) ||
      !constants.allocate(module.allocator, count(root.constants())) ||
      !arenas.allocate(module.allocator, count(root.arenas())))
    return outOfMemory(error, count(root.derived()) * sizeof(Place), "weights");
  bool anyArena = false;
  for (const schema::Schedule *schedule : schedules)
    for (uint32_t i = 0; schedule && i < count(schedule->commands()); ++i) {
      const auto *arguments = schedule->commands()->Get(i)->arguments();
      for (uint32_t a = 0; arguments && a < arguments->size(); ++a) {
        const schema::Argument &argument = *arguments->Get(a);
        if (argument.kind() == schema::ArgumentKind::Derived)
          forms[argument.index()].isUsed = true;
        else if (argument.kind() == schema::ArgumentKind::Constant)
          constants[argument.index()].isUsed = true;
        else if (argument.kind() == schema::ArgumentKind::Arena)
          anyArena = true;
      }
    }
  uint64_t total = 0;
  auto place = [&](Place &place, uint64_t bytes) {
    place.offset = total;
    // The sum does not overflow: the dimensions were verified.
    if (place.isUsed)
      total += alignUp(bytes, kDeviceAlignment);
  };
  for (uint32_t i = 0; i < forms.size(); ++i)
    place(forms[i], root.derived()->Get(i)->bytes());
  for (uint32_t i = 0; i < constants.size(); ++i)
    place(constants[i], root.constants()->Get(i)->data()->size());
  // An executor holds all arenas or none.
  for (uint32_t i = 0; i < arenas.size(); ++i) {
    arenas[i].isUsed = anyArena;
    place(arenas[i], root.arenas()->Get(i)->bytes());
  }
  return total == 0 ? VIT_OK
                    : memory.allocate(adapter, total, "weights", error);
}

vit_status DeviceParameters::update(const vit_module &module,
                                    const vit_parameters &parameters,
                                    Stream stream, vit_error *error) {
  auto copy = [&](Place &place, uint64_t newVersion, const void *source,
                  uint64_t bytes) {
    if (!place.isUsed || place.version == newVersion)
      return VIT_OK;
    VIT_TRY(driver.check(driver.cuMemcpyHtoDAsync_v2(memory.at(place.offset),
                                                     source, bytes, stream),
                         "copy weights to the device", error));
    place.version = newVersion;
    return VIT_OK;
  };
  const schema::Module &root = *module.root;
  for (uint32_t i = 0; parameters.training.arenas.exist() && i < arenas.size();
       ++i)
    VIT_TRY(copy(arenas[i], parameters.training.arenas.version(i),
                 parameters.training.arenas.data(i),
                 root.arenas()->Get(i)->bytes()));
  if (version == parameters.forms.version())
    return VIT_OK;
  for (uint32_t i = 0; i < forms.size(); ++i) {
    bool isNew =
        forms[i].isUsed && forms[i].version != parameters.forms.version(i);
    VIT_TRY(copy(forms[i], parameters.forms.version(i),
                 parameters.forms.data(i), root.derived()->Get(i)->bytes()));
    // For pageable memory the copy is done when the driver returns.
    if (isNew)
      parameters.forms.forget(i);
  }
  for (uint32_t i = 0; i < constants.size(); ++i) {
    const schema::Segment &data = *root.constants()->Get(i)->data();
    VIT_TRY(
        copy(constants[i], 1, module.segments + data.offset(), data.size()));
  }
  version = parameters.forms.version();
  return VIT_OK;
}

void DeviceParameters::keepArenas(const vit_parameters &parameters) {
  for (uint32_t i = 0; i < arenas.size(); ++i)
    arenas[i].version = parameters.training.arenas.version(i);
}

vit_status DeviceParameters::fetchArenas(const vit_module &module,
                                         unsigned char *const *targets,
                                         Stream stream, vit_error *error) {
  for (uint32_t i = 0; i < arenas.size(); ++i)
    VIT_TRY(driver.check(driver.cuMemcpyDtoHAsync_v2(
                             targets[i], memory.at(arenas[i].offset),
                             module.root->arenas()->Get(i)->bytes(), stream),
                         "copy variables from the device", error));
  return VIT_OK;
}

} // namespace vit::runtime::cuda
