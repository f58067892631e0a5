//===- level.cpp - Which code a Vulkan device runs ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/level.h"

#include "verify.h"

#include <cstdio>
#include <cstdlib>

namespace vit::runtime::vulkan {

static constexpr const char *kNames[kLevels] = {"direct", "tiled", "tiled_256"};

const char *levelName(Level level) { return kNames[int(level)]; }

bool parseLevel(const char *name, Level &level) {
  for (int i = 0; i < kLevels; ++i)
    if (std::strncmp(name, kNames[i], 16) == 0) {
      level = Level(i);
      return true;
    }
  return false;
}

Level bestLevel(const Instance &instance, const Adapter &adapter) {
  if (adapter.isCpu())
    return Level::Direct;
  const VkPhysicalDeviceLimits &limits = adapter.properties.limits;
  bool rich = limits.maxComputeWorkGroupInvocations >= 256 &&
              limits.maxComputeWorkGroupSize[0] >= 256 &&
              limits.maxComputeSharedMemorySize >= 32768 &&
              adapter.subgroupArithmetic &&
              !instance.isDisabled(Option::Subgroup);
  return rich ? Level::Tiled256 : Level::Tiled;
}

/// Whether the device runs a schedule; if not, writes why.
static bool canRun(Context &context, const schema::Schedule &schedule,
                   char *reason, size_t size) {
  const VkPhysicalDeviceLimits &limits = context.limits();
  for (uint32_t i = 0; i < count(schedule.kernels()); ++i) {
    const schema::Kernel &kernel = *schedule.kernels()->Get(i);
    if (kernel.threads() > limits.maxComputeWorkGroupInvocations ||
        kernel.threads() > limits.maxComputeWorkGroupSize[0]) {
      std::snprintf(reason, size, "it takes %u threads and the device has %u",
                    kernel.threads(), limits.maxComputeWorkGroupInvocations);
      return false;
    }
    if (kernel.shared() > limits.maxComputeSharedMemorySize) {
      std::snprintf(reason, size,
                    "it takes %u bytes of workgroup memory and the device has "
                    "%u",
                    kernel.shared(), limits.maxComputeSharedMemorySize);
      return false;
    }
  }
  for (uint32_t i = 0; i < count(schedule.features()); ++i) {
    const char *name = schedule.features()->Get(i)->c_str();
    if (std::strcmp(name, "subgroup_arithmetic") != 0)
      std::snprintf(reason, size,
                    "it takes '%s', which this version of vit "
                    "does not know",
                    name);
    else if (!context.adapter->subgroupArithmetic)
      std::snprintf(reason, size, "the device has no subgroup arithmetic");
    else if (!context.uses(Option::Subgroup))
      std::snprintf(reason, size,
                    "VIT_VULKAN_DISABLE switches subgroup arithmetic off");
    else if (!subgroupsWork(context))
      std::snprintf(reason, size,
                    "the device fails the test of subgroup arithmetic");
    else
      continue;
    return false;
  }
  return true;
}

vit_status readForcedLevel(Level &level, bool &isForced, vit_error *error) {
  const char *name = std::getenv("VIT_VULKAN_LEVEL");
  isForced = name && *name;
  if (isForced && !parseLevel(name, level))
    return fail(error, VIT_INVALID_ARGUMENT,
                "VIT_VULKAN_LEVEL is set to no level: direct, tiled and "
                "tiled_256 are");
  return VIT_OK;
}

int rankSchedule(Context &context, const schema::Schedule &schedule,
                 char *reason, size_t size) {
  Level level;
  if (schedule.target() != schema::Target::Vulkan ||
      schedule.precision() != schema::DType::F32 ||
      !parseLevel(schedule.level()->c_str(), level) ||
      !canRun(context, schedule, reason, size))
    return 0;
  return context.adapter->isCpu() ? kLevels - int(level) : 1 + int(level);
}

} // namespace vit::runtime::vulkan
