//===- SelfTest.h - Optional features, tried out ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some drivers report features that compute wrong results. Optional features
// are tested on known numbers before kernels use them. A test runs once per
// device and process; a failure is told once, on stderr.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_VULKAN_SELF_TEST_H
#define VIT_RUNTIME_DEVICES_VULKAN_SELF_TEST_H

#include "devices/vulkan/Context.h"

namespace vit::runtime::vulkan {

/// Whether the device passes the test of `feature`: sums and maxima over the
/// subgroups of a workgroup of 256 threads; dot products of four i8 in a word,
/// added to an i32; products of small integers by cooperative matrices of a
/// kind, in the subgroups that a workgroup of 64 is made of. False for features
/// without a test.
bool featureWorks(Context &context, format::Feature feature);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_SELF_TEST_H
