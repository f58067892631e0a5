//===- Alignment.h - Alignment of tensors in memory and files ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_ALIGNMENT_H
#define VIT_FORMAT_ALIGNMENT_H

#include <cstdint>

namespace vit::format {

/// Alignment, in bytes, of everything that kernels read and write: host memory,
/// workspace slots, arenas, and weights in a module file.
inline constexpr uint64_t kAlignment = 64;

/// Rounds `value` up to a multiple of `alignment`, a power of two. The caller
/// makes sure that this does not overflow.
inline constexpr uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

} // namespace vit::format

#endif // VIT_FORMAT_ALIGNMENT_H
