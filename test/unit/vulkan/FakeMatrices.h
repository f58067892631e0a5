//===- FakeMatrices.h - A driver that lists matrices ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_VULKAN_FAKEMATRICES_H
#define VIT_TEST_VULKAN_FAKEMATRICES_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

/// What the faulty loader's device says of cooperative matrices.
enum class FakeMatrices : int {
  Off,         ///< what the real driver says
  Right,       ///< it lists them, and the runtime's tests pass
  OnlyF16,     ///< the same, of f16 alone
  OnlyBf16,    ///< the same, of bf16 alone
  OtherShape,  ///< it lists them, but none that kernels use
  Wrong,       ///< it lists them, and they compute wrong numbers
  WrongF16,    ///< it lists them, and those of f16 compute wrong numbers
  Only8x16,    ///< it lists those of 8 x 16 x 16 alone, of f16
  Wide8x16,    ///< the same, but its subgroups have 32 invocations
  Wrong8x16,   ///< the same, and they compute wrong numbers
  OtherDriver, ///< what the real driver says, as another version of it
  /// What the real driver says, but dot products of integers have no signs.
  WrongDotProducts,
  /// What the real driver says, but sums over subgroups leave out threads.
  WrongSubgroups
};

/// Read where an instance or a device is opened, and where a test runs.
extern "C" __attribute__((visibility("default"))) FakeMatrices fakeMatrices;

/// The function to use in place of `real`, the real one called `name`, which
/// may be NULL.
PFN_vkVoidFunction fakeMatrixFunction(const char *name,
                                      PFN_vkVoidFunction real);

#endif // VIT_TEST_VULKAN_FAKEMATRICES_H
