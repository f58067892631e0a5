//===- VulkanModule.h - Modules with Vulkan code for tests ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_VULKAN_MODULE_H
#define VIT_TEST_VULKAN_MODULE_H

#include "ModuleBuilder.h"

namespace vit::test {

/// Adds a schedule of Vulkan kernels to the builder's entry. It computes the
/// same bits as that of the CPU.
schema::ScheduleT &addVulkanSchedule(Builder &builder, const char *level);

/// Adds training (Builder::addTraining) with Vulkan code of train_step for
/// batch 2. Unlike the CPU code it consists of copies and one kernel: loss is
/// image[0], correct is step, and the gradients are image[:4] * scale for
/// scale, image[:8] for q, and 0 for kv.
schema::ScheduleT &addVulkanTraining(Builder &builder);

} // namespace vit::test

#endif // VIT_TEST_VULKAN_MODULE_H
