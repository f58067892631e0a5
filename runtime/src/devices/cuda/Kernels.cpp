//===- Kernels.cpp - A module's kernels on a CUDA device ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/cuda/Kernels.h"

namespace vit::runtime::cuda {

Kernels::~Kernels() {
  for (Module module : modules)
    if (module)
      driver.cuModuleUnload(module);
}

static const unsigned char *bytesOf(const vit_module &module, uint32_t image) {
  return module.segments + module.root->images()->Get(image)->data()->offset();
}

/// The cubin that the device runs: for its architecture, else the latest for an
/// earlier one of the same major version ("Binary compatibility" in NVIDIA's
/// CUDA C++ programming guide). -1: none.
static int64_t findCubin(const vit_module &module,
                         const schema::Schedule &schedule,
                         const Adapter &adapter) {
  int64_t best = -1;
  int latest = 0;
  for (uint32_t i = 0; i < count(schedule.cubins()); ++i) {
    uint32_t image = schedule.cubins()->Get(i);
    int capability;
    bool isExact;
    if (!format::parseArchitecture(
            module.root->images()->Get(image)->arch()->c_str(), capability,
            isExact))
      continue;
    bool runs = isExact ? capability == adapter.capability
                        : capability / 10 == adapter.capability / 10 &&
                              capability <= adapter.capability;
    if (runs && capability > latest) {
      latest = capability;
      best = image;
    }
  }
  return best;
}

vit_status Kernels::loadImage(const vit_module &module,
                              const schema::Schedule &schedule, uint32_t ptx,
                              const Adapter &adapter, Module &loaded,
                              vit_error *error) const {
  int64_t cubin = findCubin(module, schedule, adapter);
  if (cubin >= 0) {
    Result result = driver.cuModuleLoadDataEx(
        &loaded, bytesOf(module, uint32_t(cubin)), 0, nullptr, nullptr);
    // If the driver does not know the cubin's version, it compiles the PTX.
    if (result != kInvalidImage && result != kNoBinaryForGpu)
      return driver.check(result, "load the module's code", error);
    loaded = nullptr;
  }
  char log[512] = "";
  JitOption options[] = {kJitErrorLogBuffer, kJitErrorLogBufferSizeBytes};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver's interface.
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  Result result = driver.cuModuleLoadDataEx(&loaded, bytesOf(module, ptx), 2,
                                            options, values);
  if (result == kSuccess)
    return VIT_OK;
  loaded = nullptr;
  char text[256];
  driver.explain(result, text, sizeof text);
  for (char &c : log)
    c = c == '\n' ? ' ' : c;
  log[sizeof log - 1] = 0;
  switch (result) {
  case kUnsupportedPtxVersion:
    return fail(error, VIT_UNSUPPORTED,
                "the CUDA driver, for CUDA %d.%d, is too old for the code of "
                "'%s' (%s): update the driver",
                driver.version / 1000, driver.version % 1000 / 10,
                module.name.data(), text);
  case kInvalidImage:
  case kNoBinaryForGpu:
  case kInvalidPtx:
  case kJitCompilerNotFound:
    return fail(error, VIT_UNSUPPORTED,
                "the CUDA driver does not take the code of '%s' (%s): %s",
                module.name.data(), text, *log ? log : "it does not say why");
  default:
    return driver.check(result, "load the module's code", error);
  }
}

vit_status Kernels::load(const vit_module &module, const Schedules &schedules,
                         const Adapter &adapter, vit_error *error) {
  size_t total = 0;
  for (const schema::Schedule *schedule : schedules)
    total += schedule ? count(schedule->kernels()) : 0;
  const Allocator &allocator = module.allocator;
  if (!modules.allocate(allocator, count(module.root->images())) ||
      !firstFunction.allocate(allocator, schedules.size()) ||
      !functions.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(Function), "kernels");
  uint32_t next = 0;
  for (size_t entry = 0; entry < schedules.size(); ++entry) {
    firstFunction[entry] = next;
    if (!schedules[entry])
      continue;
    const schema::Schedule &schedule = *schedules[entry];
    for (uint32_t k = 0; k < count(schedule.kernels()); ++k) {
      const schema::Kernel &kernel = *schedule.kernels()->Get(k);
      const char *name = kernel.name()->c_str();
      uint32_t dynamic = dynamicShared(kernel);
      int most = dynamic ? adapter.maxDynamicShared : adapter.maxShared;
      if (kernel.threads() > uint32_t(adapter.maxThreads) ||
          kernel.shared() > uint32_t(most))
        return fail(error, VIT_UNSUPPORTED,
                    "kernel '%s' needs %u threads and %u bytes of workgroup "
                    "memory, and '%s' has %d and %d",
                    name, kernel.threads(), kernel.shared(), adapter.name,
                    adapter.maxThreads, most);
      Module &loaded = modules[kernel.image()];
      if (!loaded)
        VIT_TRY(loadImage(module, schedule, kernel.image(), adapter, loaded,
                          error));
      Function &function = functions[next++];
      Result result = driver.cuModuleGetFunction(&function, loaded, name);
      if (result == kNotFound)
        return fail(error, VIT_CORRUPT,
                    "'%s' is damaged: its CUDA code has no kernel '%s'",
                    module.name.data(), name);
      VIT_TRY(driver.check(result, "find a kernel", error));
      if (dynamic)
        VIT_TRY(driver.check(
            driver.cuFuncSetAttribute(function, kMaxDynamicSharedSizeBytes,
                                      int(dynamic)),
            "give a kernel workgroup memory", error));
    }
  }
  return VIT_OK;
}

} // namespace vit::runtime::cuda
