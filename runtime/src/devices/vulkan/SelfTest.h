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

/// Whether sums and maxima over the subgroups of a workgroup of 256 threads are
/// right.
bool subgroupsWork(Context &context);

/// Whether dot products of four i8 in a word, added to an i32, are right.
bool dotProductsWork(Context &context);

/// Whether products by cooperative matrices of bf16, or of f16, are exact for
/// small integers, in the subgroups that a workgroup of 64 is made of.
bool bf16MatricesWork(Context &context);
bool f16MatricesWork(Context &context);
bool f16Matrices8x16Work(Context &context);

} // namespace vit::runtime::vulkan

#endif // VIT_RUNTIME_DEVICES_VULKAN_SELF_TEST_H
