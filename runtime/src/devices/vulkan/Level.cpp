//===- Level.cpp - Which code a Vulkan device runs ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Level.h"

#include "Verify.h"

#include <cstdio>
#include <cstdlib>

namespace vit::runtime::vulkan {

using format::Feature;
using format::Level;

/// How well the device runs code of a level, from 1. On a CPU workgroup memory
/// gains nothing and barriers cost much, so that levels without are better, and
/// of the others those with less.
static int rankLevel(const Adapter &adapter, const Level &level) {
  if (!adapter.isCpu())
    return level.rank;
  int most = format::levelsOf(format::Target::Vulkan)[0].rank;
  return level.isDirect ? most + level.rank : most + 1 - level.rank;
}

namespace {
/// A feature of kernels that a device may lack, and what messages call it.
struct Known {
  Feature feature;
  const char *what;
  Option option;
};
} // namespace

static constexpr Known kKnown[] = {
    {Feature::SubgroupArithmetic, "subgroup arithmetic", Option::Subgroup},
    {Feature::CooperativeMatrix, "cooperative matrices of bf16",
     Option::CooperativeMatrix},
    {Feature::CooperativeMatrixF16, "cooperative matrices of f16",
     Option::CooperativeMatrix},
    {Feature::CooperativeMatrix8x16F16, "cooperative matrices of 8 x 16 of f16",
     Option::CooperativeMatrix},
    {Feature::IntegerDotProduct, "dot products of integers",
     Option::IntegerDotProduct}};

const Level &bestLevel(const Instance &instance, const Adapter &adapter) {
  const VkPhysicalDeviceLimits &limits = adapter.properties.limits;
  format::FeatureSet features;
  for (const Known &known : kKnown)
    if (adapter.features.has(known.feature) &&
        !instance.isDisabled(known.option))
      features.add(known.feature);
  // All devices run the last one.
  const Level *best = &format::levelsOf(format::Target::Vulkan).back();
  for (const Level &level : format::levelsOf(format::Target::Vulkan))
    if (limits.maxComputeWorkGroupInvocations >= level.limits.threads &&
        limits.maxComputeWorkGroupSize[0] >= level.limits.threads &&
        limits.maxComputeSharedMemorySize >= level.limits.sharedBytes &&
        features.contains(level.features) &&
        rankLevel(adapter, level) > rankLevel(adapter, *best))
      best = &level;
  return *best;
}

/// Whether the device can run kernels that use the feature `name`; if not,
/// writes why.
static bool canUse(Context &context, const char *name, char *reason,
                   size_t size) {
  for (const Known &known : kKnown) {
    if (std::strcmp(name, featureName(known.feature)) != 0)
      continue;
    if (!context.adapter->features.has(known.feature))
      std::snprintf(reason, size, "the device has no %s", known.what);
    else if (!context.uses(known.option))
      std::snprintf(reason, size, "VIT_VULKAN_DISABLE switches %s off",
                    known.what);
    else if (!featureWorks(context, known.feature))
      std::snprintf(reason, size, "the device fails the test of %s",
                    known.what);
    else
      return true;
    return false;
  }
  std::snprintf(reason, size,
                "it takes '%s', which this version of vit does not know", name);
  return false;
}

/// Whether the device can run a schedule; if not, writes why.
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
  for (uint32_t i = 0; i < count(schedule.features()); ++i)
    if (!canUse(context, schedule.features()->Get(i)->c_str(), reason, size))
      return false;
  return true;
}

vit_status readForcedLevel(const char *option, const Level *&level,
                           vit_error *error) {
  const char *name = option ? option : std::getenv("VIT_VULKAN_LEVEL");
  level = nullptr;
  if (!name || (!option && !*name))
    return VIT_OK;
  level = format::findLevel(format::Target::Vulkan, name);
  return level ? VIT_OK
               : unknownLevel(option ? "the option level" : "VIT_VULKAN_LEVEL",
                              format::Target::Vulkan, error);
}

int rankSchedule(Context &context, const schema::Schedule &schedule,
                 char *reason, size_t size) {
  const Level *level = levelOf(schedule);
  return level && level->target == format::Target::Vulkan &&
                 canRun(context, schedule, reason, size)
             ? rankLevel(*context.adapter, *level)
             : 0;
}

} // namespace vit::runtime::vulkan
