//===- Flatten.h - An object file as one flat image -------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_FLATTEN_H
#define VIT_TARGET_CPU_FLATTEN_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace mlir::vit::cpu {

/// Appends the code and read-only data of an x86-64 ELF object to `image`, each
/// section at a multiple of 64 bytes, and applies its PC-relative relocations.
/// Returns the offset of function `name`. Fails if the object has undefined
/// symbols, writable sections or other relocations, which a flat image does not
/// support.
llvm::Expected<uint64_t> flatten(llvm::MemoryBufferRef object,
                                 llvm::StringRef name,
                                 llvm::SmallVectorImpl<char> &image);

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_FLATTEN_H
