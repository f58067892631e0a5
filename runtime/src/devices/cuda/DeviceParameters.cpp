//===- DeviceParameters.cpp - Parameters on a CUDA device -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/DeviceParameters.h"

#include "Plan.h"

#include <algorithm>

namespace vit::runtime::cuda {

template <typename Visit>
static void forEachArgument(const Schedules &schedules, Visit visit) {
  for (const schema::Schedule *schedule : schedules)
    for (uint32_t i = 0; schedule && i < count(schedule->commands()); ++i) {
      const auto *arguments = schedule->commands()->Get(i)->arguments();
      for (uint32_t a = 0; arguments && a < arguments->size(); ++a)
        visit(*arguments->Get(a));
    }
}

/// Copies `source` to a place that is used and has another version.
static vit_status copyTo(const Driver &driver, const DeviceMemory &memory,
                         Place &place, uint64_t newVersion, const void *source,
                         uint64_t bytes, Stream stream, vit_error *error) {
  if (!place.isUsed || place.version == newVersion)
    return VIT_OK;
  VIT_TRY(driver.check(driver.cuMemcpyHtoDAsync_v2(memory.at(place.offset),
                                                   source, bytes, stream),
                       "copy weights to the device", error));
  place.version = newVersion;
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// SharedWeights
//===----------------------------------------------------------------------===//

const char SharedWeights::kKind = 0;

vit_status SharedWeights::findUsed(const vit_module &module,
                                   const Schedules &schedules,
                                   const Adapter &adapter, vit_error *error) {
  const schema::Module &root = *module.root;
  ordinal = adapter.ordinal;
  if (!forms.allocate(module.allocator, count(root.derived())) ||
      !constants.allocate(module.allocator, count(root.constants())))
    return outOfMemory(error, count(root.derived()) * sizeof(Place), "weights");
  forEachArgument(schedules, [&](const schema::Argument &argument) {
    if (argument.kind() == schema::ArgumentKind::Derived)
      forms[argument.index()].isUsed = true;
    else if (argument.kind() == schema::ArgumentKind::Constant)
      constants[argument.index()].isUsed = true;
  });
  return VIT_OK;
}

vit_status SharedWeights::allocate(const vit_module &module,
                                   const Adapter &adapter, vit_error *error) {
  const schema::Module &root = *module.root;
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
  return total == 0 ? VIT_OK
                    : memory.allocate(adapter, total, "weights", error);
}

static bool useTheSame(const Array<Place> &a, const Array<Place> &b) {
  for (uint32_t i = 0; i < a.size(); ++i)
    if (a[i].isUsed != b[i].isUsed)
      return false;
  return true;
}

bool SharedWeights::isLike(const SharedWeights &other) const {
  return ordinal == other.ordinal && useTheSame(forms, other.forms) &&
         useTheSame(constants, other.constants);
}

vit_status SharedWeights::copyChanged(const vit_module &module,
                                      const vit_parameters &parameters,
                                      Stream stream, bool &isAnyNew,
                                      vit_error *error) {
  const schema::Module &root = *module.root;
  for (uint32_t i = 0; i < forms.size(); ++i) {
    bool isNew =
        forms[i].isUsed && forms[i].version != parameters.forms.version(i);
    isAnyNew |= isNew;
    VIT_TRY(copyTo(driver, memory, forms[i], parameters.forms.version(i),
                   parameters.forms.data(i), root.derived()->Get(i)->bytes(),
                   stream, error));
    // For pageable memory the copy is done when the driver returns.
    if (isNew)
      parameters.forms.forget(i);
  }
  for (uint32_t i = 0; i < constants.size(); ++i) {
    const schema::Segment &data = *root.constants()->Get(i)->data();
    isAnyNew |= constants[i].isUsed && constants[i].version == 0;
    VIT_TRY(copyTo(driver, memory, constants[i], 1,
                   module.segments + data.offset(), data.size(), stream,
                   error));
  }
  return VIT_OK;
}

vit_status SharedWeights::update(const vit_module &module,
                                 const vit_parameters &parameters,
                                 Stream stream, vit_error *error) {
  Lock lock(mutex);
  if (version == parameters.forms.version())
    return VIT_OK;
  bool isAnyNew = false;
  vit_status status = copyChanged(module, parameters, stream, isAnyNew, error);
  // Another session's stream is not ordered with this one, also where only a
  // part was copied.
  if (isAnyNew) {
    Result result = driver.cuStreamSynchronize(stream);
    if (status == VIT_OK)
      status = driver.check(result, "copy weights to the device", error);
  }
  if (status == VIT_OK)
    version = parameters.forms.version();
  return status;
}

//===----------------------------------------------------------------------===//
// DeviceParameters
//===----------------------------------------------------------------------===//

vit_status DeviceParameters::allocate(vit_parameters &given,
                                      const Schedules &schedules,
                                      const Adapter &adapter,
                                      vit_error *error) {
  parameters = &given;
  const vit_module &module = *given.module;
  VIT_TRY(allocateArenas(schedules, adapter, error));
  auto *own = create<SharedWeights>(module.allocator, driver);
  if (!own)
    return outOfMemory(error, sizeof(SharedWeights), "the session");
  if (vit_status status = own->findUsed(module, schedules, adapter, error)) {
    destroy(module.allocator, own);
    return status;
  }
  return weights.share(given.copies, module.allocator, own,
                       [&] { return own->allocate(module, adapter, error); });
}

vit_status DeviceParameters::allocateArenas(const Schedules &schedules,
                                            const Adapter &adapter,
                                            vit_error *error) {
  const vit_module &module = *parameters->module;
  const schema::Module &root = *module.root;
  if (!arenas.allocate(module.allocator, count(root.arenas())) ||
      !rounded.allocate(module.allocator, count(root.arenas())))
    return outOfMemory(error, count(root.arenas()) * 2 * sizeof(Place),
                       "weights");
  bool anyArena = false;
  forEachArgument(schedules, [&](const schema::Argument &argument) {
    anyArena |= isVariable(argument);
    if (argument.kind() == schema::ArgumentKind::Rounded)
      rounded[argument.index()].isUsed = true;
  });
  uint64_t total = 0;
  auto place = [&](Place &place, uint64_t bytes) {
    place.offset = total;
    total += alignUp(bytes, kDeviceAlignment);
  };
  // An executor holds all arenas or none.
  for (uint32_t i = 0; anyArena && i < arenas.size(); ++i) {
    arenas[i].isUsed = true;
    place(arenas[i], root.arenas()->Get(i)->bytes());
    if (rounded[i].isUsed)
      place(rounded[i], roundedBytes(*root.arenas()->Get(i)));
  }
  return total == 0 ? VIT_OK
                    : memory.allocate(adapter, total, "weights", error);
}

vit_status DeviceParameters::update(Stream stream, vit_error *error) {
  const vit_module &module = *parameters->module;
  Arenas &values = parameters->training.arenas;
  for (uint32_t i = 0; values.exist() && i < arenas.size(); ++i) {
    VIT_TRY(copyTo(driver, memory, arenas[i], values.version(i), values.data(i),
                   module.root->arenas()->Get(i)->bytes(), stream, error));
    VIT_TRY(copyRounded(i, stream, error));
  }
  return weights->update(module, *parameters, stream, error);
}

/// Copies the rounded values of an arena if the device has those of another
/// version.
vit_status DeviceParameters::copyRounded(uint32_t arena, Stream stream,
                                         vit_error *error) {
  constexpr uint64_t most = uint64_t(4) << 20; // elements
  const Arenas &values = parameters->training.arenas;
  Place &place = rounded[arena];
  if (!place.isUsed || place.version == values.version(arena))
    return VIT_OK;
  const auto *source = reinterpret_cast<const float *>(values.data(arena));
  uint64_t elements =
      parameters->module->root->arenas()->Get(arena)->bytes() / sizeof(float);
  Array<uint16_t> piece;
  if (!piece.allocateRaw(parameters->module->allocator,
                         std::min(elements, most)))
    return outOfMemory(error, std::min(elements, most) * sizeof(uint16_t),
                       "rounded weights");
  for (uint64_t done = 0; done < elements; done += piece.size()) {
    uint64_t size = std::min<uint64_t>(elements - done, piece.size());
    format::narrow(piece.data(), source + done, ElementType::BF16,
                   int64_t(size));
    VIT_TRY(driver.check(driver.cuMemcpyHtoDAsync_v2(
                             memory.at(place.offset + done * sizeof(uint16_t)),
                             piece.data(), size * sizeof(uint16_t), stream),
                         "copy weights to the device", error));
    // The piece is used again, and the caller's allocator may give memory that
    // the device reads later.
    VIT_TRY(driver.check(driver.cuStreamSynchronize(stream),
                         "copy weights to the device", error));
  }
  place.version = values.version(arena);
  return VIT_OK;
}

void DeviceParameters::keepArenas() {
  for (uint32_t i = 0; i < arenas.size(); ++i)
    arenas[i].version = rounded[i].version =
        parameters->training.arenas.version(i);
}

vit_status DeviceParameters::fetchArenas(unsigned char *const *targets,
                                         Stream stream, vit_error *error) {
  const schema::Module &root = *parameters->module->root;
  for (uint32_t i = 0; i < arenas.size(); ++i)
    VIT_TRY(driver.check(
        driver.cuMemcpyDtoHAsync_v2(targets[i], memory.at(arenas[i].offset),
                                    root.arenas()->Get(i)->bytes(), stream),
        "copy variables from the device", error));
  return VIT_OK;
}

} // namespace vit::runtime::cuda
