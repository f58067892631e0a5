//===- DeclaredMemory.h - What CUDA code can declare ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_DECLAREDMEMORY_H
#define VIT_FORMAT_DECLAREDMEMORY_H

#include <cstdint>

namespace vit::format {

/// The most workgroup memory that CUDA code can declare. A kernel with more
/// declares none, and its launch asks for all of it (CUDA C++ Programming
/// Guide, "Compute Capabilities").
inline constexpr int64_t kDeclaredSharedBytes = 48 << 10;

} // namespace vit::format

#endif // VIT_FORMAT_DECLAREDMEMORY_H
