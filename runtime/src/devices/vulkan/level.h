//===- level.h - Which code a Vulkan device runs ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_LEVEL_H
#define VIT_RUNTIME_DEVICES_VULKAN_LEVEL_H

#include "devices/vulkan/self_test.h"
#include "module_generated.h"

namespace vit::runtime::vulkan {

/// Levels that code is compiled for. Which is best depends on the device: a
/// CPU's workgroup memory gains nothing and its barriers cost much.
enum class Level { Direct, Tiled, Tiled256 };
inline constexpr int kLevels = 3;
const char *levelName(Level level);

/// The level that the device runs where a module has all of them.
Level bestLevel(const Instance &instance, const Adapter &adapter);

/// The level that VIT_VULKAN_LEVEL forces; false where it is not set.
/// VIT_INVALID_ARGUMENT where it is set to no level.
vit_status readForcedLevel(Level &level, bool &isForced, vit_error *error);

/// How well the device runs a schedule, from 1; 0: not at all, and `reason`,
/// where it is of a level of Vulkan, says why.
int rankSchedule(Context &context, const schema::Schedule &schedule,
                 char *reason, size_t size);

/// Parses the name of a level; false where it is none.
bool parseLevel(const char *name, Level &level);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_LEVEL_H
