//===- Level.h - Which code a Vulkan device runs ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_LEVEL_H
#define VIT_RUNTIME_DEVICES_VULKAN_LEVEL_H

#include "Module.h"
#include "devices/vulkan/SelfTest.h"

namespace vit::runtime::vulkan {

/// The level that the device runs if a module has all of them.
const format::Level &bestLevel(const Instance &instance,
                               const Adapter &adapter);

/// The level that must be used: `option`, else VIT_VULKAN_LEVEL; NULL if
/// neither is set. VIT_INVALID_ARGUMENT if it is no level.
vit_status readForcedLevel(const char *option, const format::Level *&level,
                           vit_error *error);

/// How well the device runs a schedule, from 1; 0: not at all, and `reason`, if
/// it is of a level of Vulkan, says why.
int rankSchedule(Context &context, const schema::Schedule &schedule,
                 char *reason, size_t size);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_LEVEL_H
