//===- vulkan_module.h - Modules with Vulkan code for tests -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_VULKAN_MODULE_H
#define VIT_TEST_VULKAN_MODULE_H

#include "module_builder.h"

namespace vit::test {

/// Adds to the builder's entry a schedule of Vulkan kernels that computes the
/// same as that of the CPU, bit for bit.
schema::ScheduleT &addVulkanSchedule(Builder &builder, const char *level);

} // namespace vit::test

#endif // VIT_TEST_VULKAN_MODULE_H
