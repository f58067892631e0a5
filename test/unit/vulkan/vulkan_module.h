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

/// Adds training (Builder::addTraining) with Vulkan code of train_step for
/// batch 2 that does something else than that of the CPU, of copies and one
/// kernel more: the loss is image[0], correct the step, and the
/// gradient of scale image[:4] * scale, of q image[:8], of kv 0.
schema::ScheduleT &addVulkanTraining(Builder &builder);

} // namespace vit::test

#endif // VIT_TEST_VULKAN_MODULE_H
