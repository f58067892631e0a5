//===- ExecutorMemory.cpp - Where a call on a CUDA device has its data ----===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/Executor.h"

#include "Plan.h"
#include "format/Extent.h"

#include <algorithm>
#include <cstring>

namespace vit::runtime::cuda {

/// Larger inputs and outputs are copied directly from and to the caller's
/// memory; the driver does that through pinned memory of its own.
static constexpr uint64_t kMaxStaging = uint64_t(32) << 20;

bool CudaExecutor::workspaceBytes(uint32_t entry, int64_t batch,
                                  uint64_t slotBytes, void *const *,
                                  uint64_t &bytes) const {
  if (!allBindingBytes(context.module.entry(entry), batch, kDeviceAlignment,
                       bytes))
    return false;
  bytes += alignUp(slotBytes, kDeviceAlignment);
  return bytes <= kMaxExtent;
}

uint64_t CudaExecutor::workspaceRoom(uint64_t bytes) {
  if (isLost || bytes <= resources->arena.size())
    return UINT64_MAX;
  ContextScope scope(driver, cudaContext);
  size_t left = 0, all = 0;
  if (scope.check(nullptr) != VIT_OK ||
      driver.cuMemGetInfo_v2(&left, &all) != kSuccess)
    return UINT64_MAX;
  // The present arena is freed before a larger one is allocated.
  return left + resources->arena.size();
}

/// Grows the arena if this call needs more and places slots, inputs and outputs
/// in it, in this order. The offsets depend on the call alone, so that a
/// recorded graph stays valid.
vit_status CudaExecutor::makeRoom(const Call &call, vit_error *error) {
  uint64_t total = 0;
  workspaceBytes(call.entry, call.batch, call.slotBytes, call.outputs, total);
  if (total > resources->arena.size()) {
    resources->graphs.clear();
    VIT_TRY(resources->arena.allocate(adapter, total, "the workspace", error));
  }
  const schema::Entry &entry = context.module.entry(call.entry);
  inputCount = entry.inputs()->size();
  outputCount = entry.outputs()->size();
  uint64_t begin = alignUp(call.slotBytes, kDeviceAlignment), next = begin;
  uint32_t at = 0;
  for (const auto *list : {entry.inputs(), entry.outputs()})
    for (const schema::Binding *binding : *list) {
      uint64_t bytes = 0;
      bindingBytes(*binding, call.batch, bytes);
      places[at] = next;
      bindings[at++] = resources->arena.at(next);
      next += alignUp(bytes, kDeviceAlignment);
    }
  isStaged =
      next - begin <= kMaxStaging && resources->staging.reserve(next - begin);
  return VIT_OK;
}

static DevicePointer deviceAddress(const void *data) {
  return reinterpret_cast<uintptr_t>(data);
}

/// Whether kernels can use what the caller has at `pointer`.
/// VIT_INVALID_ARGUMENT if no GPU has memory there.
vit_status CudaExecutor::isUsable(const schema::Binding &binding,
                                  const char *what, DevicePointer pointer,
                                  bool &usable, vit_error *error) const {
  int memory = 0, ordinal = -1;
  Result result =
      driver.cuPointerGetAttribute(&memory, kPointerMemoryType, pointer);
  if (result == kSuccess)
    result =
        driver.cuPointerGetAttribute(&ordinal, kPointerDeviceOrdinal, pointer);
  if (result == kInvalidValue ||
      (result == kSuccess && memory != kMemoryOfDevice))
    return fail(error, VIT_INVALID_ARGUMENT,
                "%s '%s' is said to be in device memory, but its address is "
                "not of memory of a CUDA device",
                what, binding.name()->c_str());
  VIT_TRY(driver.check(result, "find the memory of a tensor", error));
  // Memory of another device cannot always be accessed, but can be copied.
  usable = ordinal == adapter.ordinal && pointer % kVectorBytes == 0;
  return VIT_OK;
}

/// Whether an output in device memory shares bytes with an input or another
/// output.
bool CudaExecutor::isShared(const Call &call, uint32_t output) const {
  const schema::Entry &entry = context.module.entry(call.entry);
  uint64_t bytes = 0;
  bindingBytes(*entry.outputs()->Get(output), call.batch, bytes);
  DevicePointer begin = deviceAddress(call.outputs[output]);
  auto overlaps = [&](const void *data, vit_memory memory,
                      const schema::Binding &binding) {
    uint64_t size = 0;
    bindingBytes(binding, call.batch, size);
    DevicePointer other = deviceAddress(data);
    return data && memory == VIT_DEVICE && begin < other + size &&
           other < begin + bytes;
  };
  for (uint32_t i = 0; i < inputCount; ++i)
    if (overlaps(call.inputs[i], call.inputMemory[i], *entry.inputs()->Get(i)))
      return true;
  for (uint32_t i = 0; i < outputCount; ++i)
    if (i != output && overlaps(call.outputs[i], call.outputMemory[i],
                                *entry.outputs()->Get(i)))
      return true;
  return false;
}

/// Lets kernels use tensors of the caller where they are.
vit_status CudaExecutor::bindCaller(const Call &call, vit_error *error) {
  const schema::Entry &entry = context.module.entry(call.entry);
  for (uint32_t i = 0; i < inputCount; ++i) {
    if (call.inputMemory[i] != VIT_DEVICE)
      continue;
    DevicePointer pointer = deviceAddress(call.inputs[i]);
    bool usable = false;
    VIT_TRY(isUsable(*entry.inputs()->Get(i), "input", pointer, usable, error));
    if (usable)
      bindings[i] = pointer;
  }
  for (uint32_t i = 0; i < outputCount; ++i) {
    if (!call.outputs[i] || call.outputMemory[i] != VIT_DEVICE)
      continue;
    DevicePointer pointer = deviceAddress(call.outputs[i]);
    bool usable = false;
    VIT_TRY(
        isUsable(*entry.outputs()->Get(i), "output", pointer, usable, error));
    if (usable && !isShared(call, i))
      bindings[inputCount + i] = pointer;
  }
  return VIT_OK;
}

DevicePointer CudaExecutor::resolve(const Call &call,
                                    const schema::Argument &argument) const {
  uint32_t index = argument.index();
  switch (argument.kind()) {
  case schema::ArgumentKind::Input:
    return bindings[index];
  case schema::ArgumentKind::Output:
    return bindings[inputCount + index];
  case schema::ArgumentKind::Slot:
    return resources->arena.at(call.slotOffsets[index] + argument.offset());
  case schema::ArgumentKind::Derived:
  case schema::ArgumentKind::Constant:
  case schema::ArgumentKind::Arena:
  case schema::ArgumentKind::Rounded:
    return resources->weights.find(argument.kind(), index) + argument.offset();
  }
  return 0;
}

/// The pinned memory that corresponds to this offset of the arena.
static unsigned char *staged(PinnedMemory &staging, const Call &call,
                             uint64_t place) {
  return staging.data() + (place - alignUp(call.slotBytes, kDeviceAlignment));
}

vit_status CudaExecutor::copyOnDevice(DevicePointer target,
                                      DevicePointer source, uint64_t bytes,
                                      vit_error *error) {
  return driver.check(
      driver.cuMemcpyDtoDAsync_v2(target, source, bytes, resources->stream),
      "copy memory", error);
}

vit_status CudaExecutor::upload(const Call &call, vit_error *error) {
  const auto &inputs = *context.module.entry(call.entry).inputs();
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    uint64_t bytes = 0;
    bindingBytes(*inputs.Get(i), call.batch, bytes);
    const void *source = call.inputs[i];
    if (call.inputMemory[i] == VIT_DEVICE) {
      if (bindings[i] != deviceAddress(source))
        VIT_TRY(copyOnDevice(bindings[i], deviceAddress(source), bytes, error));
      continue;
    }
    if (isStaged) {
      void *copy = staged(resources->staging, call, places[i]);
      std::memcpy(copy, source, bytes);
      source = copy;
    }
    VIT_TRY(driver.check(driver.cuMemcpyHtoDAsync_v2(bindings[i], source, bytes,
                                                     resources->stream),
                         "copy inputs to the device", error));
  }
  return VIT_OK;
}

vit_status CudaExecutor::download(const Call &call, vit_error *error) {
  const auto &outputs = *context.module.entry(call.entry).outputs();
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    if (!call.outputs[i])
      continue;
    uint64_t bytes = 0;
    bindingBytes(*outputs.Get(i), call.batch, bytes);
    DevicePointer source = bindings[inputCount + i];
    if (call.outputMemory[i] == VIT_DEVICE) {
      if (source != deviceAddress(call.outputs[i]))
        VIT_TRY(
            copyOnDevice(deviceAddress(call.outputs[i]), source, bytes, error));
      continue;
    }
    void *target =
        isStaged ? staged(resources->staging, call, places[inputCount + i])
                 : call.outputs[i];
    VIT_TRY(driver.check(
        driver.cuMemcpyDtoHAsync_v2(target, source, bytes, resources->stream),
        "copy outputs from the device", error));
  }
  return VIT_OK;
}

/// Copies the outputs from the pinned memory to the caller.
void CudaExecutor::handOver(const Call &call) {
  const auto &outputs = *context.module.entry(call.entry).outputs();
  for (uint32_t i = 0; isStaged && i < outputs.size(); ++i) {
    uint64_t bytes = 0;
    bindingBytes(*outputs.Get(i), call.batch, bytes);
    if (call.outputs[i] && call.outputMemory[i] == VIT_HOST)
      std::memcpy(call.outputs[i],
                  staged(resources->staging, call, places[inputCount + i]),
                  bytes);
  }
}

} // namespace vit::runtime::cuda
