//===- Describe.cpp - The CUDA devices there are --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/Device.h"
#include "devices/cuda/Driver.h"

#include <cstdio>

namespace vit::runtime {

using namespace cuda;

static void describeAdapter(Text &json, const Driver &driver,
                            const Adapter &adapter) {
  char text[32];
  json.beginObject(nullptr);
  std::snprintf(text, sizeof text, "cuda:%d", adapter.ordinal);
  json.field("device", text);
  json.field("name", adapter.name);
  // As nvidia-smi writes it.
  char id[48] = "GPU-";
  size_t used = 4;
  for (size_t i = 0; i < sizeof adapter.id.bytes; ++i)
    used += size_t(std::snprintf(
        id + used, sizeof id - used, "%s%02x",
        i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", adapter.id.bytes[i]));
  json.field("id", id);
  std::snprintf(text, sizeof text, "%d.%d", adapter.capability / 10,
                adapter.capability % 10);
  json.field("compute_capability", text);
  std::snprintf(text, sizeof text, "CUDA %d.%d", driver.version / 1000,
                driver.version % 1000 / 10);
  json.field("driver", text);
  json.field("memory", adapter.memory);
  json.field("multiprocessors", adapter.multiprocessors);
  json.field("workgroup_threads", adapter.maxThreads);
  json.field("workgroup_memory", adapter.maxShared);
  const format::Level *level = bestLevel(driver, adapter);
  json.field("level", level ? level->name : "none");
  if (level)
    describePrecisions(json, *level);
  json.endObject();
}

void describeCudaDevices(Text &json) {
  Driver driver;
  vit_error error;
  int count = 0;
  if (driver.open(&error) != VIT_OK ||
      countAdapters(driver, count, &error) != VIT_OK) {
    describeUnavailable(json, "cuda", error.message);
    return;
  }
  for (int i = 0; i < count; ++i) {
    Adapter adapter;
    if (readAdapter(driver, i, adapter, &error) == VIT_OK)
      describeAdapter(json, driver, adapter);
    else
      describeUnavailable(json, "cuda", error.message);
  }
}

} // namespace vit::runtime
