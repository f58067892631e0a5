//===- VerifyCode.h - Checks of code images and kernels ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks of code: that images have their format's first bytes, and that kernels
// match their schedule's target and its limits. Code is given to a driver only
// after these checks and that of its hash.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_VERIFY_CODE_H
#define VIT_RUNTIME_VERIFY_CODE_H

#include "module_generated.h"

#include <cstddef>
#include <cstdint>

namespace vit::runtime {

/// No kernel takes more arguments; those of GPUs must fit 32 push constants.
inline constexpr uint32_t kMaxArguments = 64;
inline constexpr uint32_t kMaxGpuArguments = 30;
/// No kernel's scratch memory, per thread, is larger.
inline constexpr uint64_t kMaxScratch = uint64_t(1) << 30;
/// No workgroup has more threads or more memory on any GPU.
inline constexpr uint32_t kMaxGpuThreads = 1024;
inline constexpr uint32_t kMaxGpuShared = 227 << 10;
inline constexpr uint32_t kMaxTensorMaps = 8;

/// The alignment of images of this format in the file.
uint64_t imageAlignment(schema::ImageFormat format);

/// Returns what is wrong with the bytes of an image of a known format ("is no
/// ..."), or NULL.
const char *checkImage(schema::ImageFormat format, const unsigned char *data,
                       uint64_t size);

/// Checks kernels and cubins of a schedule of a known target against each other
/// and the module's images, which must have been checked. On an error returns
/// false and writes the reason ("kernel 'gemm_0' has ...").
bool checkCode(const schema::Module &module, const schema::Schedule &schedule,
               char *reason, size_t reasonSize);

} // namespace vit::runtime

#endif // VIT_RUNTIME_VERIFY_CODE_H
