//===- self_test.h - Optional features, tried out ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Drivers report features that compute wrong numbers. What is optional is run
// once on known numbers before kernels may use it.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_SELF_TEST_H
#define VIT_RUNTIME_DEVICES_VULKAN_SELF_TEST_H

#include "devices/vulkan/context.h"

namespace vit::runtime::vulkan {

/// Whether sums and maxima over subgroups come out right, in full workgroups
/// of 256 and of 64 threads. Asks the device once and remembers.
bool subgroupsWork(Context &context);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_SELF_TEST_H
